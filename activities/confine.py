"""Limits of a process that reads a stranger's file; as a program, starts another under them."""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1


def confine(parent: int, nice: int, memory_bytes: int, file_bytes: int) -> None:
    """Gives up what decoding needs not, and dies with the worker, whose process id is `parent`.

    `memory_bytes` bounds the address space, `file_bytes` each file that is written.
    """
    os.nice(nice)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)


if __name__ == "__main__":
    confine(*map(int, sys.argv[1:5]))
    os.execv(sys.argv[5], sys.argv[5:])  # noqa: S606 - the worker names the program
