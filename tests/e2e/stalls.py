#!/usr/bin/python3
"""When the machine stood still: a check of a program's time must not blame it for that.

A virtual machine is not given its cores at every moment, on a busy host for half a second at times. A thread on each
core that goes before all others (SCHED_FIFO) sleeps again and again for a moment; while it oversleeps, nothing has run
there.

As a program: answers each line of standard input, an instant of time.monotonic(), with all stalls until then, as JSON.
Needs root.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time

NAP_S = 0.005
# What waking up may take; less is not worth to be told.
LEAST_S = 0.010


class Stalls:
    def __init__(self):
        self._process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         text=True)
        self._lock = threading.Lock()

    def within(self, begin, end):
        """For how many seconds, between two instants of time.monotonic(), the core that stood still longest did."""
        with self._lock:
            self._process.stdin.write(f"{end}\n")
            self._process.stdin.flush()
            cores = json.loads(self._process.stdout.readline())
        return max(sum(max(0, min(end, last) - max(begin, first)) for first, last in core) for core in cores)

    def stop(self):
        self._process.stdin.close()
        self._process.wait()


class Core:
    def __init__(self, number):
        self.stalls, self.awake = [], time.monotonic()
        threading.Thread(target=self._watch, args=(number,), daemon=True).start()

    def _watch(self, number):
        os.sched_setaffinity(0, {number})
        with contextlib.suppress(PermissionError):  # a container may not: then busy moments count too
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        while True:
            before = time.monotonic()
            time.sleep(NAP_S)
            now = time.monotonic()
            if now - before > NAP_S + LEAST_S:
                self.stalls.append((before + NAP_S, now))
            self.awake = now


def main():
    cores = [Core(number) for number in os.sched_getaffinity(0)]
    for line in sys.stdin:
        while min(core.awake for core in cores) < float(line):
            time.sleep(NAP_S)
        print(json.dumps([core.stalls for core in cores]), flush=True)


if __name__ == "__main__":
    main()
