"""`python -I -S meter.py FILE COMMAND …` runs a command and writes what it took into a file.

A process counts as its own peak what its parent had when it was started. So nothing large starts what is
measured, and this program imports next to nothing.
"""

import os
import sys
import time


def main() -> None:
    """The file gets exit status, wall seconds, CPU seconds and the peak in KB."""
    began = time.monotonic()
    pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
    _, status, usage = os.wait4(pid, 0)
    took, cpu = time.monotonic() - began, usage.ru_utime + usage.ru_stime
    with open(sys.argv[1], "w") as file:  # noqa: PTH123
        file.write(f"{os.waitstatus_to_exitcode(status)} {took} {cpu} {usage.ru_maxrss}")


main()
