"""Programs: shebangs, shell scripts without one, executables; what decides which."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from schedd.runner.languages.shebang import Shebang, parse
from tests.machine.running import Workshop, workshop


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Workshop]:
    async with workshop(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"", None),
        (b"# !/bin/sh\n", None),
        (b"#!\n", None),
        (b"#!/bin/sh\n", Shebang("/bin/sh", (), by_env=False, windows=False)),
        (b"#! /bin/sh -e -u \nx", Shebang("/bin/sh", ("-e -u",), by_env=False, windows=False)),
        (b"#!/bin/sh\t-e\n", Shebang("/bin/sh", ("-e",), by_env=False, windows=False)),
        (b"#!/bin/sh\r\n", Shebang("/bin/sh", (), by_env=False, windows=True)),
        (b"#!/usr/bin/env bash\n", Shebang("bash", (), by_env=True, windows=False)),
        (b"#!/usr/bin/env -S deno run -A\n", Shebang("deno", ("run", "-A"), by_env=True, windows=False)),
        (b"#!/usr/bin/env -S 'a b'\n", Shebang("/usr/bin/env", ("-S 'a b'",), by_env=False, windows=False)),
        (b"#!/usr/bin/env -S A=1 x\n", Shebang("/usr/bin/env", ("-S A=1 x",), by_env=False, windows=False)),
        (b"#!/usr/bin/env -i x\n", Shebang("/usr/bin/env", ("-i x",), by_env=False, windows=False)),
    ],
)
def test_the_first_line_is_read_as_the_kernel_reads_it(line: bytes, expected: Shebang | None) -> None:
    assert parse(line) == expected


TRUE = Path("/bin/true").read_bytes()

PRINTS = {
    "plain.sh": ("echo $0 | grep -c /plain.sh\n", {}, "1\n"),
    "plain.bash": ("echo ${BASH_VERSION:+bash}\n", {}, "bash\n"),
    "bash.sh": ("#!/usr/bin/env bash\necho ${BASH_VERSION:+bash}\n", {}, "bash\n"),
    "options.sh": ("#!/bin/sh -e\nfalse\necho unreached\n", {}, ""),
    "awk": ("#!/usr/bin/awk -f\nBEGIN { print 6 * 7 }\n", {}, "42\n"),
    "env_does_it": ("#!/usr/bin/env -S A=1 sh\necho $A\n", {}, "1\n"),
    "python_without_suffix": ("#!/usr/bin/env python3\ndef main():\n    print('main')\n", {}, "main\n"),
    "as_program.py": ("#!/bin/sh\necho shell\n", {"runtime": "program"}, "shell\n"),
    "as_python": ("def main():\n    print('main')\n", {"runtime": "python"}, "main\n"),
    "by_path": ("BEGIN { print 1 }\n", {"runtime": "/bin/cat"}, "BEGIN { print 1 }\n"),
    "python_by_path": ("def main():\n    print('main')\n", {"runtime": "/usr/bin/python3"}, "main\n"),
    "with space.sh": ("echo fine\n", {}, "fine\n"),
    "-e.sh": ("echo fine\n", {}, "fine\n"),
}


@pytest.mark.parametrize("name", PRINTS)
async def test_what_runs_a_script(shop: Workshop, name: str) -> None:
    text, fields, printed = PRINTS[name]
    run_id = shop.start(shop.script(name, text, **fields))  # type: ignore[arg-type]
    await shop.ended(run_id)
    assert (await shop.runner.output(run_id) or b"").decode() == printed


async def test_an_executable_runs_as_it_is(shop: Workshop) -> None:
    outcome = await shop.run(shop.script("is_true", TRUE, mode=0o755))
    assert outcome.exit_code == 0


async def test_a_path_of_the_headers_own_finds_its_programs(shop: Workshop) -> None:
    tool = shop.scripts / "tool"
    tool.write_text("#!/bin/sh\necho own tool\n")
    tool.chmod(0o755)
    fields: dict[str, Any] = {"env": (("PATH", f"{shop.scripts}:/usr/bin:/bin"),)}
    run_id = shop.start(shop.script("asks_for_a_tool", "#!/usr/bin/env tool\n", **fields))
    await shop.ended(run_id)
    assert await shop.runner.output(run_id) == b"own tool\n"
