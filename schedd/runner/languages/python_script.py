"""Runs a Python script as `python script.py` would, then calls its `main()` and keeps what it returns.

Imported by `python_launcher.py` and by nothing else. The script is a fresh `__main__`; what it does,
prints and exits with is what it would be without the launcher, except that its standard output is line
buffered, so that a run's output can be watched and survives a kill. The returned value goes to
$SCHEDD_RESULT as JSON, an uncaught exception's last line to $SCHEDD_RESULT.error.

Runs in whatever interpreter the script asks for: plain Python 3.7, and no import that a bare interpreter has
not made already (`json` alone costs 8 ms of the 8 that Python takes to start).
"""

import os
import sys

TYPE_CHECKING = False  # importing typing would cost milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

    Prepared = tuple[ModuleType, str]

HERE = os.path.dirname(__file__)
LAUNCHER = os.path.join(HERE, "python_launcher.py")
OWN_FILES = (__file__, LAUNCHER)

MAX_DEPTH = 100
"""What is nested deeper than this, or holds itself, becomes its string."""

GENERATORS = 0x20 | 0x200
"""CO_GENERATOR and CO_ASYNC_GENERATOR, which `inspect` would name at the price of its import."""

WORDS = {None: "null", True: "true", False: "false"}


def run(
    how: str, path: str, prepared: "Prepared | None" = None, code: "Any" = None, ending: "Any" = None
) -> None:
    """Run the script; `how` says whether its `main()` is to be called.

    A nursery brings what it prepared (the module, and where results go), perhaps what the script compiles to,
    and an `ending` that is to know how it ended.
    """
    module, result_path = prepared or (prepare(path), os.environ.get("SCHEDD_RESULT", ""))
    if prepared is None and not (sys.flags.isolated or getattr(sys.flags, "safe_path", False)):
        sys.path[0] = place_of(path)
    names = module.__dict__
    try:
        if code is None:
            with open(path, "rb") as file:
                source = file.read()
            code = compile(source, path, "exec", dont_inherit=True)
            how = decided(source) if how == "ask" else how
        exec(code, names)  # noqa: S102
        main = names.get("main")
        if how == "call" and callable(main):
            value = called(main)
            if value is not None:
                write(result_path, as_json(value))
    finally:
        error = sys.exc_info()[1]
        if ending is not None:
            ending.note(error)
        if error is not None:
            uncaught(error, result_path + ".error")
        del error


def prepare(path: str) -> "ModuleType":
    """Make the script's `__main__`, and have the interpreter look as if it had been started with it."""
    module = type(sys)("__main__")
    module.__dict__.update(
        __file__=path,
        __cached__=None,
        __builtins__=sys.modules["builtins"],
        __annotations__={},
        __loader__=type(globals()["__loader__"])("__main__", path),
    )
    sys.modules["__main__"] = module
    sys.argv[:] = [path]
    words = getattr(sys, "orig_argv", [path])
    words[words.index(LAUNCHER) if LAUNCHER in words else -1 :] = [path]
    getattr(sys.stdout, "reconfigure", dict)(line_buffering=True)
    return module


def place_of(path: str) -> str:
    """Return where a script's own modules are looked for."""
    return os.path.dirname(os.path.realpath(path))


def decided(source: bytes) -> str:
    """Ask python_main.py, as the daemon could not: only this interpreter can read the script."""
    path = os.path.join(HERE, "python_main.py")
    names = {"__name__": "python_main"}  # type: dict[str, object]
    with open(path, "rb") as file:
        exec(compile(file.read(), path, "exec"), names)  # noqa: S102
    return names["decide"](source)  # type: ignore[operator, no-any-return]


def called(main: "Callable[[], object]") -> object:
    """Call `main()`, and wait for it if it is a coroutine."""
    code = getattr(main, "__code__", None)
    if code is not None:
        defaults = getattr(main, "__defaults__", None) or ()
        required = code.co_varnames[: code.co_argcount - len(defaults)]
        by_name = code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount]
        required += tuple(
            name for name in by_name if name not in (getattr(main, "__kwdefaults__", None) or ())
        )
        if required:
            raise TypeError("main() is called without arguments, but it needs " + ", ".join(required))
        if code.co_flags & GENERATORS:
            raise TypeError("main() is a generator: nothing iterates it, so nothing of it would run")
    value = main()
    if not hasattr(value, "cr_code"):
        return value
    import asyncio  # noqa: PLC0415

    return asyncio.run(value)  # type: ignore[arg-type]


def uncaught(error: BaseException, path: str) -> None:
    """Note what ended the script, and let the interpreter print it without the launcher's own frames."""
    if isinstance(error, SystemExit):
        return
    kind = type(error)
    prefix = "" if kind.__module__ in {"builtins", "__main__"} else kind.__module__ + "."
    lines = text_of(error).strip().splitlines()
    write(path, prefix + kind.__qualname__ + (": " + lines[0] if lines else ""))
    shown = sys.excepthook

    def without_launcher(kind, error, trace):  # type: ignore[no-untyped-def]
        while trace is not None and trace.tb_frame.f_code.co_filename in OWN_FILES:
            trace = trace.tb_next
        shown(kind, error.with_traceback(trace), trace)

    sys.excepthook = without_launcher


def as_json(value: object) -> str:
    """Return the value as JSON; what JSON has no word for becomes `{"$string": str(value)}`."""
    try:
        return encoded(value, MAX_DEPTH)
    except RecursionError:
        return marked(value)


def encoded(value: object, depth: int) -> str:
    """Return JSON text. Raises RecursionError for what is nested too deep, or holds itself."""
    if depth == 0:
        raise RecursionError
    if value is None or isinstance(value, bool):
        return WORDS[value]
    if isinstance(value, str):
        return quoted(str.__str__(value))
    if isinstance(value, int) and -(2**1024) < value < 2**1024:
        return int.__repr__(value)
    if isinstance(value, float) and value - value == 0:
        return float.__repr__(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join([encoded(item, depth - 1) for item in value]) + "]"
    if isinstance(value, dict):
        items = [quoted(key_of(key)) + ": " + encoded(item, depth - 1) for key, item in value.items()]
        return "{" + ", ".join(items) + "}"
    return marked(value)


def key_of(key: object) -> str:
    """Return a key as json.dumps would write it, and any other as its string."""
    if isinstance(key, str):
        return str.__str__(key)
    return WORDS[key] if key is None or isinstance(key, bool) else text_of(key)


def marked(value: object) -> str:
    """Return the string of a value that JSON cannot hold, marked as one."""
    return '{"$string": ' + quoted(text_of(value)) + "}"


def text_of(value: object) -> str:
    """Return str(value) of whatever a script can throw or return, some of which cannot even be printed."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001, a script's __str__ may raise anything, and must not hide its first error
        return object.__repr__(value)


def quoted(text: str) -> str:
    """Return a JSON string."""
    try:
        from _json import encode_basestring, encode_basestring_ascii  # noqa: PLC0415
    except ImportError:
        from json.encoder import encode_basestring, encode_basestring_ascii  # noqa: PLC0415
    try:
        text.encode()
    except UnicodeEncodeError:
        return str(encode_basestring_ascii(text))
    return str(encode_basestring(text))


def write(path: str, text: str) -> None:
    """Write a small file; when a script gave up the right to, or the disk is full, there is none."""
    try:
        with open(path, "wb") as file:
            file.write(text.encode("utf-8", "replace"))
    except OSError:
        return
