"""Gets packages, once, into directories below var/bench/.

Neither the machine nor the project's own environment is touched.
"""

import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.contenders.contender import PYTHON, AbsentError

PLACE = Path(__file__).parents[2] / "var" / "bench"
MINUTES_S = 600


def python(package: str) -> Path:
    """Install a Python package into an environment of its own; return the environment."""

    def make(directory: Path) -> None:
        run([PYTHON, "-m", "venv", directory])
        run([directory / "bin" / "pip", "install", "--quiet", "--no-input", package])

    return once(PLACE / "python" / package, make)


def python_version(package: str) -> str:
    """Return the version of a Python package that was installed."""
    code = f"import importlib.metadata as found; print(found.version({package!r}))"
    return run([PLACE / "python" / package / "bin" / "python", "-c", code]).strip()


def node(package: str) -> Path:
    """Install a package of Node.js; return the directory in which it can be imported."""
    if shutil.which("npm") is None:
        raise AbsentError("there is no npm")

    def make(directory: Path) -> None:
        directory.mkdir(parents=True)
        flags = ("--ignore-scripts", "--no-audit", "--no-fund", "--silent", "--prefix")
        run(["npm", "install", *flags, directory, package])

    return once(PLACE / "node" / package, make)


def debian(name: str, packages: Sequence[str]) -> Path:
    """Unpack packages of Debian into a tree of their own, to be laid over the machine's; return it."""
    if shutil.which("apt-get") is None:
        raise AbsentError("this is no Debian")

    def make(directory: Path) -> None:
        directory.mkdir(parents=True)
        try:
            run(["apt-get", "download", "--quiet", *packages], cwd=directory)
        except AbsentError:
            run(["apt-get", "update", "--quiet"])
            run(["apt-get", "download", "--quiet", *packages], cwd=directory)
        for package in sorted(directory.glob("*.deb")):
            run(["dpkg-deb", "--extract", package, directory / "tree"])
        # Where /lib is a link, a directory of that name would hide it.
        for old in ("lib", "bin", "sbin"):
            if (directory / "tree" / old).is_dir():
                shutil.copytree(
                    directory / "tree" / old, directory / "tree" / "usr" / old, dirs_exist_ok=True
                )
                shutil.rmtree(directory / "tree" / old)

    return once(PLACE / "debian" / name, make) / "tree"


def debian_version(name: str, package: str) -> str:
    """Return the version of a package that was unpacked."""
    found = next((PLACE / "debian" / name).glob(f"{package}_*.deb"))
    return run(["dpkg-deb", "--field", found, "Version"]).strip()


def once(directory: Path, make: Callable[[Path], None]) -> Path:
    """Make a directory unless it is there; what was broken off is made anew."""
    complete = directory / ".complete"
    if not complete.exists():
        shutil.rmtree(directory, ignore_errors=True)
        make(directory)
        complete.touch()
    return directory


def run(command: Sequence[str | Path], cwd: Path | None = None) -> str:
    """Run a command and return what it prints; AbsentError with its last words if it fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=MINUTES_S,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise AbsentError(f"{Path(command[0]).name} said: {said[-1] if said else done.returncode}")
    return done.stdout
