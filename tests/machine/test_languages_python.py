"""Python scripts: what `python script.py` does, and what `main()` returns."""

import json
import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from schedd.fire import Outcome, Reason, Status
from schedd.runner.languages.python import LAUNCHER
from schedd.runner.starts import Means
from tests.machine.running import Workshop, workshop

PYTHON = "/usr/bin/python3"

ALIKE = {
    "is_empty": "",
    "prints": "print('hello')\n",
    "prints_to_both": (
        "import sys\nprint('out', flush=True)\nprint('err', file=sys.stderr, flush=True)\nprint('out')\n"
    ),
    "exits_7": "import sys\nsys.exit(7)\n",
    "exits_with_true": "import sys\nsys.exit(True)\n",
    "exits_with_words": "import sys\nsys.exit('no such host')\n",
    "exits_with_none": "raise SystemExit\n",
    "exits_hard": "import os, sys\nprint('kept', flush=True)\nos._exit(9)\n",
    "raises": "def inner():\n    raise ValueError('bad')\n\ninner()\n",
    "raises_from": "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e\n",
    "raises_while_handling": "try:\n    1 / 0\nexcept ZeroDivisionError:\n    {}['k']\n",
    "raises_a_group": "raise ExceptionGroup('two', [ValueError(1), TypeError(2)])\n",
    "raises_its_own": "class Oops(Exception):\n    pass\n\nraise Oops('mine')\n",
    "has_a_syntax_error": "x = = 1\n",
    "has_bad_indentation": "if True:\nx = 1\n",
    "lacks_a_module": "import no_such_module\n",
    "recurses": (
        "def f(n):\n    return f(n + 1)\n\ntry:\n    f(0)\nexcept RecursionError as e:\n    print(e)\n"
    ),
    "looks_at_itself": (
        "import sys\nprint(__name__, __file__, __spec__, __package__, __cached__, __doc__, __annotations__)\n"
        "print(type(__loader__).__name__, __loader__.name, __loader__.path)\n"
        "print(sys.argv, sys.path, sorted(globals()), type(__builtins__).__name__)\n"
        "print(sys.modules['__main__'].__dict__ is globals())\n"
    ),
    "guards": "if __name__ == '__main__':\n    print('main')\n",
    "runs_its_main": "def main():\n    print('once')\n\nif __name__ == '__main__':\n    main()\n",
    "exits_with_its_main": "import sys\ndef main():\n    print('once')\n    return 3\n\nsys.exit(main())\n",
    "registers_an_exit": "import atexit\natexit.register(print, 'bye')\nprint('hi')\n",
    "raises_and_says_bye": (
        "import atexit\natexit.register(print, 'bye', flush=True)\nraise ValueError('x')\n"
    ),
    "has_a_hook": "import sys\nsys.excepthook = lambda t, v, tb: print('hook', v, tb.tb_lineno)\n\n1 / 0\n",
    "has_a_thread": (
        "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.01), print('late'))).start()\n"
    ),
    "has_a_failing_thread": (
        "import threading\nt = threading.Thread(target=lambda: 1 / 0, name='t')\nt.start()\nt.join()\n"
    ),
    "interrupts_itself": (
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nimport time\ntime.sleep(5)\n"
    ),
    "terminates_itself": "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n",
    "uses_a_neighbour": "import neighbour\nprint(neighbour.NAME)\n",
    "pickles": (
        "import pickle\nclass P:\n    def __init__(self):\n        self.x = 1\n\n"
        "print(pickle.loads(pickle.dumps(P())).x, P.__module__)\n"
    ),
    "makes_a_dataclass": (
        "from dataclasses import dataclass\n@dataclass\nclass D:\n    x: 'int' = 1\n\nprint(D())\n"
    ),
    "spawns_processes": (
        "import multiprocessing as m\ndef f(x):\n    return x * 2\n\nif __name__ == '__main__':\n"
        "    with m.get_context('spawn').Pool(1) as p:\n        print(p.map(f, [1, 2]))\n"
    ),
    "has_an_encoding": "# -*- coding: latin-1 -*-\nprint(ascii('\xe9'))\n",
    "reads_its_source": "import inspect\ndef f():\n    return 1\n\nprint(inspect.getsource(f))\n",
    "warns": "import warnings\nwarnings.warn('careful')\n",
    "deletes_at_the_end": "class D:\n    def __del__(self):\n        print('gone')\n\nd = D()\n",
    "asserts": "assert 1 == 2, 'really'\n",
    "closes_stdout": "import sys\nprint('x')\nsys.stdout.close()\n",
    "prints_what_cannot_be": "print('\\ud800')\n",
}


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Workshop]:
    async with workshop(tmp_path) as made:
        yield made


@pytest.mark.parametrize("name", ALIKE)
def test_a_script_does_what_it_does_without_schedd(tmp_path: Path, name: str) -> None:
    script = tmp_path / f"{name}.py"
    encoding = "latin-1" if name == "has_an_encoding" else "utf-8"
    script.write_text(ALIKE[name], encoding=encoding)
    (tmp_path / "neighbour.py").write_text("NAME = 'next door'\n")
    plain = _run(tmp_path, PYTHON, str(script))
    launched = _run(tmp_path, PYTHON, LAUNCHER, "leave", str(script))
    assert launched == plain


def _run(cwd: Path, *argv: str) -> tuple[int, str]:
    environment = {"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin", "SCHEDD_RESULT": str(cwd / "result")}
    done = subprocess.run(
        argv,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=20,
    )
    return done.returncode, done.stdout.decode(errors="replace")


@pytest.mark.parametrize(
    ("body", "result"),
    [
        ("return {'deleted': 12}", {"deleted": 12}),
        ("return [1, 2.5, True, None, 'é\"\\n']", [1, 2.5, True, None, 'é"\n']),
        ("return 0", 0),
        ("return ''", ""),
        ("return None", None),
        ("return (1, (2,))", [1, [2]]),
        ("return {1: 'a', None: 'b', True: 'c', 2.5: 'd'}", {"1": "c", "null": "b", "2.5": "d"}),
        ("import datetime; return {'at': datetime.date(2026, 1, 2)}", {"at": {"$string": "2026-01-02"}}),
        ("return [float('nan'), float('inf')]", [{"$string": "nan"}, {"$string": "inf"}]),
        ("return {1}", {"$string": "{1}"}),
        ("import enum; return enum.IntEnum('E', 'A').A", 1),
        ("return '\\ud800'", {"$string": '"\\ud800"'}),
        ("a = []; a.append(a); return a", {"$string": "[[...]]"}),
        ("return 10 ** 400", {"$string": str(10**400)}),
        ("class X:\n        def __str__(self): return 1 / 0\n    return X()", "unprintable"),
    ],
)
async def test_what_main_returns_is_the_result(shop: Workshop, body: str, result: Any) -> None:
    outcome = await shop.run(shop.script("returns.py", f"def main():\n    {body}\n"))
    assert (outcome.status, outcome.error) == (Status.OK, None)
    kept = None if outcome.result is None else json.loads(outcome.result)
    if result == "unprintable":
        assert "X object at" in kept["$string"]
    else:
        assert kept == result


async def test_an_async_main_is_awaited(shop: Workshop) -> None:
    text = "import asyncio\nasync def main():\n    await asyncio.sleep(0)\n    return 'done'\n"
    assert (await shop.run(shop.script("is_async.py", text))).result == '"done"'


async def test_a_written_result_stays_when_main_returns_nothing(shop: Workshop) -> None:
    text = "import os\ndef main():\n    open(os.environ['SCHEDD_RESULT'], 'w').write('[1]')\n"
    assert (await shop.run(shop.script("writes.py", text))).result == "[1]"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("def main():\n    raise ValueError('bad\\nvery bad')\n", "ValueError: bad"),
        ("import json\njson.loads('{')\n", "json.decoder.JSONDecodeError: Expecting property name enclosed"),
        ("class Oops(Exception): pass\ndef main():\n    raise Oops\n", "Oops"),
        ("x = = 1\n", "SyntaxError: invalid syntax (fails.py, line 1)"),
        (
            "def main(rows, *, dry): pass\n",
            "TypeError: main() is called without arguments, but it needs rows, dry",
        ),
        ("def main():\n    yield 1\n", "TypeError: main() is a generator"),
        ("async def main():\n    yield 1\n", "TypeError: main() is a generator"),
    ],
)
async def test_an_exception_is_the_error(shop: Workshop, text: str, error: str) -> None:
    outcome = await shop.run(shop.script("fails.py", text))
    assert (outcome.status, outcome.reason, outcome.exit_code) == (Status.ERROR, Reason.EXCEPTION, 1)
    assert outcome.error is not None
    assert outcome.error.startswith(error)


async def test_a_traceback_shows_the_script_and_not_the_launcher(shop: Workshop) -> None:
    script = shop.script("fails.py", "def main():\n    raise ValueError('bad')\n")
    run_id = shop.start(script)
    await shop.ended(run_id)
    assert (
        await shop.runner.output(run_id)
        == (
            f'Traceback (most recent call last):\n  File "{script.path}", line 2, in main\n'
            "    raise ValueError('bad')\nValueError: bad\n"
        ).encode()
    )


async def test_an_exit_code_is_not_an_exception(shop: Workshop) -> None:
    outcome = await shop.run(shop.script("exits_3.py", "import sys\ndef main():\n    sys.exit(3)\n"))
    assert (outcome.reason, outcome.exit_code) == (Reason.EXIT, 3)


@pytest.mark.parametrize("printed", ["", "print('calm', flush=True)\n"])
async def test_a_script_whose_hook_exits_0_decided_to_be_ok(shop: Workshop, printed: str) -> None:
    text = f"import os, sys\n{printed}sys.excepthook = lambda *about: os._exit(0)\nraise ValueError\n"
    assert (await shop.run(shop.script("is_calm.py", text))).status is Status.OK
    assert not list(shop.state.rglob("*.error"))


async def test_nothing_is_left_beside_the_result(shop: Workshop) -> None:
    run_id = shop.start(shop.script("fails.py", "raise ValueError('bad')\n"))
    await shop.ended(run_id)
    assert sorted(os.listdir(next((shop.state / "output").iterdir()))) == [f"{run_id}.log"]


async def test_output_is_not_lost_when_a_script_is_killed(shop: Workshop) -> None:
    run_id = shop.start(shop.script("is_killed.py", "import os\nprint('seen')\nos.kill(os.getpid(), 9)\n"))
    assert (await shop.ended(run_id)).signal == "SIGKILL"
    assert await shop.runner.output(run_id) == b"seen\n"


@pytest.mark.parametrize(
    ("shebang", "expected"),
    [
        ("", "0 False"),
        ("#!/usr/bin/env python3\n", "0 False"),
        ("#!/usr/bin/python3 -O\n", "1 False"),
        ("#!/usr/bin/env -S python3 -OO -I\n", "2 True"),
        ("#!/usr/bin/env -S python3 -X utf8 -W error\n", "0 False"),
        ("#!/usr/bin/python3 -u\r\n", "0 False"),
    ],
)
async def test_options_in_a_shebang_are_pythons(shop: Workshop, shebang: str, expected: str) -> None:
    text = (
        shebang + "import sys\ndef main():\n    return f'{sys.flags.optimize} {bool(sys.flags.isolated)}'\n"
    )
    outcome = await shop.run(shop.script("shows_its_flags.py", text))
    assert outcome.result == f'"{expected}"', outcome


async def test_a_shebang_with_an_open_quote_is_an_error_that_says_so(shop: Workshop) -> None:
    outcome = await shop.run(shop.script("quotes.py", "#!/usr/bin/python3 -X 'dev\n"))
    assert (outcome.status, outcome.reason) == (Status.ERROR, Reason.SPAWN)
    assert outcome.error is not None
    assert "the #! line has a quote that is not closed" in outcome.error


async def test_isolated_means_without_the_scripts_directory(shop: Workshop) -> None:
    text = "#!/usr/bin/python3 -I\nimport sys, os\ndef main(): return os.path.dirname(__file__) in sys.path\n"
    assert (await shop.run(shop.script("is_isolated.py", text))).result == "false"


async def test_a_shebang_that_names_an_interpreter_is_obeyed(shop: Workshop) -> None:
    fake = shop.scripts / "python-of-its-own"
    fake.write_text('#!/bin/sh\necho own "$1"\n')
    fake.chmod(0o755)
    run_id = shop.start(shop.script("names_its_own.py", f"#!{fake}\n"))
    await shop.ended(run_id)
    assert await shop.runner.output(run_id) == f"own {LAUNCHER}\n".encode()


async def test_the_configured_python_runs_what_names_none(tmp_path: Path) -> None:
    fake = tmp_path / "python-configured"
    fake.write_text("#!/bin/sh\necho configured\n")
    fake.chmod(0o755)
    async with workshop(tmp_path, means=Means(python=str(fake))) as shop:
        for number, line in enumerate(("", "#!/usr/bin/env python3\n")):
            run_id = shop.start(shop.script(f"names_none_{number}.py", line))
            await shop.ended(run_id)
            assert await shop.runner.output(run_id) == b"configured\n"


async def test_a_py_file_for_another_program_is_run_by_that(shop: Workshop) -> None:
    fake = shop.scripts / "uv"
    fake.write_text('#!/bin/sh\necho "$@"\n')
    fake.chmod(0o755)
    script = shop.script("asks_for_uv.py", f"#!/usr/bin/env -S {fake} run --script\n")
    run_id = shop.start(script)
    await shop.ended(run_id)
    assert await shop.runner.output(run_id) == f"run --script {script.path}\n".encode()


async def test_a_python_newer_than_the_daemons_decides_itself_about_main(shop: Workshop) -> None:
    # The daemon cannot parse it, so the launcher is told to ask; python3 cannot either, and says so.
    outcome = await shop.run(
        shop.script("is_from_the_future.py", "match x:\n    case 1 if: pass\ndef main(): pass\n")
    )
    assert _exception(outcome).startswith("SyntaxError")


def test_the_launcher_decides_itself_when_asked(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    for text, expected in (
        ("def main():\n    print('once')\n", "once\n"),
        ("def main():\n    print('once')\nmain()\n", "once\n"),
    ):
        script.write_text(text)
        assert _run(tmp_path, PYTHON, LAUNCHER, "ask", str(script)) == (0, expected)


def _exception(outcome: Outcome) -> str:
    assert outcome.reason is Reason.EXCEPTION
    assert outcome.error is not None
    return outcome.error
