"""Two runs on one machine do not take each other's world away."""

import os
import signal
import subprocess
import sys

import pytest
from cdn import ROOT
from world_lock import WorldLock

HOLDER = """
import sys
from world_lock import WorldLock
lock = WorldLock(path=sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another run, which has the world until it is told to end."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path / "lock"], cwd=ROOT / "tests/e2e",
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_the_second_run_waits_and_says_for_whom(holder, tmp_path):
    said = []

    def say(text):
        said.append(text)
        holder.stdin.close()

    WorldLock(say, tmp_path / "lock", wait_s=10).release()
    assert len(said) == 1 and f"waiting for another run, PID {holder.pid} " in said[0]


def test_it_does_not_wait_for_ever(holder, tmp_path):
    with pytest.raises(TimeoutError, match=f"another run, PID {holder.pid} .*, has had the emulated world for 0.3 s"):
        WorldLock(lambda _: None, tmp_path / "lock", wait_s=0.3)


def test_a_run_that_was_killed_holds_nothing_up(holder, tmp_path):
    holder.kill()
    holder.wait()
    WorldLock(path=tmp_path / "lock", wait_s=0).release()


KEEPER = """
import subprocess, sys
from world_lock import WorldLock
lock = WorldLock(path=sys.argv[1])
kept = subprocess.Popen(["sleep", "1000"], pass_fds=[lock.fileno()], stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL)
lock.name(kept.pid, "sleep")
print(kept.pid)
"""


def test_what_a_run_has_kept_holds_it_until_that_ends(tmp_path):
    run = subprocess.run([sys.executable, "-c", KEEPER, tmp_path / "lock"], cwd=ROOT / "tests/e2e", check=True,
                         capture_output=True, text=True)
    kept = int(run.stdout)
    try:
        with pytest.raises(TimeoutError, match=rf"PID {kept} \(sleep\)"):
            WorldLock(lambda _: None, tmp_path / "lock", wait_s=0.3)
    finally:
        os.kill(kept, signal.SIGKILL)
    WorldLock(lambda _: None, tmp_path / "lock", wait_s=10).release()


def test_who_has_ended_its_world_lets_the_next_one_in(tmp_path):
    WorldLock(path=tmp_path / "lock", wait_s=0).release()
    WorldLock(path=tmp_path / "lock", wait_s=0).release()
