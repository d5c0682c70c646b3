"""An operator's day: deployCDN, runCDN and stopCDN over real sshd, on machines with file systems of their own."""

import json
import re
import subprocess
import time

import pytest

from cdn import ROOT, wait_until
from machine import Machine, make_ssh_key

DOMAIN = "cdn.operator.test"
DIRECTOR = "client-new-york"
REPLICAS = {"london": "client-london", "miami": "client-miami"}
ORIGIN = "client-dallas"
OPERATOR = "client-montreal"
CLIENT = "client-paris"
STATE_DIRECTORIES = "/opt/perigee/run /opt/perigee/tmp"


class Day:
    """The fleet, the operator's folder, and the three commands in it."""

    def __init__(self, world, folder):
        self.world, self.folder = world, folder
        make_ssh_key(folder / "login")
        names = [DIRECTOR, *REPLICAS.values()]
        self.machines = {n: Machine(world, n, folder / n, folder / "login.pub") for n in names}
        (folder / "known_hosts").write_text("".join(m.known_host for m in self.machines.values()))
        (folder / "site").mkdir()
        (folder / "site" / "index.html").write_text("the operator's site\n")
        self.origin = subprocess.Popen(
            world.command(ORIGIN, "python3", "-m", "http.server", "80", "--directory", folder / "site"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        self.describe()

    def describe(self, extra=""):
        """Writes the fleet file."""
        lines = [f'replica {{ name: "{name}" ipv4: "{self.machines[host].address}" }}' for name, host in REPLICAS.items()]
        lines.append('probe_policy { allow_special: "198.18.0.0/15" }')
        lines.append('dns { state_file: "map.sqlite" }  # survives')
        (self.folder / "cdn.textproto").write_text("\n".join([*lines, extra]) + "\n")

    def replica(self, name):
        return self.machines[REPLICAS[name]]

    def command(self, program, *flags):
        return self.world.command(
            OPERATOR, ROOT / program, "-p", "80", "-o", f"http://{self.world.hosts[ORIGIN].ipv4}", "-n", DOMAIN, "-u", "root",
            "-i", self.folder / "login", "--director", self.machines[DIRECTOR].address,
            "--known-hosts", self.folder / "known_hosts", *flags)

    def do(self, program, *flags, expect=0):
        done = subprocess.run(self.command(program, *flags), cwd=self.folder, capture_output=True, text=True, timeout=120)
        assert done.returncode == expect, f"{program} {flags}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def dig(self, client=CLIENT):
        out = self.world.run(client, "dig", f"@{self.machines[DIRECTOR].address}", DOMAIN, "+short", "+tries=1")
        return out.stdout.split()

    def releases(self):
        return {n: m.run("readlink /opt/perigee/current").strip() for n, m in self.machines.items()}

    def end(self):
        for machine in self.machines.values():
            machine.stop()
        self.origin.terminate()
        self.origin.wait()


@pytest.fixture(scope="module")
def day(world, tmp_path_factory):
    made = Day(world, tmp_path_factory.mktemp("operator"))
    yield made
    made.end()


@pytest.fixture(scope="module")
def running(day):
    """Deployed and run once."""
    day.do("deployCDN")
    day.table = day.do("runCDN").stdout
    return day


def test_a_dry_run_says_what_it_would_do_and_does_nothing(day):
    said = day.do("deployCDN", "--dry-run").stderr
    assert len(re.findall("copy .* MB of programs, release [0-9a-f]+, the first", said)) == len(day.machines)
    assert all(m.run("ls /opt") == "" for m in day.machines.values())


def test_deployed_and_run_every_replica_serves(running):
    rows = [line.split() for line in running.table.splitlines()]
    assert [row[0] for row in rows] == ["REPLICA", *REPLICAS, "2"], running.table
    for row in rows[1:-1]:
        assert row[3] == "healthy" and "200" in row, running.table
    assert len({line.index("healthy") for line in running.table.splitlines()[1:-1]}) == 1, "columns line up"
    assert running.dig() == [running.replica("london").address]


def test_programs_run_as_nobody_in_particular_and_keys_are_theirs_alone(running):
    machine = running.replica("london")
    users = machine.run("ps -eo user:20,comm")
    assert re.search(r"^perigee +httpserver$", users, re.MULTILINE) and re.search(r"^perigee +prober$", users, re.MULTILINE)
    assert machine.run("stat -c '%U %a' /opt/perigee/current/keys/key.pem") == "perigee 600\n"
    assert machine.run("ls /opt/perigee/current/keys").split() == ["ca.pem", "cert.pem", "key.pem"]
    held = {m.run("sha256sum < /opt/perigee/current/keys/key.pem") for m in running.machines.values()}
    assert len(held) == len(running.machines)


def test_repeating_changes_nothing(running):
    assert running.do("deployCDN").stderr.count("as it was") == len(running.machines)
    again = running.do("runCDN").stderr
    assert again.count("runs already") == len(running.machines)


def test_a_host_whose_key_is_unknown_is_refused_and_does_not_hold_up_the_others(running, tmp_path):
    known = "".join(m.known_host for m in running.machines.values() if m is not running.replica("miami"))
    (tmp_path / "known_hosts").write_text(known)
    failed = running.do("deployCDN", "--known-hosts", tmp_path / "known_hosts", expect=1).stderr
    assert "miami: its host key is not known" in failed
    assert failed.count("as it was") == len(running.machines) - 1 and "Deployed on 2 of 3 hosts" in failed


def test_a_program_that_is_killed_is_started_again(running):
    machine = running.replica("miami")
    before = machine.run("pidof httpserver").split()
    machine.run(f"kill -9 {before[0]}")
    wait_until("httpserver is back", lambda: machine.run("pidof httpserver", check=False).split() not in ([], before), 10)


def test_traffic_leaves_a_replica_that_is_killed(running, report):
    machine = running.replica("london")
    assert running.dig() == [machine.address]
    machine.run("kill -9 $(cut -d' ' -f1 /opt/perigee/run/*.supervisor /opt/perigee/run/*.process)")
    began = time.monotonic()
    wait_until("its clients go elsewhere", lambda: running.dig() not in ([], [machine.address]), 10)
    took = time.monotonic() - began
    report(f"traffic left a replica killed with -9 after {took:.1f} s")
    assert took < 3
    assert "started" in running.do("runCDN").stderr
    wait_until("its clients are back", lambda: running.dig() == [machine.address], 20)


def test_a_rolling_upgrade_and_its_rollback_fail_no_request(running, report):
    before = running.releases()
    addresses = [running.replica(name).address for name in REPLICAS]
    load = subprocess.Popen(running.world.command(CLIENT, ROOT / "tests/e2e/steady_load.py", "80", DOMAIN, *addresses),
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    running.describe('cache { budget_bytes: 20000000 }')
    running.do("deployCDN")
    upgraded = running.do("runCDN").stderr
    after = running.releases()
    running.do("deployCDN", "--rollback")
    running.do("runCDN")
    seen = json.loads(load.communicate("")[0])
    report(f"upgrade and rollback under load: {seen['requests']} requests, {len(seen['failures'])} failed")
    assert len(re.findall("✓ .*exchanged", upgraded)) == len(running.machines)
    assert not set(before.values()) & set(after.values()) and running.releases() == before
    assert seen["failures"] == [] and seen["requests"] > 100


def test_stopped_nothing_is_left(running):
    out = running.do("stopCDN").stdout
    assert out.count("ended") == 1 + 2 * len(REPLICAS), out
    for machine in running.machines.values():
        assert machine.processes() == []
        assert machine.run(f"ls -A {STATE_DIRECTORIES} /tmp; ls -d /run/perigee* 2>/dev/null || :").split() == [
            *(f"{d}:" for d in sorted([*STATE_DIRECTORIES.split(), "/tmp"]))]
        assert "LISTEN" not in machine.run("ss -Hltn 'sport != :22'")
    assert running.do("stopCDN").stdout.count("was not running") == len(running.machines)
