"""One emulated world at a time on a machine, with all that is named after its hosts: namespaces, cgroups, addresses.

Who wants one waits for the run that has it, and says for whom."""

import fcntl
import os
import pathlib
import sys
import time

# Never removed: who waits holds the same file open as who has it.
PATH = pathlib.Path("/run/perigee-world.lock")
# Longer than a whole run of tests/e2e.
WAIT_S = 1200
_POLL_S = 0.2


def _say(text):
    print(text, file=sys.stderr, flush=True)


class WorldLock:
    """Held from its making to release(), or to the end of this process. Its children do not inherit it, but for those that
    are started with it among their pass_fds: then it is held to the end of the last of them."""

    def __init__(self, say=_say, path=PATH, wait_s=WAIT_S):
        self._file = open(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+")
        deadline, told = time.monotonic() + wait_s, False
        while not self._take():
            holder = self._holder()
            if time.monotonic() > deadline:
                self._file.close()
                raise TimeoutError(f"another run, PID {holder}, has had the emulated world for {wait_s} s: end it, or wait for it")
            if not told:
                say(f"waiting for another run, PID {holder}, to end its emulated world")
                told = True
            time.sleep(_POLL_S)
        self.name(os.getpid(), pathlib.Path(sys.argv[0]).name)

    def _take(self):
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _holder(self):
        self._file.seek(0)
        pid, _, program = self._file.readline().strip().partition(" ")
        return f"{pid or 'unknown'} ({program or 'just starting'})"

    def name(self, pid, program):
        """Who has it, for those who wait."""
        self._file.seek(0)
        self._file.truncate()
        self._file.write(f"{pid} {program}\n")
        self._file.flush()

    def fileno(self):
        return self._file.fileno()

    def release(self):
        self._file.close()
