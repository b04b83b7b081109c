"""A kernel that refuses one system call on one descriptor, to the calling thread only (seccomp(2))."""

import ctypes
import os
import platform
import struct

NUMBERS = {
    "x86_64": {"read": 0, "timerfd_settime": 286},
    "aarch64": {"read": 63, "timerfd_settime": 86},
}

PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2
RET_ERRNO = 0x0005_0000
RET_ALLOW = 0x7FFF_0000
LOAD_WORD = 0x20
JUMP_IF_EQUAL = 0x15
RETURN = 0x06
CALL_OFFSET = 0
FIRST_ARGUMENT_OFFSET = 16


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def deny(call: str, *, fd: int, number: int) -> None:
    """Let `call` on `fd` fail with this errno, in this thread, for as long as it lives."""
    program = (
        (LOAD_WORD, 0, 0, CALL_OFFSET),
        (JUMP_IF_EQUAL, 0, 3, NUMBERS[platform.machine()][call]),
        (LOAD_WORD, 0, 0, FIRST_ARGUMENT_OFFSET),
        (JUMP_IF_EQUAL, 0, 1, fd),
        (RETURN, 0, 0, RET_ERRNO | number),
        (RETURN, 0, 0, RET_ALLOW),
    )
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    _prctl(PR_SET_NO_NEW_PRIVS, 1, 0)
    _prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(_Program(len(program), code)))


def _prctl(option: int, second: int, third: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, ctypes.c_ulong(second), third, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
