#!/usr/bin/env python3
"""scripts/dev bench dns: dnsserver beside the leanest echo, gdnsd and Knot.

The servers run on one core with one UDP thread each, and get the load from the other core by turns: many short ones, for
a machine's own speed changes from one second to the next and so meets all of them. CPU is what the server's threads
took, kernel included, for each query answered; the latencies are of a stream of 2,000 queries a second beside the load,
by the kernel's time stamps.

plain    one known client, dnsperf as fast as it goes
guards   the same with rate limiting (which limits nothing here), cookies and counters
ecs      100,000 client networks told by ECS, all of them known
flood    20,000 queries a second of known clients alone, then beside 1,000 unknown clients a second
"""

import contextlib
import json
import os
import re
import subprocess
import sys

import servers
from common import (BIN, history, in_turn, install, need_two_cores, on_load_core, parser, say, turns,
                    warn_when_busy, working_folder)

ECS_CLIENTS = 100_000
WARM_RATE, COLD_RATE, PROBE_RATE = 20_000, 1_000, 2_000
MEASURING_RATE, KNOWN_RATE = 3_000, 50_000  # while 100,000 networks become known
EVERY_KIND = [*servers.ALL, servers.PatientDnsServer]
MAX_FLOOD_RATIO, MAX_FLOOD_P99_US = 1.2, 1000


def dns_load(server, *arguments, first=()):
    """Starts the load generator; its report is what `report` returns. `first` is a command that starts it."""
    return subprocess.Popen(
        on_load_core(*first, BIN / "dns_load", "--server", f"127.0.0.1:{server.port}", "--source", servers.CLIENT,
                     "--name", servers.NAME, *arguments), stdout=subprocess.PIPE, text=True)


def report(process):
    out, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"dns_load ended with {process.returncode}")
    return json.loads(out)


def ecs(octet, clients, first=0):
    return ["--ecs", octet, "--clients", clients, "--first-client", first]


def dnsperf(server, seconds, guards):
    data = server.folder / "queries"
    data.write_text(f"{servers.NAME} A\n")
    flags = ["-E", "10:0102030405060708"] if guards else []
    out = subprocess.run(
        on_load_core("dnsperf", "-s", "127.0.0.1", "-p", server.port, "-a", servers.CLIENT, "-d", data, "-l", seconds,
                     "-q", 100, "-c", 1, "-T", 1, *flags), capture_output=True, text=True, check=True).stdout
    answered = int(re.search(r"Queries completed:\s+(\d+)", out)[1])
    return {"answered": answered, "seconds": float(re.search(r"Run time \(s\):\s+([\d.]+)", out)[1]),
            "lost": int(re.search(r"Queries lost:\s+(\d+)", out)[1])}


def measured(server, probe_arguments, seconds, load):
    """Figures of the server while `load` runs, which returns what it asked."""
    # What the latencies are measured by waits for none of its neighbours on the core, where it may.
    first = ["chrt", "--fifo", "1"] if os.geteuid() == 0 else []
    probe = dns_load(server, "--rate", PROBE_RATE, "--seconds", seconds, *probe_arguments, first=first)
    before = server.cpu_seconds()
    loads = load()
    cpu = server.cpu_seconds() - before
    seen = report(probe)
    answered = sum(l["answered"] for l in loads) + seen["answered"]
    return {
        "cpu_us": cpu * 1e6 / max(1, answered), "qps": answered / loads[0]["seconds"],
        "lost": sum(l["lost"] for l in loads) + seen["lost"],
        "scoped": seen["scoped"] / max(1, seen["answered"]),
        "p50_us": seen["p50_us"], "p99_us": seen["p99_us"], "max_us": seen["max_us"],
    }


def run_plain(server, seconds, guards=False):
    report(dns_load(server, "--rate", 1000, "--seconds", 0.5))
    probe = ["--cookie"] if guards else []
    return [("", measured(server, probe, seconds, lambda: [dnsperf(server, seconds, guards)]))]


def run_guards(server, seconds):
    return run_plain(server, seconds, guards=True)


def warm(server):
    """Every network asks, slowly enough for each to be measured; those whose query was lost ask once more."""
    for rate in (MEASURING_RATE, KNOWN_RATE) if isinstance(server, servers.DnsServer) else (KNOWN_RATE,):
        report(dns_load(server, "--rate", rate, "--queries", ECS_CLIENTS, *ecs(servers.WARM_OCTET, ECS_CLIENTS)))


def run_ecs(server, seconds):
    networks = ecs(servers.WARM_OCTET, ECS_CLIENTS)
    load = lambda: [report(dns_load(server, "--outstanding", 100, "--seconds", seconds, *networks))]
    figures = measured(server, networks, seconds, load)
    if server.name != "floor" and figures["scoped"] < 0.99:
        say(f"  ! {server.name}: only {figures['scoped']:.1%} of the answers are for the network that was told")
    return [("", figures)]


def run_flood(server, seconds):
    networks = ecs(servers.WARM_OCTET, 1000)
    report(dns_load(server, "--rate", 1000, "--queries", 2000, *networks))
    warm_load = ["--rate", WARM_RATE, "--seconds", seconds, *networks]
    alone = measured(server, networks, seconds, lambda: [report(dns_load(server, *warm_load))])

    def both():
        cold = dns_load(server, "--rate", COLD_RATE, "--seconds", seconds, *ecs(servers.COLD_OCTET, 1 << 19))
        return [report(dns_load(server, *warm_load)), report(cold)]

    return [("alone", alone), ("flooded", measured(server, networks, seconds, both))]


RUNS = {"plain": run_plain, "guards": run_guards, "ecs": run_ecs, "flood": run_flood}


@contextlib.contextmanager
def started(kind, scenario):
    with working_folder() as folder:
        server = kind(folder, guards=scenario == "guards", clients=ECS_CLIENTS if scenario == "ecs" else 0)
        try:
            server.start()
            if scenario == "ecs":
                warm(server)
            yield server
        finally:
            server.stop()


def kinds_for(scenario, only):
    kinds = servers.FLOODED if scenario == "flood" else servers.ALL
    return [k for k in kinds if not only or k.name in only]


def ratio(figures, results, peer):
    other = results.get((peer, ""))
    return f"{figures['cpu_us'] / other['cpu_us']:.2f}" if other else "-"


def print_table(scenario, results):
    print(f"\n{scenario} (medians)\n{'SERVER':28} {'CPU µs/query':>12} {'×floor':>7} {'×gdnsd':>7} {'q/s':>9} "
          f"{'p50 µs':>8} {'p99 µs':>8} {'max µs':>8} {'lost':>6}")
    for (name, part), f in results.items():
        print(f"{f'{name} {part}'.strip():28} {f['cpu_us']:12.3f} {ratio(f, results, 'floor'):>7} "
              f"{ratio(f, results, 'gdnsd'):>7} {f['qps']:9.0f} {f['p50_us']:8.0f} {f['p99_us']:8.0f} "
              f"{f['max_us']:8.0f} {f['lost']:6.0f}")
    for kind in servers.FLOODED if scenario == "flood" else []:
        if flooded := results.get((kind.name, "flooded")):
            times = flooded["p99_us"] / results[(kind.name, "alone")]["p99_us"]
            ok = times <= MAX_FLOOD_RATIO and flooded["p99_us"] < MAX_FLOOD_P99_US
            print(f"{kind.name}: p99 flooded / alone {times:.2f} (at most {MAX_FLOOD_RATIO}, and under "
                  f"{MAX_FLOOD_P99_US} µs): {'met' if ok else 'MISSED'}")
    sys.stdout.flush()


def main():
    arguments = parser("dns", __doc__, list(RUNS), EVERY_KIND, rounds=15, seconds=1).parse_args()
    need_two_cores()
    install([k for k in EVERY_KIND if not arguments.only or k.name in arguments.only], "dnsperf")
    warn_when_busy()
    with history("dns", arguments.keep) as keep:
        for scenario in arguments.scenario or RUNS:
            run = lambda server: RUNS[scenario](server, arguments.seconds)
            # Under flood the clients must be unknown.
            with turns(lambda kind: started(kind, scenario), run, anew=scenario == "flood") as one_run:
                kinds = kinds_for(scenario, arguments.only)
                print_table(scenario, in_turn(scenario, kinds, arguments.rounds, one_run, keep))


if __name__ == "__main__":
    main()
