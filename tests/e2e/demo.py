#!/usr/bin/python3
"""The demo: clients in cities around the world, each sent to its nearest replica and served the origin's bytes."""

import argparse
import concurrent.futures
import dataclasses
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import cdn as perigee  # noqa: E402
from world_lock import WorldLock  # noqa: E402

# Every continent, easy and hard ones; Cairo, Lahore and Manila do not answer pings.
CLIENTS = [
    "montreal", "san-francisco", "miami", "mexico-city", "montevideo", "brasilia", "london", "madrid", "warsaw",
    "cairo", "johannesburg", "accra", "dubai", "lahore", "bangalore", "novosibirsk", "shanghai", "seoul", "manila",
    "melbourne", "osaka", "jakarta", "reykjavik",
]
AT_ONCE = 4
# So far from the best is still the same replica, or one at the same place.
SAME_MS = 0.5
KEEP_FOLDER = pathlib.Path("/tmp/perigee-demo")

TTY = sys.stderr.isatty()


def paint(code, text):
    return f"\x1b[{code}m{text}\x1b[0m" if sys.stdout.isatty() else text


class Step:
    """Progress on standard error: what is being done, then how long it took."""

    def __init__(self, text):
        self.text = text

    def __enter__(self):
        self.started = time.monotonic()
        print(f"  … {self.text}", end="" if TTY else "\n", file=sys.stderr, flush=True)
        return self

    def update(self, detail):
        if TTY:
            print(f"\r\x1b[K  … {self.text}: {detail}", end="", file=sys.stderr, flush=True)

    def __exit__(self, failure, *_):
        mark = "✗" if failure else "✓"
        clear = "\r\x1b[K" if TTY else ""
        print(f"{clear}  {mark} {self.text} ({time.monotonic() - self.started:.1f} s)", file=sys.stderr)


@dataclasses.dataclass
class Row:
    client: str
    replica: str = "none"
    rtt_ms: float = float("nan")
    best: str = ""
    best_ms: float = float("nan")
    method: str = "-"
    cold_ms: float = float("nan")
    warm_ms: float = float("nan")
    miss_ms: float = float("nan")
    hit_ms: float = float("nan")
    problems: list = dataclasses.field(default_factory=list)

    CELLS = ["CLIENT", "REPLICA", "RTT", "BEST", "NEAREST", "BY", "COLD DNS", "WARM", "MISS", "HIT", "RIGHT"]

    def cells(self):
        numbers = [f"{value:.1f}" for value in (self.rtt_ms, self.best_ms)]
        times = [f"{value:.0f}" for value in (self.cold_ms, self.warm_ms, self.miss_ms, self.hit_ms)]
        return [self.client, self.replica, numbers[0], numbers[1], self.best, self.method, *times,
                "no" if self.problems else "yes"]


def visit(cdn, host):
    """What one client sees, from its first query to its second download."""
    row = Row(host.removeprefix("client-"))
    row.best, rtts = cdn.world.nearest(host)
    row.best_ms = rtts[row.best]

    addresses, cold_ms, _ = cdn.dig(host)
    row.cold_ms = cold_ms or float("nan")
    chosen = cdn.replica_at(addresses[0]) if addresses else None
    if not chosen:
        row.problems.append("no answer from DNS")
        return row
    row.replica, row.rtt_ms = chosen, rtts[chosen]
    if row.rtt_ms > row.best_ms + perigee.NEAR_MS:
        row.problems.append(f"sent to {chosen}, but {row.best} is nearer")
    again, warm_ms, _ = cdn.dig(host)
    row.warm_ms = warm_ms or float("nan")
    # Between two that are as near, a finer measurement may have decided otherwise meanwhile.
    if not again or rtts[cdn.replica_at(again[0])] > row.best_ms + perigee.NEAR_MS:
        row.problems.append(f"the second answer, {again}, is worse than the first, {addresses}")
    explained = cdn.explain(cdn.world.hosts[host].ipv4)
    row.method = next((line.split()[3] for line in explained.splitlines() if line.startswith(">")), "-")

    for path in (f"pages/{row.client}.html", f"images/{row.client}.jpg"):
        expected = (cdn.folder / "site" / path).read_bytes()
        for word, field, tries in (("fwd=", "miss_ms", 1), ("hit", "hit_ms", 2)):
            # A finer measurement may have moved the client meanwhile, once: that replica has to fetch the page first.
            for _ in range(tries):
                body, headers, took, _ = cdn.wget(host, f"http://{perigee.DOMAIN}/{path}")
                if word in perigee.cache_status(headers):
                    break
            setattr(row, field, took * 1000)
            if body != expected:
                row.problems.append(f"{path}: {len(body)} bytes that are not the origin's {len(expected)}")
            if word not in perigee.cache_status(headers):
                row.problems.append(f"{path}: expected {word}, got Cache-Status {perigee.cache_status(headers)!r}")
    return row


def table(rows):
    lines = [Row.CELLS, *(row.cells() for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(Row.CELLS))]
    left = {0, 1, 4, 5, 10}
    for number, line in enumerate(lines):
        text = "  ".join(c.ljust(w) if i in left else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths)))
        colour = "1" if number == 0 else ("31" if rows[number - 1].problems else "0")
        print(paint(colour, text.rstrip()))


def summary(rows, brought_up):
    good = [row for row in rows if not row.problems]
    cold = sorted(row.cold_ms for row in rows)
    nearest = sum(row.rtt_ms <= row.best_ms + SAME_MS for row in good)
    near = f", {len(good) - nearest} at one at most {perigee.NEAR_MS:g} ms farther" if nearest < len(good) else ""
    print(f"\n{nearest} of {len(rows)} clients at their nearest replica with the origin's bytes{near} "
          f"({sum(row.method == 'tcp-syn' for row in rows)} of them silent to ping) · "
          f"cold DNS median {statistics.median(cold):.0f} ms, worst {cold[-1]:.0f} ms · "
          f"warm median {statistics.median(row.warm_ms for row in rows):.0f} ms · {brought_up}")
    print("RTT, BEST: true round trip to the chosen and to the nearest replica; COLD DNS includes the client's way "
          "to the\ndirector in Washington; MISS and HIT: an image, fetched twice. All in ms.")
    for row in rows:
        for problem in row.problems:
            print(paint("31", f"  {row.client}: {problem}"))


def run(arguments, lock, folder):
    clients = [f"client-{name}" for name in CLIENTS if f"client-{name}" in perigee.read_hosts()]
    with Step(f"bring up the world: 9 replicas, an origin, a director, {len(clients)} client cities"):
        world = perigee.World(["replica", "origin", "director", *clients], lock, kept=arguments.keep)
    fleet = perigee.Cdn(world, folder)
    keep = False
    try:
        with Step("start the CDN and wait until the director knows all replicas"):
            fleet.start_all()
            for client in clients:
                name = client.removeprefix("client-")
                fleet.publish(f"pages/{name}.html", 16_000)
                fleet.publish(f"images/{name}.jpg", 120_000)
                world.use_resolver(client, fleet.director.ipv4)
        with Step(f"dig and wget from every city, {AT_ONCE} at a time") as step:
            rows = []
            with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
                for row in pool.map(lambda client: visit(fleet, client), clients):
                    rows.append(row)
                    step.update(f"{len(rows)} of {len(clients)}, {row.client} → {row.replica}")
        print()
        table(rows)
        ready = dict(word.split("=") for word in world.ready_line.split() if "=" in word)
        summary(rows, f"world up in {ready.get('bring_up_ms', '?')} ms")
        keep = arguments.keep
        hints(keep, clients, folder)
        return 0 if all(not row.problems for row in rows) else 1
    finally:
        if not keep:
            with Step("take everything down"):
                fleet.stop()
                world.stop()


def hints(keep, clients, folder):
    in_city = f"build/release/bin/world exec {clients[0]} --"
    if not keep:
        print("\nTry next: scripts/demo --keep   (leaves it all up, to look around with dig, wget and cdnctl)"
              "\n          README.md            (how to run your own)")
        return
    director = f"build/release/bin/world exec director -- sh -c 'cd {folder}/director &&"
    cdnctl = f"{perigee.BIN}/cdnctl"
    print(f"""
The world is up. From a client's city:
  {in_city} dig @198.18.0.53 {perigee.DOMAIN}
  {in_city} wget -S -O /dev/null http://{perigee.DOMAIN}/pages/{CLIENTS[0]}.html
As the operator:
  {director} {cdnctl} status'
  {director} {cdnctl} explain 198.18.100.10'
  {director} {cdnctl} measure 198.18.100.10'
gRPC by hand (grpcurl is not a Debian package; reflection needs no proto files):
  {director} grpcurl -cacert ca.pem -cert cert.pem -key key.pem -d "{{\\"address\\":\\"198.18.100.10\\"}}" 198.18.8.10:4301 perigee.v1.Prober/Measure'
Make trouble, and look again:
  build/release/bin/world set icmp {clients[0]} block
  build/release/bin/world set link tokyo cut
Logs are in {folder}. When done:
  build/release/bin/world down""")


def main():
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the world up, and say how to look around in it")
    arguments = parser.parse_args()
    lock = WorldLock()
    if arguments.keep:
        shutil.rmtree(KEEP_FOLDER, ignore_errors=True)
        KEEP_FOLDER.mkdir(mode=0o755)
        return run(arguments, lock, KEEP_FOLDER)
    with tempfile.TemporaryDirectory(prefix="perigee-demo-") as folder:
        return run(arguments, lock, pathlib.Path(folder))


if __name__ == "__main__":
    sys.exit(main())
