"""`python -m mmfuse.sweep.leash PARENT COMMAND ...`: a command that gets SIGTERM when the process that started it dies.

However that one dies: it cannot be kept from saying goodbye by SIGKILL. Only Linux has this (prctl, PR_SET_PDEATHSIG);
elsewhere the command goes on.
"""

import ctypes
import os
import signal
import sys
from typing import NoReturn

PR_SET_PDEATHSIG = 1


def main() -> NoReturn:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:  # it died before that
            sys.exit(128 + signal.SIGTERM)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
