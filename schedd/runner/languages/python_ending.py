"""How a fork of a nursery ends: as Python ends, but without taking apart what it has not used.

At its end an interpreter takes everything apart, and in a fork the first write to a page copies it: for a
script of one line that costs more than all the rest, and nobody would see it. What can be seen is done here,
in Python's own order, at the moment when it would begin: threads were waited for and the exit functions were
called by then. Streams are flushed, the script's modules go (which calls what has to be called when an object
goes, and writes what is still in the buffers of its files), and the process ends.

Whatever is unusual is left to Python's own way, which this then only precedes: other threads, failing
streams, libraries with exit functions of their own, objects with a `__del__` that is written in Python (it
could see everything), or with any that outlives the script's modules.

Imported by `python_nursery.py`; plain Python 3.7.
"""

import _signal  # type: ignore[import-not-found]
import _thread
import _weakref
import atexit
import gc
import os
import sys

LAST = ("last_type", "last_value", "last_traceback", "last_exc")
HOOKS = ("excepthook", "displayhook", "unraisablehook", "breakpointhook")
STREAMS = ("stdin", "stdout", "stderr")

MRO = type.__dict__["__mro__"].__get__
"""An attribute that no metaclass gets in the way of."""

FOREIGN = ("ctypes", "_ctypes", "_xxsubinterpreters", "_interpreters", "readline", "_tkinter")
"""Modules of Python's own library that bring in what this cannot see to."""


class Ending:
    """The last of the exit functions, since it is registered first."""

    def __init__(self) -> None:
        self.status = None  # type: int | None
        self.interrupted = False
        self.usual = getattr(atexit, "_ncallbacks", lambda: 1)() == 0
        self.newest = ""
        """Of the modules that belong to all forks; those behind it in `sys.modules` are a script's own."""
        atexit.register(self.come)

    def begin(self) -> None:
        """Take what there is now for what belongs to all forks."""
        self.usual = self.usual and hasattr(dict, "__reversed__") and not any(map(foreign, sys.modules))
        self.newest = list(sys.modules)[-1]

    def note(self, error: "BaseException | None") -> None:
        """Take in how the script ended."""
        self.interrupted = isinstance(error, KeyboardInterrupt)
        if error is None:
            self.status = 0
        elif isinstance(error, SystemExit):
            self.status = status_of(error.code)
        elif sys.excepthook is sys.__excepthook__:
            self.status = 1

    def come(self) -> None:
        """End here and now, if that is all that Python would do."""
        if not self.usual or self.status is None or self.newest not in sys.modules or _thread._count():  # noqa: SLF001
            return
        new = self.new()
        if any(map(foreign, new)) or not flushed():
            return
        if gc.isenabled():
            gc.collect()
        if "def" in finalizers():
            return
        clear([*new, "__main__"])
        if finalizers() or not flushed():
            return
        if self.interrupted:
            _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
            os.kill(os.getpid(), _signal.SIGINT)
        os._exit(self.status)

    def rehearse(self) -> None:
        """In a fork that has nothing to do yet: touch what will be needed."""
        self.new()
        flushed()
        gc.collect()
        finalizers()

    def new(self) -> "list[str]":
        """Return the script's own modules. No other is looked at: to look at a name copies its page."""
        new = []
        for name in reversed(sys.modules):
            if name == self.newest:
                break
            new.append(name)
        return new[::-1]


def status_of(code: object) -> "int | None":
    """Return what the code of a SystemExit becomes; None for what only Python can tell."""
    if code is None:
        return 0
    if not isinstance(code, int):
        return 1
    return code & 0xFF if -(2**31) <= code < 2**31 else None


def foreign(name: str) -> bool:
    """Tell whether a module may have left something to the exit functions of C."""
    path = getattr(sys.modules.get(name), "__file__", None)
    library = isinstance(path, str) and path.endswith(".so") and "/lib-dynload/" not in path
    return library or name in FOREIGN


def flushed() -> bool:
    """Flush the standard streams, of the script and of Python; False when one fails."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name, None)
        try:
            if stream is not None and not stream.closed:
                stream.flush()
        except BaseException:  # noqa: BLE001, a stream of the script's own may raise anything; Python tells of it
            return False
    return True


def finalizers() -> "set[str]":
    """Return which kinds of `__del__` there are among the objects of this fork: `def` of Python's, `C`."""
    bases = [base for kind in {type(each) for each in gc.get_objects()} for base in MRO(kind)]
    found = {type(vars(base)["__del__"]) for base in bases if "__del__" in vars(base)}
    return {"def" if kind is type(finalizers) else "C" for kind in found}


def clear(names: "list[str]") -> None:
    """Let modules go as Python does at its end: first as a whole, then what is left of each, newest first."""
    for name in LAST:
        if hasattr(sys, name):
            setattr(sys, name, None)
    for name in (*STREAMS, *HOOKS):
        if hasattr(sys, "__" + name + "__"):
            setattr(sys, name, getattr(sys, "__" + name + "__"))
    left = []
    module = None
    for name in names:
        module = sys.modules.pop(name, None)
        if type(module) is type(sys):
            left.append(_weakref.ref(module))
    del module
    gc.collect()
    for reference in reversed(left):
        module = reference()
        if module is not None:
            clear_names(module.__dict__)


def clear_names(names: "dict[str, object]") -> None:
    """Set what a module holds to None: names with one underscore first, as CPython does."""
    for private in (True, False):
        for name in list(names):
            if name != "__builtins__" and (name[:1] == "_" != name[1:2]) is private:
                names[name] = None
