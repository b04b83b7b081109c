"""What the machine can do at all: small programs in C, compiled when they are first asked for.

Each measurement beside them, in the same run, is told as a multiple of them.
"""

import hashlib
import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent
PLACE = Path(__file__).parents[2] / "var" / "bench" / "floors"
FLAGS = ("-O2", "-Wall")


def compiled(name: str, *, static: bool = False) -> Path:
    """Compile bench/floors/NAME.c, unless that was done; return the program's absolute path."""
    source = SOURCES / f"{name}.c"
    flags = [*FLAGS, *(["-static"] if static else [])]
    mark = hashlib.sha256(source.read_bytes() + " ".join(flags).encode()).hexdigest()[:12]
    program = PLACE / f"{name}-{mark}"
    if not program.exists():
        PLACE.mkdir(parents=True, exist_ok=True)
        unfinished = program.with_suffix(".new")
        subprocess.run(["cc", *flags, "-o", unfinished, source], check=True)
        unfinished.rename(program)
    return program
