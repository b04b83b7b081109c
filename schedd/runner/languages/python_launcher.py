"""The way in for Python scripts: `python python_launcher.py call|leave|ask SCRIPT`, or `… nursery [MODULE…]`.

As short as can be, since an interpreter compiles its main program anew at each start; what it imports comes
from `__pycache__`, and is gone from `sys.modules` before the script begins. A fork of a nursery comes back
here with a script to run, so that it runs, raises and ends at the top of a main program, as any script does.
See `python_script.py` and `python_nursery.py`.
"""

import sys

if __name__ == "__main__":
    before = frozenset(sys.modules)
    here = __file__.rpartition("/")[0]
    sys.path.insert(0, here)
    from python_script import run  # type: ignore[import-not-found]

    wanted = sys.argv[1:]
    nursery = wanted[0] == "nursery"
    if nursery:
        import python_nursery  # type: ignore[import-not-found]
    sys.path.remove(here)
    for place in (here, __file__):
        sys.path_importer_cache.pop(place, None)
    for name in frozenset(sys.modules) - before:
        del sys.modules[name]
    if nursery:
        wanted = python_nursery.serve(wanted[1:], before)  # type: ignore[possibly-undefined]
    run(*wanted)
