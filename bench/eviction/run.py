#!/usr/bin/env python3
"""scripts/dev bench eviction: how much of a trace the cache would have answered, by policy and budget.

The trace goes through the index and the eviction policies of httpserver itself; nothing is fetched or stored. FILE has
a line for each request: time, object, size in bytes (.xz and .gz are unpacked). Without one, a synthetic trace stands
in: objects asked for by Zipf's law, sizes spread log-normally, and a part of the objects replaced now and then.
"""

import argparse
import bisect
import gzip
import itertools
import json
import lzma
import math
import pathlib
import random
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from common import BIN, history  # noqa: E402

REPLAY = BIN / "eviction_replay"
MB, MIB = 1_000_000, 1 << 20
BUDGETS = [10 * MB, 10 * MIB, 32 * MB, 100 * MB]
OPENERS = {".xz": lzma.open, ".gz": gzip.open}

# What others make of one trace, in percent of objects and of bytes: AdaptSize's example (NSDI 2017) as Caffeine's
# simulator ships it, replayed by libCacheSim. Theirs and ours agree at 10 MiB, not at 10 MB.
PUBLISHED_NAME, PUBLISHED_REQUESTS, PUBLISHED_BUDGET = "AdaptSize's CDN trace", 66_987, 10 * MIB
PUBLISHED = {"FIFO": (28.5, 30.6), "LRU": (30.1, 31.9), "LFU": (32.2, 32.9), "LFU-DA": (32.9, 34.0),
             "SIEVE": (33.9, 34.6), "S3-FIFO": (34.6, 35.0), "W-TinyLFU": (34.6, 28.4), "GDSF": (38.7, 32.3)}
# Object hits on that trace, in percent.
BAR_BUDGET, BAR_DEFAULT, BAR_BEST = 10 * MB, 36.0, 38.7

REQUESTS, OBJECTS, ZIPF, MEDIAN_BYTES, SIGMA, LARGEST = 200_000, 40_000, 0.9, 4_000, 1.7, 4 * MIB
REPLACED_EVERY = 50_000


def synthetic(steady):
    """Unless steady, every second object is another one after REPLACED_EVERY requests. The same lines each time."""
    rng = random.Random(1)
    weights = list(itertools.accumulate(1 / rank**ZIPF for rank in range(1, OBJECTS + 1)))
    sizes = {}
    for number in range(REQUESTS):
        rank = bisect.bisect(weights, rng.random() * weights[-1])
        generation = number // REPLACED_EVERY if rank % 2 and not steady else 0
        name = rank + generation * OBJECTS
        if name not in sizes:
            sizes[name] = int(min(LARGEST, max(100, rng.lognormvariate(math.log(MEDIAN_BYTES), SIGMA))))
        yield f"{number} {name} {sizes[name]}\n"


def read_trace(name, steady):
    if not name:
        return "".join(synthetic(steady))
    try:
        with OPENERS.get(pathlib.Path(name).suffix, open)(name, "rt") as file:
            trace = file.read()
    except (OSError, EOFError, ValueError, lzma.LZMAError) as error:
        sys.exit(f"bench: {name}: {error}")
    for number, line in enumerate(trace.splitlines(), 1):
        if not re.fullmatch(r"\S+\s+\d+\s+\d+\s*", line):
            sys.exit(f"bench: {name}: line {number}: want time, object number and bytes, not {line[:60]!r}")
    return trace or sys.exit(f"bench: {name}: no requests")


def with_overhead(trace, extra):
    """Every object larger by `extra` bytes, as a cache that counts keys and headers too sees them."""
    if not extra:
        return trace
    fields = (line.split() for line in trace.splitlines())
    return "".join(f"{time} {name} {int(size) + extra}\n" for time, name, size in fields)


def limit(trace):
    """The object and byte hits, in percent, of a cache that keeps everything."""
    seen, requests, hits, total, hit_bytes = set(), 0, 0, 0, 0
    for line in trace.splitlines():
        _, name, size = line.split()
        requests, total = requests + 1, total + int(size)
        if name in seen:
            hits, hit_bytes = hits + 1, hit_bytes + int(size)
        seen.add(name)
    return requests, 100 * hits / requests, 100 * hit_bytes / max(1, total)


def replay(trace, arguments):
    command = [REPLAY, "--restart-every", str(arguments.restart_every)]
    for budget in arguments.budget or BUDGETS:
        command += ["--budget", str(budget)]
    for policy in arguments.policy or []:
        command += ["--policy", policy]
    done = subprocess.run(command, input=trace, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(done.returncode)
    for line in done.stdout.splitlines():
        figures = json.loads(line)
        yield {"policy": figures["policy"], "default": figures["default"], "budget": figures["budget"],
               "object_hits_pct": round(100 * figures["object_hits"], 2),
               "byte_hits_pct": round(100 * figures["byte_hits"], 2),
               "objects": figures["objects"], "cpu_ns": figures["ns"]}


def size_name(budget):
    unit, name = (MIB, "MiB") if budget % MIB == 0 else (MB, "MB")
    return f"{budget / unit:g} {name}"


def print_table(budget, results, published):
    print(f"\n{size_name(budget):28} {'object hits':>12} {'byte hits':>12} {'objects':>9} {'CPU ns/req':>11}")
    rows = [(f["policy"] + (" (default)" if f["default"] else ""), f["object_hits_pct"], f["byte_hits_pct"],
             f"{f['objects']:9} {f['cpu_ns']:11.0f}") for f in results]
    rows += [(f"  libCacheSim: {name}", *figures, "") for name, figures in published.items()]
    for name, object_hits, byte_hits, rest in sorted(rows, key=lambda row: -row[1]):
        print(f"{name:28} {object_hits:10.2f} % {byte_hits:10.2f} % {rest}".rstrip())


def print_bars(results):
    at_bar = [f for f in results if f["budget"] == BAR_BUDGET]
    bars = [("the default policy", BAR_DEFAULT, [f for f in at_bar if f["default"]]), ("the best", BAR_BEST, at_bar)]
    print()
    for name, bar, candidates in bars:
        if candidates:
            best = max(f["object_hits_pct"] for f in candidates)
            print(f"{name} at {size_name(BAR_BUDGET)}: {best:.2f} % of the objects (at least {bar} %): "
                  f"{'met' if best >= bar else 'MISSED'}")


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/dev bench eviction", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", nargs="?", metavar="FILE", help="the trace; a synthetic one by default")
    parser.add_argument("--steady", action="store_true", help="a synthetic trace whose popular objects stay the same")
    parser.add_argument("--budget", type=int, action="append", help="bytes; 10, 32 and 100 MB and 10 MiB by default")
    parser.add_argument("--policy", action="append", help="as --eviction of httpserver has it; all by default")
    parser.add_argument("--overhead", type=int, default=0, help="bytes that each object has beside those of the trace")
    parser.add_argument("--restart-every", type=int, default=0, metavar="N",
                        help="load the cache anew, with its hits, after so many requests")
    parser.add_argument("--keep", action="store_true", help="append the figures to bench/history.jsonl")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    trace = with_overhead(read_trace(arguments.trace, arguments.steady), arguments.overhead)
    requests, *most = limit(trace)
    name = pathlib.Path(arguments.trace).name if arguments.trace else "steady" if arguments.steady else "synthetic"
    print(f"{name}: {requests} requests; without limit {most[0]:.1f} % of objects, {most[1]:.1f} % of bytes are hits")
    results = list(replay(trace, arguments))
    plain = arguments.overhead == 0 and arguments.restart_every == 0
    is_published = plain and requests == PUBLISHED_REQUESTS and name.startswith("cdn_requests")
    for budget, group in itertools.groupby(results, key=lambda f: f["budget"]):
        print_table(budget, group, PUBLISHED if is_published and budget == PUBLISHED_BUDGET else {})
    if is_published:
        print(f"\nlibCacheSim's figures are for {PUBLISHED_NAME} at {size_name(PUBLISHED_BUDGET)}.")
        print_bars(results)
    about = {"trace": name, "overhead": arguments.overhead, "restart_every": arguments.restart_every}
    with history("eviction", arguments.keep) as keep:
        for figures in results:
            keep({**about, **figures})


if __name__ == "__main__":
    main()
