"""The processes of a campaign's runs: found by their environment, signalled through a pidfd."""

import os
import signal
from pathlib import Path


def of(state: Path) -> list[int]:
    """Return the processes of runs whose daemon has this state directory."""
    mark = f"SCHEDD_STATE_DIR={state}/".encode()
    return [int(name) for name in os.listdir("/proc") if name.isdecimal() and _has(int(name), mark)]


def runs_now(run_id: str) -> bool:
    """Whether anything of this run is alive."""
    mark = f"SCHEDD_RUN_ID={run_id}".encode()
    return any(_has(int(name), mark) for name in os.listdir("/proc") if name.isdecimal())


def end_all(state: Path) -> None:
    """Kill what a campaign that went wrong has left behind."""
    mark = f"SCHEDD_STATE_DIR={state}/".encode()
    for pid in of(state):
        _signal(pid, mark, signal.SIGKILL)


def signal_run(pid: int, run_id: str, number: int) -> bool:
    """Signal a process if it belongs to this run; say whether it did."""
    return _signal(pid, f"SCHEDD_RUN_ID={run_id}".encode(), number)


def _signal(pid: int, mark: bytes, number: int) -> bool:
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not _has(pid, mark):
            return False
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    finally:
        os.close(pidfd)
    return True


def _has(pid: int, mark: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return any(entry.startswith(mark) for entry in file.read().split(b"\0"))
    except OSError:
        return False
