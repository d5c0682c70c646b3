#!/usr/bin/python3
"""How long it takes from ten new machines, a director and nine replicas all over the world, to a running CDN. Needs root."""

import pathlib
import sys
import tempfile
import time

from cdn import ROOT, World

sys.path.append(str(ROOT / "tests/tools"))
from operator_day import Operator  # noqa: E402

CITIES = ("london", "miami", "seattle", "osaka", "hanoi", "cairo", "milan", "stockholm", "melbourne")
LIMIT_S = 60


def main():
    world = World()
    with tempfile.TemporaryDirectory() as folder:
        operator = Operator(world, pathlib.Path(folder), {city: f"client-{city}" for city in CITIES})
        try:
            began = time.monotonic()
            operator.do("deployCDN")
            deployed = time.monotonic()
            table = operator.do("runCDN").stdout
            running = time.monotonic()
            operator.do("stopCDN")
        finally:
            operator.end()
            world.stop()
    print(table)
    print(f"{len(CITIES) + 1} hosts: deployed in {deployed - began:.1f} s, running and tested {running - deployed:.1f} s later")
    return 0 if running - began < LIMIT_S else 1


sys.exit(main())
