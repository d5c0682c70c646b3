"""What the benchmarks share: servers in turn on one core, the load on the other, medians, the kept history."""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from dns_raw import free_port  # noqa: E402,F401

BIN = ROOT / "build" / "release" / "bin"
HISTORY = ROOT / "bench" / "history.jsonl"
SERVER_CORE, LOAD_CORE = "0", "1"
START_TIMEOUT_S = 30
MAX_BUSY_SHARE = 0.1


def say(text):
    print(text, file=sys.stderr, flush=True)


def pinned(core, *command):
    return ["taskset", "-c", core, *map(str, command)]


def on_load_core(*command):
    return pinned(LOAD_CORE, *command)


def descendants(pid):
    """`pid` and every process that it, or one of them, has started."""
    parents = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it may have ended
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for parent in found:
        found += [child for child, of in parents.items() if of == parent]
    return found


class Server:
    """A program under test, pinned to one core."""

    name = ""
    needs = ()  # Debian packages

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self._processes = []

    def command(self):
        """Writes the configuration, and returns the command that serves by it."""
        raise NotImplementedError

    def ready(self):
        """Whether it answers as it should."""
        raise NotImplementedError

    def start(self):
        self.process = self.spawn(SERVER_CORE, *self.command())
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not answer:\n" + (self.folder / "log").read_text()[-2000:])
            time.sleep(0.05)

    def spawn(self, core, *command, **how):
        with open(self.folder / "log", "ab") as log:
            process = subprocess.Popen(
                pinned(core, *command), cwd=self.folder, stdin=subprocess.DEVNULL,
                **{"stdout": log, "stderr": log, **how})
        self._processes.append(process)
        return process

    def stop(self):
        for process in reversed(self._processes):
            process.send_signal(signal.SIGTERM)
        for process in self._processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def cpu_seconds(self):
        """What all its threads have taken of the processor, kernel included."""
        tasks = [task for pid in descendants(self.process.pid)
                 for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat")]
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    def memory_bytes(self):
        """What its processes have in memory, shared pages shared out among them."""
        rollups = (pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in descendants(self.process.pid))
        return 1024 * sum(int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1]) for text in rollups)


@contextlib.contextmanager
def working_folder():
    with tempfile.TemporaryDirectory(prefix="perigee-bench-") as folder:
        # Some give up root: let them read what is theirs.
        os.chmod(folder, 0o755)
        yield folder


def install(kinds, *packages):
    """What only a benchmark needs, and so is not among the project's dependencies."""
    wanted = sorted({package for kind in kinds for package in kind.needs} | set(packages))
    if subprocess.run([ROOT / "scripts" / "install-dependencies", *wanted]).returncode != 0:
        sys.exit(f"bench: install these packages and try again: {' '.join(wanted)}")


def warn_when_busy():
    """Latencies of a machine that does something else are the kernel's time slices."""
    def ticks():
        user, nice, system, idle, *_ = map(int, pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:])
        return user + nice + system, idle

    (busy, idle), _, (busy_then, idle_then) = ticks(), time.sleep(0.5), ticks()
    share = (busy_then - busy) / max(1, busy_then - busy + idle_then - idle)
    if share > MAX_BUSY_SHARE:
        say(f"  ! this machine is {share:.0%} busy with other things: the latencies will be theirs")


def context():
    commit = subprocess.run(["git", "describe", "--always", "--dirty", "--abbrev=12"], cwd=ROOT,
                            capture_output=True, text=True).stdout.strip()
    cpu = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "commit": commit,
            "cpu": cpu[1] if cpu else os.uname().machine}


def parser(bench, about, scenarios, kinds, seconds, rounds=3):
    result = argparse.ArgumentParser(prog=f"scripts/dev bench {bench}", description=about,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--scenario", choices=scenarios, action="append", help="one or more; all by default")
    result.add_argument("--rounds", type=int, default=rounds, help=f"how often each server has its turn (default {rounds})")
    result.add_argument("--seconds", type=float, default=seconds, help=f"of load each time (default {seconds})")
    result.add_argument("--only", action="append", choices=[k.name for k in kinds], help="these servers alone")
    result.add_argument("--keep", action="store_true", help="append the figures to bench/history.jsonl")
    return result


@contextlib.contextmanager
def history(bench, wanted):
    """Yields what appends a line of figures to the history, or does nothing unless it is wanted."""
    about = {**context(), "bench": bench} if wanted else {}
    with open(HISTORY, "a") if wanted else contextlib.nullcontext() as file:
        def keep(line):
            if file:
                rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in line.items()}
                print(json.dumps({**about, **rounded}), file=file, flush=True)

        yield keep


def in_turn(scenario, kinds, rounds, one_run, keep):
    """Medians of the figures by (server, part). `one_run(kind)` returns a list of (part, figures)."""
    results = {}
    for round_number in range(rounds):
        turn = round_number % len(kinds)
        for kind in kinds[turn:] + kinds[:turn]:
            say(f"  … {scenario}, round {round_number + 1} of {rounds}: {kind.name}")
            for part, figures in one_run(kind):
                results.setdefault((kind.name, part), []).append(figures)
                keep({"scenario": scenario, "server": kind.name, "part": part, "round": round_number + 1, **figures})
    return {key: {name: statistics.median(f[name] for f in runs) for name in runs[0]}
            for key, runs in results.items()}


@contextlib.contextmanager
def turns(started, run, anew=False):
    """Yields one_run(kind) for in_turn: `run(server)`, by the same server in every round unless each needs it `anew`.

    `started(kind)` is the context in which a server is up.
    """
    with contextlib.ExitStack() as stack:
        up = {}

        def one_run(kind):
            if anew:
                with started(kind) as server:
                    return run(server)
            if kind not in up:
                up[kind] = stack.enter_context(started(kind))
            return run(up[kind])

        yield one_run


def need_two_cores():
    if (os.cpu_count() or 1) < 2:
        sys.exit("bench: needs two cores, one for the server and one for the load")
