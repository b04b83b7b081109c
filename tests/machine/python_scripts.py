"""Python scripts, named by what they do, for tests that run each in more than one way."""

SCRIPTS: dict[str, str] = {
    # How it ends.
    "is_empty": "",
    "exits_7": "import sys\nsys.exit(7)\n",
    "exits_300": "import sys\nsys.exit(300)\n",
    "exits_minus_1": "import sys\nsys.exit(-1)\n",
    "exits_with_true": "import sys\nsys.exit(True)\n",
    "exits_with_words": "import sys\nsys.exit('no such host')\n",
    "exits_with_a_tuple": "raise SystemExit((1, 'two'))\n",
    "exits_with_none": "raise SystemExit\n",
    "exits_with_too_much": "raise SystemExit(10 ** 30)\n",
    "exits_hard": "import os\nprint('kept')\nos._exit(9)\n",
    "exits_in_main": "import sys\ndef main():\n    sys.exit(3)\n",
    "exits_by_exec": "import os\nos.execv('/bin/sh', ['sh', '-c', 'echo $0 $USER; exit 4'])\n",
    "aborts": "import os\nos.abort()\n",
    "kills_itself": "import os, signal\nprint('kept')\nos.kill(os.getpid(), signal.SIGKILL)\n",
    "terminates_itself": "import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n",
    "interrupts_itself": "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(5)\n",
    "raises_an_interrupt": "raise KeyboardInterrupt\n",
    "hangs_up_on_itself": "import os, signal\nos.kill(os.getpid(), signal.SIGHUP)\n",
    "handles_term": (
        "import os, signal, sys\nsignal.signal(signal.SIGTERM, lambda *a: sys.exit(5))\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
    ),
    "has_an_alarm": (
        "import signal, time\nsignal.alarm(1)\nsignal.setitimer(signal.ITIMER_REAL, 0.01)\ntime.sleep(5)\n"
    ),
    # What it raises.
    "raises": "def inner():\n    raise ValueError('bad')\n\ninner()\n",
    "raises_in_main": "def main():\n    raise ValueError('bad')\n",
    "raises_from": "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e\n",
    "raises_while_handling": "try:\n    1 / 0\nexcept ZeroDivisionError:\n    {}['k']\n",
    "raises_a_group": "raise ExceptionGroup('two', [ValueError(1), TypeError(2)])\n",
    "raises_its_own": "class Oops(Exception):\n    pass\n\nraise Oops('mine')\n",
    "raises_what_cannot_be_printed": (
        "class Oops(Exception):\n    def __str__(self):\n        raise ValueError\n\nraise Oops\n"
    ),
    "raises_with_notes": "e = ValueError('x')\ne.add_note('see there')\nraise e\n",
    "has_a_syntax_error": "x = = 1\n",
    "has_bad_indentation": "if True:\nx = 1\n",
    "has_a_null_byte": "x = 1\0\n",
    "warns_when_compiled": "x = 1\nif x is 1:\n    print('it is')\n",
    "has_a_bad_escape": "print('\\d')\n",
    "lacks_a_module": "import no_such_module\n",
    "recurses": (
        "def f(n):\n    return f(n + 1)\n\ntry:\n    f(0)\nexcept RecursionError as e:\n    print(e)\n"
    ),
    "recurses_to_the_end": "def f():\n    f()\n\nf()\n",
    "has_a_hook": "import sys\nsys.excepthook = lambda t, v, tb: print('hook', v, tb.tb_lineno)\n\n1 / 0\n",
    "has_a_hook_that_exits": "import sys\nsys.excepthook = lambda *a: sys.exit(9)\n1 / 0\n",
    "has_a_hook_that_fails": "import sys\nsys.excepthook = lambda *a: 1 / 0\n{}['k']\n",
    "shows_its_stack": "import traceback\ndef f():\n    print(*traceback.format_stack()[-2:])\n\nf()\n",
    "shows_a_caught_error": (
        "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    print(traceback.format_exc())\n"
    ),
    "logs_an_exception": (
        "import logging\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    logging.exception('oh')\n"
    ),
    # What it sees.
    "looks_at_itself": (
        "import sys\n"
        "print(__name__, __file__, __spec__, __package__, __cached__, __doc__, __annotations__)\n"
        "print(type(__loader__).__name__, __loader__.name, __loader__.path, "
        "type(__builtins__).__name__)\n"
        "print(sys.argv, sys.path, sorted(globals()), sys.modules['__main__'].__dict__ is globals())\n"
    ),
    "looks_at_its_interpreter": (
        "import sys\n"
        "print(sys.flags, sys.executable, sys.prefix, sys.base_prefix, sys.warnoptions, sys._xoptions)\n"
        "print(sys.getrecursionlimit(), sys.getswitchinterval(), sys.gettrace(), "
        "sys.getprofile(), sys.dont_write_bytecode)\n"
        "print(sys.orig_argv[0], sys.orig_argv[-1], sys.getdefaultencoding(), "
        "sys.getfilesystemencoding())\n"
        "print(sys.path_hooks, [type(f) for f in sys.meta_path], sys.excepthook, "
        "sys.displayhook, sys.breakpointhook)\n"
    ),
    "looks_at_its_modules": "import sys\nprint(sorted(set(sys.modules) - {'atexit'}))\n",
    "looks_at_its_importers": "import sys\nprint(sorted(sys.path_importer_cache))\n",
    "looks_at_its_streams": (
        "import sys\nfor s in (sys.stdin, sys.stdout, sys.stderr):\n"
        "    print(s, s.encoding, s.errors, s.line_buffering, s.write_through, s.newlines, "
        "s.isatty(), s.fileno(),\n"
        "          s.buffer.raw.name, s.buffer.raw.mode, s.seekable(), s.readable(), "
        "s.writable(), type(s.buffer))\n"
        "print(sys.stdin is sys.__stdin__, sys.stdout is sys.__stdout__, repr(sys.stdin.read()))\n"
    ),
    "looks_at_its_files": (
        "import os\nfor fd in sorted(os.listdir('/proc/self/fd'))[:-1]:\n"
        "    p = os.readlink('/proc/self/fd/' + fd)\n"
        "    print(fd, p.partition(':')[0], os.get_inheritable(int(fd)))\n"
    ),
    "looks_at_its_signals": (
        "import signal\nfor s in sorted(signal.valid_signals()):\n    h = signal.getsignal(s)\n"
        "    print(s, getattr(h, '__name__', h))\n"
        "print(signal.pthread_sigmask(signal.SIG_BLOCK, ()), signal.set_wakeup_fd(-1))\n"
        "print([l for l in open('/proc/self/status') if l.startswith(('Sig', 'Shd')) and 'SigQ' "
        "not in l])\n"
    ),
    "looks_at_its_process": (
        "import os, resource\n"
        "print(os.getpid() == os.getsid(0) == os.getpgid(0) != os.getppid(), os.getcwd())\n"
        "print(oct(os.umask(0)), os.nice(0), os.getuid(), os.getgid(), os.getgroups())\n"
        "print([resource.getrlimit(n) for n in range(16)], os.sched_getaffinity(0) == "
        "set(range(os.cpu_count())))\n"
        "print([l for l in open('/proc/self/status') if l.startswith(('Threads', 'Cap', "
        "'NoNewPrivs', 'Seccomp:'))])\n"
    ),
    "looks_at_its_environment": (
        "import os\n"
        "kept = {n: v for n, v in os.environ.items() if n not in ('SCHEDD_RUN_ID', 'SCHEDD_RESULT')}\n"
        "print(kept, len(os.environ), list(os.environ) == [os.fsdecode(n) for n in os.environb])\n"
        "os.environ['NEW'] = '1'\ndel os.environ['SHELL']\nos.system('env | grep -v ^SCHEDD_R | sort')\n"
    ),
    "looks_at_its_zone": (
        "import time, datetime\nprint(time.tzname, time.timezone, time.daylight, time.localtime(0).tm_hour)\n"
    ),
    "looks_at_its_locale": (
        "import locale, codecs\n"
        "print(locale.setlocale(locale.LC_ALL), locale.getpreferredencoding(), locale.localeconv())\n"
        "print(codecs.lookup('utf-8').name)\n"
    ),
    "looks_at_its_collector": (
        "import gc\nprint(gc.isenabled(), gc.get_threshold(), gc.get_debug(), gc.callbacks, gc.garbage)\n"
    ),
    "looks_at_its_warnings": "import warnings\nprint(warnings.filters)\nwarnings.warn('careful')\n",
    "deprecates": "import warnings\nwarnings.warn('old', DeprecationWarning)\n",
    "looks_at_its_fault_handler": "import faulthandler\nprint(faulthandler.is_enabled())\n",
    "annotates": "x: int = 1\nprint(__annotations__)\n",
    "has_a_docstring": "'''What it is for.'''\nprint(__doc__)\n",
    "has_futures": "from __future__ import annotations\nx: undefined = 1\nprint(__annotations__)\n",
    "has_no_futures": "def f(x: int): pass\nprint(f.__annotations__)\n",
    # What it uses.
    "uses_a_neighbour": "import neighbour\nprint(neighbour.NAME, neighbour.__file__)\n",
    "has_a_neighbour_like_a_library": "import csv\nprint(csv.__file__)\n",
    "has_a_package": "import package.part\nfrom package import part\nprint(part.HERE)\n",
    "reads_beside_itself": (
        "import os\n"
        "print(open(os.path.join(os.path.dirname(__file__), 'data.txt')).read(), "
        "open('data.txt').read())\n"
    ),
    "imports_from_a_zip": (
        "import sys, zipfile\nwith zipfile.ZipFile('z.zip', 'w') as z:\n"
        "    z.writestr('zipped.py', 'X = 1')\nsys.path.insert(0, 'z.zip')\nimport zipped\n"
        "print(zipped.X, zipped.__file__)\n"
    ),
    "reloads": "import importlib, neighbour\nneighbour.NAME = 'x'\nprint(importlib.reload(neighbour).NAME)\n",
    "pickles": (
        "import pickle\nclass P:\n    x = 1\n\np = pickle.loads(pickle.dumps(P()))\n"
        "print(p.x, type(p) is P, P.__module__)\n"
    ),
    "makes_a_dataclass": (
        "from dataclasses import dataclass\n@dataclass\nclass D:\n    x: 'int' = 1\n\nprint(D())\n"
    ),
    "makes_an_enum": "import enum\nE = enum.Enum('E', 'A B')\nprint(list(E), E.__module__)\n",
    "reads_its_source": (
        "import inspect\ndef f():\n    return 1\n\nprint(inspect.getsource(f), inspect.getfile(f))\n"
    ),
    "hints": "import typing\nclass C:\n    x: 'C'\n\nprint(typing.get_type_hints(C))\n",
    "tests_its_docs": "'''\n>>> 1 + 1\n2\n'''\nimport doctest\nprint(doctest.testmod())\n",
    "tests_itself": (
        "import unittest\nclass T(unittest.TestCase):\n    def test_it(self): self.assertEqual(1, 1)\n\n"
        "import io\nrunner = unittest.TextTestRunner(io.StringIO())\n"
        "print(unittest.main(exit=False, testRunner=runner).result.testsRun)\n"
    ),
    "runs_asyncio": (
        "import asyncio\nasync def f():\n    await asyncio.sleep(0)\n    return 1\n\n"
        "print(asyncio.run(f()))\n"
    ),
    "runs_asyncio_processes": (
        "import asyncio\nasync def f():\n"
        "    p = await asyncio.create_subprocess_exec('sh', '-c', 'exit 3')\n    return await p.wait()\n"
        "\nprint(asyncio.run(f()))\n"
    ),
    "runs_a_program": (
        "import subprocess, sys\nprint(subprocess.run(['sh', '-c', 'echo out; exit 3']).returncode)\n"
    ),
    "runs_a_python": (
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', 'import sys; print(sys.argv, sys.path[0] == \"\")'])\n"
    ),
    "breaks_a_pipe": (
        "import os\nr, w = os.pipe()\nos.close(r)\ntry:\n    os.write(w, b'x')\n"
        "except BrokenPipeError as e:\n    print(e)\n"
    ),
    "forks": (
        "import os, sys\nprint('before')\npid = os.fork()\nif pid == 0:\n    print('child')\n"
        "    sys.exit(3)\nprint(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    ),
    "forks_and_buffers": (
        "import os\nf = open('both.txt', 'w')\nf.write('x')\nif os.fork() == 0:\n"
        "    raise SystemExit(0)\nos.wait()\n"
    ),
    "has_processes_by_fork": (
        "import multiprocessing as m\ndef f(q):\n    q.put(m.current_process().name)\n\n"
        "if __name__ == '__main__':\n    c = m.get_context('fork')\n    q = c.Queue()\n"
        "    p = c.Process(target=f, args=(q,))\n    p.start()\n"
        "    print(q.get(), p.join(), p.exitcode)\n"
    ),
    # Threads, exit functions, and all that happens at the end.
    "has_a_thread": (
        "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.01), print('late'))).start()\n"
    ),
    "has_a_thread_and_exits": (
        "import threading, time, sys\n"
        "threading.Thread(target=lambda: (time.sleep(0.01), print('late'))).start()\nsys.exit(2)\n"
    ),
    "has_a_daemon_thread": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
        "print('x')\n"
    ),
    "has_a_failing_thread": (
        "import threading\nt = threading.Thread(target=lambda: 1 / 0, name='t')\nt.start()\nt.join()\n"
    ),
    "has_an_executor": (
        "import concurrent.futures as c\npool = c.ThreadPoolExecutor(2)\n"
        "print(pool.submit(pow, 2, 3).result())\npool.submit(print, 'later')\n"
    ),
    "has_a_local": (
        "import threading\nl = threading.local()\nl.x = 1\n"
        "print(threading.main_thread() is threading.current_thread())\n"
    ),
    "registers_exits": "import atexit\nfor n in (1, 2):\n    atexit.register(print, n)\nprint('hi')\n",
    "fails_at_exit": "import atexit\natexit.register(lambda: 1 / 0)\natexit.register(print, 'still')\n",
    "exits_at_exit": "import atexit, sys\natexit.register(sys.exit, 4)\natexit.register(print, 'still')\n",
    "raises_and_says_bye": (
        "import atexit\natexit.register(print, 'bye', flush=True)\nraise ValueError('x')\n"
    ),
    "finalizes": "import weakref\nclass C: pass\nc = C()\nweakref.finalize(c, print, 'finalized')\n",
    "deletes_at_the_end": "class D:\n    def __del__(self):\n        print('gone')\n\nd = D()\n",
    "deletes_in_order": (
        "class D:\n    def __init__(self, n): self.n = n\n    def __del__(self): print(self.n, 'gone')\n"
        "\nb = D('b')\na = D('a')\n_p = D('_p')\n__q = D('__q')\ndef f(): return a\n"
    ),
    "deletes_a_ring": (
        "class D:\n    def __del__(self): print('gone')\n\nd = D()\nd.d = d\ndel d\nclass E(D):\n"
        "    pass\n\ne = E()\ne.e = e\n"
    ),
    "deletes_in_another_module": (
        "import neighbour\nclass D:\n    def __del__(self): print('gone')\n\nneighbour.d = D()\n"
    ),
    "deletes_in_a_library": "import os\nclass D:\n    def __del__(self): print('gone')\n\nos.d = D()\n",
    "deletes_in_a_handler": (
        "import signal\nclass D:\n    def __call__(self, *a): pass\n"
        "    def __del__(self): print('gone')\n\nsignal.signal(signal.SIGUSR1, D())\n"
    ),
    "deletes_with_an_import": (
        "class D:\n    def __del__(self):\n        import json\n        print(json.dumps(1))\n\nd = D()\n"
        "d.d = d\ndel d\n"
    ),
    "deletes_what_raised": (
        "class D:\n    def __del__(self): print('gone')\n\ndef f():\n    d = D()\n    1 / 0\n\nf()\n"
    ),
    "deletes_and_fails": "class D:\n    def __del__(self):\n        raise ValueError('in del')\n\nd = D()\n",
    "leaves_a_generator": (
        "def g():\n    try:\n        yield\n    finally:\n        print('closed')\n\nx = g()\nnext(x)\n"
    ),
    "leaves_a_file_open": "f = open('left.txt', 'w')\nf.write('written')\n",
    "leaves_a_file_in_a_function": "def f(file=open('left.txt', 'w')):\n    file.write('written')\n\nf()\n",
    "leaves_a_file_in_a_library": "import os\nos.left = open('left.txt', 'w')\nos.left.write('written')\n",
    "leaves_a_gzip_open": (
        "import gzip\n"
        "f = gzip.open('left.txt', 'w', mtime=0) if False else gzip.GzipFile('left.txt', 'w', mtime=0)\n"
        "f.write(b'x')\n"
    ),
    "leaves_a_temporary_directory": (
        "import tempfile, os\nt = tempfile.TemporaryDirectory(dir='.', prefix='left')\n"
        "print(len(os.listdir('.')) > 1)\n"
    ),
    "leaves_a_database_open": (
        "import sqlite3\nc = sqlite3.connect('left.db')\nc.execute('pragma journal_mode=wal')\n"
        "c.execute('create table t (x)')\nc.commit()\n"
    ),
    "leaves_a_log_open": (
        "import logging\nlogging.basicConfig(filename='left.txt', format='%(message)s')\nlogging.error('x')\n"
    ),
    "replaces_stdout": (
        "import sys, io\nsys.stdout = io.TextIOWrapper(open('left.txt', 'wb'))\nprint('written')\n"
    ),
    "wraps_stdout": (
        "import sys, io\nsys.stdout = io.TextIOWrapper(sys.stdout.buffer, 'latin-1')\nprint('x')\n"
    ),
    "detaches_stdout": "import sys\nprint('x')\nb = sys.stdout.detach()\nb.write(b'y')\n",
    "closes_stdout": "import sys\nprint('x')\nsys.stdout.close()\n",
    "has_no_stdout": "import sys\nsys.stdout = None\nprint('x')\n",
    "loses_stdout": "import os, sys\nsys.stdout.write('no newline')\nos.close(1)\n",
    "fills_the_disk": "import os\nos.dup2(os.open('/dev/full', os.O_WRONLY), 1)\nprint('x', end='')\n",
    "prints_what_cannot_be": "print('\\ud800')\n",
    "prints_without_newline": "print('x', end='')\n",
    "prints_to_both": (
        "import sys\nfor n in range(3):\n    print('out', n)\n    print('err', n, file=sys.stderr)\n"
    ),
    "floods": "for n in range(20000):\n    print(n, 'x' * 20)\n",
    "prints_by_c": "import ctypes\nctypes.CDLL(None).printf(b'by c\\n')\n",
    "forgets_its_exits": (
        "import atexit\natexit._clear()\nclass D:\n    def __del__(self): print('gone')\n\nd = D()\n"
    ),
    "loses_its_modules": (
        "import sys\nclass D:\n    def __del__(self): print('gone')\n\nd = D()\nsys.modules.clear()\n"
    ),
    "deletes_itself": (
        "import sys\nclass D:\n    def __del__(self): print('gone')\n\nd = D()\ndel sys.modules['__main__']\n"
    ),
    "turns_the_collector_off": (
        "import gc\ngc.disable()\nclass D:\n    def __del__(self): print('gone')\n\nd = D()\nd.d = d\ndel d\n"
    ),
    # What it returns.
    "returns": "def main():\n    return {'rows': 3}\n",
    "returns_later": "import asyncio\nasync def main():\n    await asyncio.sleep(0)\n    return [1]\n",
    "returns_what_is_no_json": "import datetime\ndef main():\n    return datetime.date(2026, 1, 2)\n",
    "returns_and_raises_at_exit": (
        "import atexit\natexit.register(lambda: 1 / 0)\ndef main():\n    return 1\n"
    ),
    "runs_its_main": "def main():\n    print('once')\n\nif __name__ == '__main__':\n    main()\n",
    "has_a_main_with_arguments": "def main(rows):\n    pass\n",
    "has_an_encoding": "# -*- coding: latin-1 -*-\nprint(ascii('\xe9'))\n",
    "has_a_mark": "\ufeffprint('marked')\n",
    "ends_lines_like_windows": "print('a')\r\nprint('''x\r\ny''')\r\n",
}

NEIGHBOURS = {
    "neighbour.py": "NAME = 'next door'\n",
    "data.txt": "data",
    "package/__init__.py": "",
    "package/part.py": "HERE = __name__\n",
}
"""What each of them finds beside it."""
