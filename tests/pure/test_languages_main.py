"""Whether a Python script's `main()` is called for it: never twice, and not when in doubt."""

import pytest

from schedd.runner.languages.python_main import decide

MAIN = "def main():\n    pass\n"

CALLED = {
    "plain": MAIN,
    "async": "async def main():\n    pass\n",
    "in an if": "import sys\nif sys.platform:\n    def main():\n        pass\n",
    "guard without it": MAIN + "if __name__ == '__main__':\n    print('debugging')\n",
    "called by what nobody calls": MAIN + "def other():\n    main()\n",
    "another's main": MAIN + "import cli\ncli.main()\n",
    "named in a string": MAIN + "print('main')\n",
    "called in a lambda that nobody calls": MAIN + "later = lambda: main()\n",
    "decorated": "import functools\n@functools.cache\ndef main():\n    pass\n",
}

LEFT = {
    "no main": "print('main')\n",
    "nested": "def f():\n    def main():\n        pass\n",
    "a method": "class C:\n    def main(self):\n        pass\n",
    "a variable": "main = 3\n",
    "imported": "from cli import main\n",
    "called": MAIN + "main()\n",
    "guarded": MAIN + "if __name__ == '__main__':\n    main()\n",
    "exits with it": MAIN + "import sys\nsys.exit(main())\n",
    "awaited": "import asyncio\nasync def main():\n    pass\nasyncio.run(main())\n",
    "handed on": MAIN + "import typer\ntyper.run(main)\n",
    "by keyword": MAIN + "import threading\nthreading.Thread(target=main).start()\n",
    "through a function": MAIN + "def cli():\n    main()\nif __name__ == '__main__':\n    cli()\n",
    "through two": MAIN + "def a():\n    main()\ndef b():\n    a()\nb()\n",
    "through a class": MAIN + "class App:\n    def run(self):\n        main()\nApp().run()\n",
    "through a name": MAIN + "run = main\nrun()\n",
    "through a table": MAIN + "COMMANDS = {'x': main}\nCOMMANDS['x']()\n",
    "through a decorator": "app = typer.Typer()\n@app.command()\ndef main():\n    pass\napp()\n",
    "through a lambda": MAIN + "later = lambda: main()\nlater()\n",
    "in a comprehension": MAIN + "[main() for _ in range(2)]\n",
    "in a loop": MAIN + "while True:\n    main()\n",
    "in a try": MAIN + "try:\n    main()\nexcept Exception:\n    raise\n",
}


@pytest.mark.parametrize("name", CALLED)
def test_main_is_called_for_a_script_that_does_not(name: str) -> None:
    assert decide(CALLED[name].encode()) == "call"


@pytest.mark.parametrize("name", LEFT)
def test_main_is_left_to_a_script_that_calls_it(name: str) -> None:
    assert decide(LEFT[name].encode()) == "leave"


@pytest.mark.parametrize("source", [b"def main(: pass", b"def main(): pass\n\0"])
def test_what_cannot_be_read_here_is_for_the_scripts_own_python(source: bytes) -> None:
    assert decide(source) == "ask"
