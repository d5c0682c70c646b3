"""The director's choices on the Earth of the emulated world, simulated: the same story each time."""

import subprocess

from cdn import ROOT


def test_the_bars_are_met_on_earth():
    run = subprocess.run(["/usr/bin/python3", ROOT / "bench" / "sim" / "run.py", "--check"], capture_output=True, text=True,
                         timeout=120)
    assert run.returncode == 0, run.stdout + run.stderr
