#!/usr/bin/env python3
"""scripts/dev sim: what the director's choices are worth, by simulation.

The director's own core runs on a fake clock: board, map, early decision, refinement. Its probers climb the prober's own
ladder against clients made of numbers: a place in a matrix of round-trip times, and a last mile that adds what real
ones added to real pings. A quarter of them answer nothing; before most of those their network's last router answers, before
others some hop anywhere, a different one on each path, or none. Each client asks once as a stranger and then again, connecting each time to the replica that it
was given. The same seed tells the same
story.

The Earth of the emulated world (tests/world/earth.world) is the default matrix; --cities takes WonderNetwork's figures
(cities.csv and city_rtt_ms.csv), --synthetic makes one up. --replay takes a measurement log of a real dnsserver instead of
all that: the clients ask when they did, and are measured as they were, but the choices are of today's core and these flags. "Within" counts answers that cost at most 5 ms or 10 % more
than the nearest replica; regret is what an answer costs more than it.

--sphere and --hosts simulate fleets of which not all replicas can be asked, up to 1,024 with millions of clients
(scale.py); they print a table for each --max-asked.
"""

import argparse
import collections
import csv
import json
import math
import pathlib
import random
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from common import BIN, ROOT, history, say  # noqa: E402
import scale  # noqa: E402

SIM = BIN / "sim"
LAST_MILES = pathlib.Path(__file__).with_name("last_mile.txt")
EARTH = ROOT / "tests" / "world" / "earth.world"
DIRECTOR = "Washington"
REPLICAS = ["Washington", "Portland", "Sao-Paulo", "Dublin", "Frankfurt", "Pune", "Singapore", "Tokyo", "Sydney"]
WITHIN_MS, WITHIN_SHARE, FAR_MS = 5, 0.10, 50
SAME_PLACE_MS = 1
UNKNOWN = (math.nan, math.nan)
# Light in fibre, there and back, and the detours of real paths.
MS_PER_KM, DETOURS, LEAST_MS = 2 / 200, (1.2, 2.2), 2

HIDDEN = ("edge", "some-hop", "nothing")
GROUPS = {"answer some rung": ("icmp", "tcp"), "silent to every rung": HIDDEN, "silent, their edge answers": ("edge",),
          "silent, some hops answer": ("some-hop",), "silent, no hop answers": ("nothing",)}
# What is asked of it: (group, strategy, figure, bar, whether it is a least). Times are shares of another strategy's.
BARS = [("answer some rung", "Perigee, stranger", "within", 95, True),
        ("answer some rung", "Perigee, known", "within", 99, True),
        ("answer some rung", "Perigee, known", "p99", 5, False),
        ("silent to every rung", "Perigee, known", "within", 93, True),
        ("silent to every rung", "Perigee, known", "worst", 0, False)]
# Asked on WonderNetwork's whole matrix, where most clients are near some replica.
COLD_BARS = [("one ping, any answer", 1.35), ("one ping, wait for all", 0.3)]
WORSE_BAR = 0.5  # percent


def world_geography(path):
    """Of an emulated world's description: cities have no degrees there."""
    names, rtts = [], {}
    for line in path.read_text().splitlines():
        words = line.split()
        if words[:1] == ["city"]:
            city, values = words[1], [float(word) for word in words[2:]]
            for other, value in zip([*names, city], values):
                rtts[city, other] = rtts[other, city] = value
            names.append(city)
    return {name: UNKNOWN for name in names}, rtts


def city_geography(cities, figures):
    places, ids, sums = {}, {}, collections.defaultdict(list)
    with open(cities, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["note"] != "location_suspect":
                ids[row["id"]] = name = row["name"].replace(" ", "-")
                places[name] = float(row["lat"]), float(row["lon"])
    with open(figures, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            a, b = ids.get(row["from_city_id"]), ids.get(row["to_city_id"])
            if a and b and row["avg_ms"]:
                sums[tuple(sorted((a, b)))].append(float(row["avg_ms"]))
    rtts = {}
    for (a, b), values in sums.items():
        rtts[a, b] = rtts[b, a] = sum(values) / len(values)
    return places, rtts


def kilometres(a, b):
    lat, lon = math.radians(b[0] - a[0]), math.radians(b[1] - a[1])
    h = math.sin(lat / 2) ** 2 + math.cos(math.radians(a[0])) * math.cos(math.radians(b[0])) * math.sin(lon / 2) ** 2
    return 2 * 6371 * math.asin(math.sqrt(min(1, h)))


def synthetic_geography(count, seed):
    """Places strewn over a sphere; paths bend by as much as real ones do."""
    rng = random.Random(seed)
    places = {f"p{i}": (math.degrees(math.asin(rng.uniform(-0.7, 0.95))), rng.uniform(-180, 180)) for i in range(count)}
    rtts = {}
    for a in places:
        for b in places:
            if a < b:
                rtts[a, b] = rtts[b, a] = LEAST_MS + kilometres(places[a], places[b]) * MS_PER_KM * rng.uniform(*DETOURS)
    return places, rtts


def write_geography(places, rtts, file):
    """Places of which some distance is not known are left out."""
    names = list(places)
    while names:
        missing = {a: sum(a != b and (a, b) not in rtts for b in names) for a in names}
        worst = max(names, key=missing.get)
        if not missing[worst]:
            break
        names.remove(worst)
    for name in names:
        print("place", name, *places[name], file=file)
    for a in names:
        print("rtt", *(f"{SAME_PLACE_MS if a == b else rtts[a, b]:.2f}" for b in names), file=file)
    file.flush()
    return names


def simulate(geography, director, replicas, arguments):
    return tell(["--geography", geography, "--last-miles", LAST_MILES, "--director", director,
                 *(word for name in arguments.access for word in ("--access", name)),
                 *(word for name in replicas for word in ("--replica", name)), "--seed", arguments.seed,
                 *(("--lying", arguments.lying) if arguments.lying else ()),
                 "--clients", arguments.clients, "--strays", arguments.strays,
                 "--edge-answers", arguments.edge_answers, "--some-hop-answers", arguments.some_hop_answers,
                 "--rounds", arguments.rounds, "--exploration", arguments.exploration], arguments)


def tell(command, arguments):
    """What the simulator says of it all, and of each client."""
    policy = ["--refinement-probes", arguments.refinement_probes, "--hold-ms", arguments.hold_ms,
              "--max-asked", arguments.max_asked[0]]
    done = subprocess.run([str(word) for word in (SIM, *command, *policy)], check=False, text=True, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(done.returncode)
    totals, *clients = map(json.loads, done.stdout.splitlines())
    return totals, clients


def nearest(values):
    known = [(value, i) for i, value in enumerate(values) if value]
    return min(known)[1] if known else None


def choices(client, seed):
    """By strategy: the replica (None: not to be had) and when the answer came, in milliseconds (None: at once)."""
    samples = client["samples"]
    best_sample = nearest(samples)
    taken = {"random": (random.Random(seed).randrange(len(samples)), None)}
    if None not in client["km"]:
        taken["geography"] = (client["km"].index(min(client["km"])), None)
    if best_sample is not None:
        taken["one ping, wait for all"] = (best_sample, client["last_ms"])
        taken["one ping, any answer"] = (None, client["first_ms"])
    for name, key in ("Perigee, stranger", "first"), ("Perigee, known", "again"):
        if client[key]:
            taken[name] = (client[key][0], client[key][2] if key == "first" else None)
    return taken


def quantile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else math.nan


def figures(clients):
    """By strategy, over these clients."""
    regrets, times, far = (collections.defaultdict(list) for _ in range(3))
    for number, client in enumerate(clients):
        known = [rtt for rtt in client["truth"] if rtt is not None]
        if not known:
            continue
        best, worst = min(known), max(known)
        for name, (replica, took) in choices(client, number).items():
            if took is not None:
                times[name].append(took)
            rtt = None if replica is None else client["truth"][replica]
            if rtt is not None:
                regrets[name].append((rtt - best, rtt - best <= max(WITHIN_MS, WITHIN_SHARE * best)))
                far[name].append(worst - best > FAR_MS and rtt == worst)
    table = {}
    for name in dict.fromkeys([*regrets, *times]):
        costs = [cost for cost, _ in regrets[name]]
        table[name] = {"n": len(costs), "within": 100 * sum(ok for _, ok in regrets[name]) / len(costs) if costs else None,
                       "p50": quantile(costs, 0.5), "p90": quantile(costs, 0.9), "p99": quantile(costs, 0.99),
                       "mean": sum(costs) / len(costs) if costs else math.nan, "worst": sum(far[name]),
                       "answer_p50": quantile(times[name], 0.5) if times[name] else None,
                       "answer_p90": quantile(times[name], 0.9) if times[name] else None}
    return table


def worse_than_waiting(clients):
    """The share of strangers' answers that are farther by more than WITHIN_MS than waiting for all would have given."""
    pairs = [(c["truth"][c["first"][0]], c["truth"][nearest(c["samples"])]) for c in clients
             if c["first"] and nearest(c["samples"]) is not None]
    pairs = [pair for pair in pairs if None not in pair]
    return 100 * sum(early > late + WITHIN_MS for early, late in pairs) / len(pairs) if pairs else math.nan


def show(table):
    def cell(value, form):
        return "-" if value is None or math.isnan(value) else format(value, form)

    print(f"  {'':24}{'within':>8}{'regret p50':>12}{'p90':>8}{'p99':>8}{'mean':>8}{'worst':>7}"
          f"{'answer p50':>12}{'p90':>8}")
    for name, f in table.items():
        within = cell(f["within"], ".1f") + ("" if f["within"] is None else " %")
        print(f"  {name:24}{within:>8}{cell(f['p50'], '.1f'):>12}{cell(f['p90'], '.1f'):>8}{cell(f['p99'], '.1f'):>8}"
              f"{cell(f['mean'], '.2f'):>8}{f['worst'] if f['n'] else '-':>7}{cell(f['answer_p50'], '.0f'):>12}"
              f"{cell(f['answer_p90'], '.0f'):>8}")


def bars(tables, worse, matrix):
    """Each bar with the figure and whether it is met."""
    for group, strategy, figure, bar, least in BARS:
        value = tables.get(group, {}).get(strategy, {}).get(figure)
        if value is not None:
            yield f"{group}: {strategy}: {figure} {value:.1f} (bar {bar})", value >= bar if least else value <= bar
    if matrix != "cities":
        return
    answering = tables["answer some rung"]
    for other, bar in COLD_BARS:
        ratio = answering["Perigee, stranger"]["answer_p50"] / answering[other]["answer_p50"]
        yield f"a stranger's answer, median: {ratio:.2f} x {other} (bar {bar})", ratio <= bar
    yield f"farther by > {WITHIN_MS} ms than waiting for all would be: {worse:.2f} % (bar {WORSE_BAR})", worse <= WORSE_BAR


def plot(clients, path):
    """Regret by share of clients, a line a strategy: the tail is what counts, so the axis is logarithmic."""
    width, height, left, top, most = 720, 400, 60, 40, 400
    colours = {"random": "#999", "geography": "#c60", "one ping, wait for all": "#06c", "Perigee, stranger": "#0a6",
               "Perigee, known": "#c06"}

    def x(share):
        return left + (width - left - 20) * (share - 0.5) / 0.5

    def y(cost):
        return top + (height - top - 40) * (1 - math.log10(1 + cost) / math.log10(1 + most))

    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
             f'font-size="12"><rect width="{width}" height="{height}" fill="#fff"/>'
             f'<text x="{left}" y="20" font-size="14">Milliseconds lost against the nearest replica, '
             f'by share of clients</text>']
    for cost in 0, 1, 5, 20, 50, 100, 200, 400:
        parts.append(f'<line x1="{left}" x2="{width - 20}" y1="{y(cost):.1f}" y2="{y(cost):.1f}" stroke="#ddd"/>'
                     f'<text x="{left - 8}" y="{y(cost) + 4:.1f}" text-anchor="end">{cost}</text>')
    for share in 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1:
        parts.append(f'<text x="{x(share):.1f}" y="{height - 20}" text-anchor="middle">{100 * share:g} %</text>')
    for number, (name, colour) in enumerate(colours.items()):
        costs = sorted(c["truth"][choice[0]] - min(filter(None, c["truth"])) for i, c in enumerate(clients)
                       if (choice := choices(c, i).get(name)) and choice[0] is not None and c["truth"][choice[0]])
        if not costs:
            continue
        shares = [i / 200 for i in range(100, 200)] + [0.999]
        line = " ".join(f"{x(s):.1f},{y(min(most, quantile(costs, s))):.1f}" for s in shares)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>'
                     f'<text x="{left + 12}" y="{top + 20 + 18 * number}" fill="{colour}">{name}</text>')
    path.write_text("\n".join([*parts, "</svg>\n"]))
    say(f"wrote {path}")


def read_geography(arguments):
    """Its name, places and RTTs."""
    if arguments.cities:
        return "cities", *city_geography(*arguments.cities)
    if arguments.synthetic:
        return "synthetic", *synthetic_geography(arguments.synthetic, arguments.seed)
    return "earth", *world_geography(EARTH)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/dev sim", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    matrix = parser.add_mutually_exclusive_group()
    matrix.add_argument("--cities", nargs=2, metavar=("CITIES", "RTTS"), help="WonderNetwork's two files")
    matrix.add_argument("--replay", metavar="LOG", help="a measurement log (docs/measurement-log.md)")
    matrix.add_argument("--synthetic", type=int, metavar="PLACES", help="make up so many places, 9 with a replica")
    matrix.add_argument("--sphere", type=int, metavar="PLACES", help="make up so many places for clients, and --replicas beside them")
    matrix.add_argument("--hosts", metavar="FILE", help="hosts' RTTs at several moments: A,B,T1,T2,…; may be gzipped")
    parser.add_argument("--replicas", type=int, default=1000, help="of --sphere and --hosts [%(default)s]")
    parser.add_argument("--max-asked", type=int, nargs="+", default=[32], help="replicas that measure one client [%(default)s]")
    parser.add_argument("--unlocated", action="store_true", help="the fleet file of --sphere does not say where replicas are")
    parser.add_argument("--clients", type=int, default=20, help="at each place; of --sphere and --hosts in all [%(default)s]")
    parser.add_argument("--access", nargs="+", default=["mixed"], choices=["mixed", "home", "wifi", "lte", "starlink"],
                        help="last miles; with several, clients are spread evenly [mixed]")
    parser.add_argument("--strays", type=float, default=0.1,
                        help="share of clients with the network numbers of another place [%(default)s]")
    parser.add_argument("--edge-answers", type=float, default=0.6,
                        help="share of silent clients before whom their network's last router answers [%(default)s]")
    parser.add_argument("--some-hop-answers", type=float, default=0.25,
                        help="share of them before whom some hop answers, anywhere on each path [%(default)s]")
    parser.add_argument("--rounds", type=int, default=12, help="how often each client asks [%(default)s]")
    parser.add_argument("--refinement-probes", type=int, default=5, help="1: no refinement [%(default)s]")
    parser.add_argument("--exploration", type=float, default=0, help="share of the answers that explore [%(default)s]")
    parser.add_argument("--hold-ms", type=int, default=500, help="how long a query is held [%(default)s]")
    parser.add_argument("--lying", metavar="REPLICA", help="one that says it is near to everybody, such as Dublin or dublin on Earth")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--svg", type=pathlib.Path, help="plot it into this file")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a bar is missed")
    parser.add_argument("--keep", action="store_true", help="append the figures to bench/history.jsonl")
    return parser.parse_args()


def main():
    arguments = parse_arguments()
    if arguments.sphere or arguments.hosts:
        with history("sim", arguments.keep) as keep:
            scale.run(SIM, LAST_MILES, arguments, keep)
        return 0
    if arguments.replay:
        totals, clients = tell(["--replay", arguments.replay], arguments)
        return conclude("replay", totals, clients, arguments)
    matrix, places, rtts = read_geography(arguments)
    known = {name.lower(): name for name in places}
    replicas = [known[name.lower()] for name in REPLICAS] if not arguments.synthetic else list(places)[:len(REPLICAS)]
    director = known.get(DIRECTOR.lower(), replicas[0])
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        names = write_geography(places, rtts, file)
        totals, clients = simulate(file.name, director, replicas, arguments)
    print(f"{len(names)} places, ", end="")
    return conclude(matrix, totals, clients, arguments)


def conclude(matrix, totals, clients, arguments):
    """Prints it all; returns the exit status."""
    print(f"{len(clients)} clients, {len(clients[0]['truth'])} replicas, "
          f"{totals['packets'] / len(clients):.1f} probe packets a client, {totals['map_rows']} rows")
    tables = {}
    for group, answers in GROUPS.items():
        members = [c for c in clients if c["answers"] in answers]
        if not members:
            continue
        print(f"\n{len(members)} clients {group}; milliseconds")
        tables[group] = figures(members)
        show(tables[group])
    print()
    missed = 0
    for text, met in bars(tables, worse_than_waiting(clients), matrix):
        missed += not met
        print(f"  {'✓' if met else '✗'} {text}")
    if arguments.svg:
        plot(clients, arguments.svg)
    with history("sim", arguments.keep) as keep:
        for group, table in tables.items():
            for strategy, line in table.items():
                keep({"scenario": matrix, "group": group, "strategy": strategy, **line})
    return 1 if arguments.check and missed else 0


if __name__ == "__main__":
    sys.exit(main())
