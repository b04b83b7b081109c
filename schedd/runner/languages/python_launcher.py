"""The way in for Python scripts: `python python_launcher.py call|leave|ask SCRIPT`.

As short as can be, since an interpreter compiles its main program anew at each start; what it imports comes
from `__pycache__`. See `python_script.py`.
"""

import sys

if __name__ == "__main__":
    here = __file__.rpartition("/")[0]
    sys.path.insert(0, here)
    from python_script import run  # type: ignore[import-not-found]

    sys.path.remove(here)
    run(*sys.argv[1:3])
