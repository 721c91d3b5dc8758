"""Becomes another program that dies with the process that started it.

Run as a script, `launch.py SIGNAL PARENT USER PROGRAM [ARGUMENT...]`: changes to USER (empty: stays
who it is), asks Linux to send SIGNAL when PARENT ends, then executes PROGRAM under the same process
id. A script and not a `preexec_fn`, which may deadlock in a process that has threads. Only the
standard library, since it runs without site-packages.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def main(signal: int, parent: int, user: str, argv: list[str]) -> None:
    """Executes `argv`; raises OSError when that cannot be done."""
    if user:
        entry = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    if sys.platform == "linux":
        # After the change of user, which clears it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal)
    if os.getppid() != parent:
        sys.exit("the process that started this one has ended")
    os.execvp(argv[0], argv)  # noqa: S606 - there is no shell to want


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
