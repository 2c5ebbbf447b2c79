"""The smallest process that runs one command and tells what it took: `python -I -S launch.py`.

python -I -S launch.py DESCRIPTOR COMMAND [ARGUMENT …]

It imports next to nothing on purpose. What Linux tells as the most memory of a process begins with
what its parent took up, so a command that a large process starts looks as large as that one.
"""

import os
import sys
import time

SECTOR = 512
"""Bytes that `ru_inblock` and `ru_oublock` count in."""
KIB = 1024
"""Bytes that `ru_maxrss` counts in, on Linux."""


def main(answer: int, command: list[str]) -> None:
    os.set_inheritable(answer, False)
    started = time.perf_counter()
    child = os.posix_spawnp(command[0], command, os.environ)
    _, status, used = os.wait4(child, 0)
    wall = time.perf_counter() - started
    cpu = used.ru_utime + used.ru_stime
    counts = [used.ru_maxrss * KIB, used.ru_inblock * SECTOR, used.ru_oublock * SECTOR]
    told = [os.waitstatus_to_exitcode(status), wall, cpu, *counts]
    os.write(answer, " ".join(map(repr, told)).encode())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
