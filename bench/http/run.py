#!/usr/bin/env python3
"""scripts/dev bench http: httpserver beside nginx, HAProxy, Varnish and Apache Traffic Server.

Each server in turn runs on one core with one worker; origin and load have the other core. CPU is what the server's
threads took, kernel included, for each request answered to wrk, which asks as fast as it can. The latencies are of
requests at a steady rate, from the moment each was due.

1k, 16k, 1m   hits in memory
1k-disk …     the same of many URLs in turn; httpserver reads them from SQLite, nginx from its files
304           conditional requests for what is stored, 1 KB
miss          a new URL each time, one after the other; the latencies are what the server adds to the origin's
collapse      1,000 clients at once on one URL that the origin takes 300 ms for
idle          5,000 connections that have had an answer and stay open: memory for each
"""

import contextlib
import json
import re
import resource
import socket
import subprocess
import sys
import time

import servers
from common import (BIN, ROOT, history, in_turn, install, need_two_cores, on_load_core, parser, say, turns,
                    warn_when_busy, working_folder)

KB, MB = 1 << 10, 1 << 20
# Scenario: bytes, connections of wrk, requests a second for the latencies.
HITS = {"1k": (KB, 64, 10_000), "16k": (16 * KB, 64, 5_000), "1m": (MB, 16, 200)}
DISK_URLS = {"1k-disk": 100, "16k-disk": 100, "1m-disk": 20}
COLLAPSING_CLIENTS, ORIGIN_DELAY_MS = 1_000, 300
IDLE_CONNECTIONS = 5_000
PACE_SHARE = 1  # of the seconds of load, for the latencies
SETTLE_TIMEOUT_S = 10
LOAD_TIMEOUT_S = 120  # for any one load: a server that leaves it hanging fails the run

# Scenario, figure, peers and the most that httpserver's may be of the least of theirs.
BARS = [
    ("1k", "cpu_us", ["haproxy"], 0.85), ("1k", "cpu_us", ["nginx"], 0.65),
    ("16k", "cpu_us", ["nginx", "haproxy", "varnish", "ats"], 0.9), ("1m", "cpu_us", ["nginx"], 1.0),
    ("16k-disk", "cpu_us", ["nginx"], 1.1), ("miss", "p50_us", ["nginx"], 1.0),
    *[(scenario, "p99_us", ["nginx", "haproxy", "varnish", "ats"], 1.0) for scenario in [*HITS, *DISK_URLS]],
]


def output_of(*command):
    return subprocess.run(on_load_core(*command), stdout=subprocess.PIPE, text=True, check=True,
                          timeout=LOAD_TIMEOUT_S).stdout


def wrk(port, connections, seconds, *arguments):
    command = ["wrk", "-t", 1, "-c", connections, "-d", f"{max(1, round(seconds))}s", "-s", ROOT / "bench/http/report.lua", f"http://127.0.0.1:{port}/", "--", *arguments]
    out = output_of(*command)
    return json.loads(out[out.index("{"):])


def h2load(port, path, connections, *arguments, status="2xx"):
    out = output_of("h2load", "--h1", "-c", connections, *arguments, f"http://127.0.0.1:{port}{path}")
    asked, answered = re.search(r"requests: (\d+) total", out)[1], re.search(rf"(\d+) {status}", out)[1]
    seconds, unit = re.search(r"finished in ([\d.]+)(us|ms|s)", out).groups()
    return {"answered": int(answered), "failed": int(asked) - int(answered),
            "seconds": float(seconds) * {"us": 1e-6, "ms": 1e-3, "s": 1}[unit]}


def pace(port, path, connections, rate, seconds, *more):
    seen = json.loads(output_of(BIN / "http_pace", "--port", port, "--path", path, "--connections", connections, "--rate",
                                rate, "--seconds", seconds, *more))
    if seen["unanswered"] > 0:
        say(f"  ! {seen['unanswered']} requests of the steady rate were not answered")
    return seen


def measured(server, load):
    """What `load` cost the server. An answer that is an error is none."""
    before = server.cpu_seconds()
    seen = load()
    cpu = server.cpu_seconds() - before
    if seen["failed"] > 0:
        say(f"  ! {server.name}: {seen['failed']} requests failed")
    return {"cpu_us": cpu * 1e6 / max(1, seen["answered"]), "rps": seen["answered"] / seen["seconds"],
            "failed": seen["failed"]}, seen


def latencies(seen):
    return {name: seen[name] for name in ("p50_us", "p99_us", "p999_us")}


def store(server, paths):
    """Asks until nothing more goes to the origin."""
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    count = None
    while count != (count := server.origin_count()) and time.monotonic() < deadline:
        for path in paths:
            servers.get(server.port, path)


def run_hits(server, seconds, scenario):
    size, connections, rate = HITS[scenario]
    path = f"/{size}/0/hit"
    store(server, [path])
    before = server.origin_count()
    figures, _ = measured(server, lambda: wrk(server.port, connections, seconds, path))
    seen = pace(server.port, path, connections, rate, seconds * PACE_SHARE)
    if server.origin_count() != before:
        say(f"  ! {server.name}: {server.origin_count() - before} requests went to the origin")
    return [("", {**figures, **latencies(seen)})]


def wait_for_disk(server, path):
    """Until a hit comes from SQLite: what is not yet written is served from memory."""
    deadline = time.monotonic() + SETTLE_TIMEOUT_S
    while "detail=disk" not in servers.get(server.port, path)[1]["Cache-Status"]:
        if time.monotonic() > deadline:
            raise RuntimeError("httpserver did not write to its disk tier")
        time.sleep(0.05)


def run_disk(server, seconds, scenario):
    size, connections, rate = HITS[scenario.removesuffix("-disk")]
    prefix = f"/{size}/0/disk"
    paths = [f"{prefix}{i}" for i in range(DISK_URLS[scenario])]
    store(server, paths)
    if isinstance(server, servers.HttpServer):
        wait_for_disk(server, paths[-1])
    figures, _ = measured(server, lambda: wrk(server.port, connections, seconds, prefix, DISK_URLS[scenario]))
    seen = pace(server.port, paths[0], connections, rate, seconds * PACE_SHARE)
    return [("", {**figures, **latencies(seen)})]


def run_304(server, seconds, _):
    path = f"/{KB}/0/same"
    store(server, [path])
    tag = servers.get(server.port, path)[1]["ETag"]
    if servers.get(server.port, path, {"If-None-Match": tag})[0] != 304:
        say(f"  ! {server.name} answers no 304")
    _, connections, rate = HITS["1k"]
    # HAProxy's 304s have the Content-Length of the 200, and wrk waits for that.
    figures, _ = measured(server, lambda: h2load(server.port, path, connections, "-D", round(max(1, seconds)), "-H",
                                                 f"If-None-Match: {tag}", status="3xx"))
    seen = pace(server.port, path, connections, rate, seconds * PACE_SHARE, "--if-none-match", tag)
    return [("", {**figures, **latencies(seen)})]


def run_miss(server, seconds, _):
    path = f"/{KB}/0/turn{time.monotonic_ns()}-"  # nobody has been asked for it
    straight = wrk(server.origin_port, 1, seconds / 2, path, "new")
    figures, seen = measured(server, lambda: wrk(server.port, 1, seconds, path, "new"))
    return [("", {**figures, **{name: value - straight[name] for name, value in latencies(seen).items()}})]


def run_collapse(server, _, __):
    before = server.origin_count()
    path = f"/{16 * KB}/{ORIGIN_DELAY_MS}/cold"

    figures, seen = measured(
        server, lambda: h2load(server.port, path, COLLAPSING_CLIENTS, "-n", COLLAPSING_CLIENTS))
    return [("", {**figures, "origin_requests": server.origin_count() - before, "seconds": seen["seconds"]})]


def request_text(port, path):
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()


def open_connections(port, count, path):
    request = request_text(port, path)
    clients = []
    for _ in range(count):
        client = socket.create_connection(("127.0.0.1", port), timeout=10)
        client.sendall(request)
        received = b""
        while len(received) < KB:
            received += client.recv(65536) or b"closed" * KB
        clients.append(client)
    return clients


def run_idle(server, _, __):
    path = f"/{KB}/0/idle"
    store(server, [path])
    few = open_connections(server.port, 50, path)
    before = server.memory_bytes()
    clients = open_connections(server.port, IDLE_CONNECTIONS, path)
    time.sleep(1)
    after = server.memory_bytes()
    still = sum(answers(client, path) for client in clients[::100])
    for client in few + clients:
        client.close()
    return [("", {"bytes_each": (after - before) / IDLE_CONNECTIONS, "memory_mb": after / 1e6,
                  "failed": len(clients[::100]) - still})]


def answers(client, path):
    try:
        client.sendall(request_text(client.getpeername()[1], path))
        return client.recv(65536).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


RUNS = {**{name: run_hits for name in HITS}, **{name: run_disk for name in DISK_URLS}, "304": run_304,
        "miss": run_miss, "collapse": run_collapse, "idle": run_idle}
# A cold URL is cold once, and memory that was given back is there for the next ones.
ANEW, MAX_ROUNDS_ANEW = ("collapse", "idle"), 3


@contextlib.contextmanager
def started(kind, scenario):
    if scenario in DISK_URLS and kind is servers.HttpServer:
        kind = servers.HttpServerOnDisk
    with working_folder() as folder:
        server = kind(folder)
        try:
            server.start()
            yield server
        finally:
            server.stop()


# Figure: heading, width, format.
COLUMNS = {
    "cpu_us": ("CPU µs/req", 11, ".2f"), "rps": ("req/s", 9, ".0f"), "p50_us": ("p50 µs", 9, ".0f"),
    "p99_us": ("p99 µs", 9, ".0f"), "p999_us": ("p99.9 µs", 9, ".0f"), "origin_requests": ("to origin", 10, ".0f"),
    "seconds": ("seconds", 9, ".3f"), "bytes_each": ("bytes each", 11, ".0f"), "memory_mb": ("MB in all", 10, ".1f"),
    "failed": ("failed", 7, ".0f"),
}


def print_table(scenario, results):
    first = next(iter(results.values()))
    shown = [name for name in COLUMNS if name in first]
    compared = "cpu_us" if "cpu_us" in first else "bytes_each"
    peers = ["nginx", "haproxy"]
    print(f"\n{scenario} (medians)\n{'SERVER':12}" + "".join(f"{COLUMNS[name][0]:>{COLUMNS[name][1]}}" for name in shown) +
          "".join(f"{'×' + peer:>9}" for peer in peers))
    for (server, _), figures in results.items():
        line = "".join(f"{figures[name]:{COLUMNS[name][1]}{COLUMNS[name][2]}}" for name in shown)
        ratios = (results.get((peer, "")) for peer in peers)
        line += "".join(f"{figures[compared] / other[compared]:9.2f}" if other else f"{'-':>9}" for other in ratios)
        print(f"{server:12}{line}")
    print_bars(scenario, results)
    sys.stdout.flush()


def print_bars(scenario, results):
    ours = results.get(("httpserver", ""))
    for _, figure, peers, most in (bar for bar in BARS if bar[0] == scenario and ours):
        theirs = [results[(peer, "")][figure] for peer in peers if (peer, "") in results]
        if theirs:
            ratio = ours[figure] / min(theirs)
            who = peers[0] if len(peers) == 1 else "the best peer"
            print(f"{COLUMNS[figure][0]} / {who}: {ratio:.2f} (at most {most}): {'met' if ratio <= most else 'MISSED'}")
    if scenario == "collapse" and ours:
        print(f"origin requests: {ours['origin_requests']:.0f} (1): {'met' if ours['origin_requests'] == 1 else 'MISSED'}")


def main():
    arguments = parser("http", __doc__, list(RUNS), servers.ALL, rounds=15, seconds=1).parse_args()
    need_two_cores()
    kinds = [k for k in servers.ALL if not arguments.only or k.name in arguments.only]
    install(kinds, "wrk", "nghttp2-client")
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    warn_when_busy()
    with history("http", arguments.keep) as keep:
        for scenario in arguments.scenario or RUNS:
            run = lambda server: RUNS[scenario](server, arguments.seconds, scenario)
            anew = scenario in ANEW
            rounds = min(arguments.rounds, MAX_ROUNDS_ANEW) if anew else arguments.rounds
            with turns(lambda kind: started(kind, scenario), run, anew) as one_run:
                print_table(scenario, in_turn(scenario, kinds, rounds, one_run, keep))


if __name__ == "__main__":
    main()
