"""scripts/dev sim --sphere, --hosts: a director among more replicas and clients than can be told one by one.

--sphere strews replicas, and places with clients, over a made-up sphere. --hosts takes hosts that measured each other at
several moments (the 490 of NetLatency-Data: A,B,T1…T9): some of them have a replica, the others are where clients are. At
each moment everybody asks, is measured again, for rows have aged, and asks again: "remembered" answers come from what was
known of the moment before.
"""

import gzip
import json
import subprocess
import sys
import tempfile


def simulate(sim, last_miles, arguments, asked):
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as hosts:
        command = [sim, "--last-miles", last_miles, "--seed", arguments.seed, "--rounds", arguments.rounds, "--strays", arguments.strays,
                   "--scale-replicas", arguments.replicas, "--scale-clients", arguments.clients, "--max-asked", asked,
                   "--refinement-probes", arguments.refinement_probes, "--hold-ms", arguments.hold_ms,
                   *(word for name in arguments.access for word in ("--access", name))]
        if arguments.hosts:
            with (gzip.open if arguments.hosts.endswith(".gz") else open)(arguments.hosts, "rt") as source:
                hosts.write(source.read())
            hosts.flush()
            command += ["--hosts", hosts.name]
        else:
            command += ["--sphere", arguments.sphere]
        if arguments.unlocated:
            command.append("--unlocated")
        done = subprocess.run([str(word) for word in command], check=False, text=True, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(done.returncode)
    return json.loads(done.stdout)


def show(figures, asked):
    print(f"{figures['clients']} clients, asked by at most {asked}: {figures['calls'] / figures['clients']:.1f} measurements and "
          f"{figures['packets'] / figures['clients']:.1f} packets a client in all; {figures['map_rows']} rows, {figures['peak_memory_bytes'] / 1e6:.0f} MB, "
          f"{figures['took_ms'] / 1000:.0f} s")
    print(f"  {'':20}{'':22}{'within':>8}{'regret p50':>12}{'p90':>8}{'p99':>8}{'mean':>8}")
    for group, name in ("answering", "answer some rung"), ("silent", "silent to all"):
        print(f"  {name}: a stranger's answer p50 {figures[group]['answer_p50']:.0f} p90 {figures[group]['answer_p90']:.0f} ms")
        for phase, f in figures[group]["phases"].items():
            print(f"  {name:20}{phase:22}{f['within']:>6.1f} %{f['p50']:>12.1f}{f['p90']:>8.1f}{f['p99']:>8.1f}{f['mean']:>8.2f}")
    sys.stdout.flush()


def run(sim, last_miles, arguments, keep):
    for asked in arguments.max_asked:
        figures = simulate(sim, last_miles, arguments, asked)
        show(figures, asked)
        keep({"scenario": "hosts" if arguments.hosts else "sphere", "replicas": arguments.replicas, "max_asked": asked, **figures})
