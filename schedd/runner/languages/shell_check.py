"""Has shells read scripts without running anything of them: `python -I -S -B shell_check.py <list >answers`.

The list has the shell's path, a tab and the script's path on each line; each gets one line of JSON in
return, see `schedd.runner.checkers`. A process of its own, because a shell reads one script only: thousands
of starts are no affair of the daemon's.

`-n` reads more than a run would. A shell reads a script as it goes, so what stands behind a last `exit` or
`exec` may be anything (an archive, a program in another language) and is not looked at. And `shopt -s
extglob` changes the language, but is itself not executed: where a script has it, bash is told from outside.
"""

import json
import os
import re
import resource
import sys

MEMORY_BYTES = 1024 * 1024 * 1024
CPU_S = 60
"""Who started this ends it much earlier, unless it died."""
SAID_BYTES = 16 * 1024
TEXT_CHARS = 300
MOST_ENDS = 10
"""So many lines that may be the last one are tried."""

_END = re.compile(rb"""^[ \t]*['"]*(?:exit\b|exec['"]*[ \t]+['"$\w./-]*[A-Za-z$/])""", re.MULTILINE)
_PLACE = re.compile(r"^[^\n]*?(?:: line |: |:|\[| at line )(\d+)\]?: ?(.*)$", re.MULTILINE)
_WARNING = re.compile(r"line (\d+): warning: (.*)")


def main() -> None:
    """Answer for each line of the list."""
    os.nice(10)
    limits = ((resource.RLIMIT_AS, MEMORY_BYTES), (resource.RLIMIT_CPU, CPU_S), (resource.RLIMIT_CORE, 0))
    for which, wanted in limits:
        hard = resource.getrlimit(which)[1]
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(which, (most, hard))
    for line in sys.stdin.buffer:
        shell, _, path = line.rstrip(b"\n").partition(b"\t")
        answer = verdict(os.fsdecode(shell), os.fsdecode(path))
        os.write(1, json.dumps(answer).encode() + b"\n")


def verdict(shell: str, path: str) -> list[object]:
    """Have one script read; return [word, line, column, text]."""
    options = ["-f"] if os.path.basename(shell) == "zsh" else []
    code, said = read(shell, options, path)
    if code == 0:
        return odd(said)
    with open(path, "rb") as file:
        source = file.read()
    if b"extglob" in source and os.path.basename(shell) == "bash":
        options = ["-O", "extglob"]
        code, said = read(shell, options, path)
        if code == 0:
            return odd(said)
    if code < 0:
        return ["unknown", None, None, f"{shell} was ended by signal {-code}"]
    place = _PLACE.search(said.replace(path, "script"))
    line = int(place[1]) if place else None
    if ends_before(source, shell, options):
        return odd("")
    text = place[2] if place else (said.strip().splitlines() or [f"{shell} exits with {code}"])[0]
    return ["wrong", line, None, text[:TEXT_CHARS]]


def odd(said: str) -> list[object]:
    """Return the answer for a script that can be read: bash warns of an unfinished here-document."""
    warning = _WARNING.search(said)
    if warning is None:
        return ["fine", None, None, ""]
    return ["odd", int(warning[1]), None, warning[2][:TEXT_CHARS]]


def ends_before(source: bytes, shell: str, options: list[str]) -> bool:
    """Tell whether the script is right up to a line that ends it, so that no shell reads what is below."""
    for tried, end in enumerate(_END.finditer(source)):
        if tried == MOST_ENDS:
            return False
        stop = source.find(b"\n", end.end())
        if stop >= 0 and read(shell, options, source[: stop + 1])[0] == 0:
            return True
    return False


def read(shell: str, options: list[str], script: "str | bytes") -> "tuple[int, str]":
    """Run the shell with -n on a file, or on text; return its exit code and what it says."""
    told = os.memfd_create("said")
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_DUP2, told, 1),
        (os.POSIX_SPAWN_DUP2, told, 2),
    ]
    argv = [shell, *options, "-n"]
    text = None
    if isinstance(script, bytes):
        text = os.memfd_create("script")
        os.write(text, script)
        os.lseek(text, 0, os.SEEK_SET)
        actions.append((os.POSIX_SPAWN_DUP2, text, 0))
    else:
        actions.append((os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0))
        argv.append(script)
    try:
        pid = os.posix_spawn(shell, argv, os.environ, file_actions=actions)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return code, os.pread(told, SAID_BYTES, 0).decode(errors="replace")
    finally:
        os.close(told)
        if text is not None:
            os.close(text)


if __name__ == "__main__":
    main()
