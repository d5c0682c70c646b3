"""An operator's day: deployCDN, runCDN and stopCDN over real sshd, on machines with file systems of their own."""

import json
import re
import shutil
import subprocess
import time

import pytest

from cdn import BIN, ROOT, wait_until
from commands import compare, examples
from machine import can_have_systemd
from operator_day import CLIENT, DIRECTOR, DOMAIN, OPERATOR, Operator

REPLICAS = {"london": "client-london", "miami": "client-miami"}


@pytest.fixture(scope="module")
def day(world, tmp_path_factory):
    systemd = (DIRECTOR, REPLICAS["miami"]) if can_have_systemd() else ()
    made = Operator(world, tmp_path_factory.mktemp("operator"), REPLICAS, systemd, user="admin")
    made.idle = {name: machine.processes() for name, machine in made.machines.items()}
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


def test_after_an_interruption_nothing_half_done_is_used(day):
    said, status = day.interrupt("deployCDN", when="copying")
    assert status == 130 and "the same command goes on from here" in said and "Traceback" not in said, said
    for machine in day.machines.values():
        machine.run("cd /opt/perigee/current 2>/dev/null || exit 0; sh host.sh cdnctl --version")


def test_deployed_and_run_every_replica_serves(running):
    rows = [line.split() for line in running.table.splitlines()]
    assert [row[0] for row in rows] == ["REPLICA", *REPLICAS, "2"], running.table
    for row in rows[1:-1]:
        assert row[3] == "healthy" and "200" in row, running.table
    assert len({line.index("healthy") for line in running.table.splitlines()[1:-1]}) == 1, "columns line up"
    assert running.dig() == [running.replica("london").address]
    [shown] = examples("docs/ec2.md", "./runCDN")
    compare(map(running.as_here, shown.values[1]), running.table)


@pytest.mark.parametrize("command, shown", examples("docs/ec2.md", "ssh "))
def test_the_director_is_asked_over_ssh(running, command, shown):
    assert set(REPLICAS) <= set(running.follow(command, shown).split())


@pytest.mark.parametrize("command, shown", examples("docs/security.md", "ssh "))
def test_a_host_is_looked_at_over_ssh(running, command, shown):
    if "systemd-" in command and not can_have_systemd():
        pytest.skip("no systemd here, no cgroup2, or a chroot")
    running.follow(command, shown)


def test_nothing_listens_but_what_the_page_says(running):
    rows = re.findall(r"^\| (\w+) \| ([a-z, ]+) \| (\d+) \|", (ROOT / "docs/security.md").read_text(), re.M)
    for machine in running.machines.values():
        role = "director" if machine is running.machines[DIRECTOR] else "replica"
        listens = {(line.split()[0], line.split()[4].rpartition(":")[2]) for line in machine.run("ss -Hltun").splitlines()}
        assert listens == {(protocol, port) for host, protocols, port in rows if host in (role, "any")
                           for protocol in protocols.split(", ")}


def test_programs_run_as_nobody_in_particular_and_keys_are_theirs_alone(running):
    machine = running.replica("london")
    users = machine.run("ps -eo user:20,comm")
    assert re.search(r"^perigee +httpserver$", users, re.MULTILINE) and re.search(r"^perigee +prober$", users, re.MULTILINE)
    assert machine.run("stat -c '%U %a' /opt/perigee/current/keys/key.pem") == "perigee 600\n"
    assert machine.run("ls /opt/perigee/current/keys").split() == ["ca.pem", "cert.pem", "key.pem"]
    director = running.machines[DIRECTOR]
    assert director.run("stat -c '%U %a' /opt/perigee/current/keys/operator") == "root 700\n"
    assert "takes an operator" in director.run("cd /opt/perigee/current; sh host.sh cdnctl --identity keys reload 2>&1",
                                               check=False), "with dnsserver's own certificate"
    held = {m.run("sha256sum < /opt/perigee/current/keys/key.pem") for m in running.machines.values()}
    assert len(held) == len(running.machines)


@pytest.mark.skipif(not can_have_systemd(), reason="no systemd here, no cgroup2, or a chroot")
def test_where_there_is_systemd_it_keeps_the_programs(running):
    units = running.replica("miami").run("systemctl list-units --plain --no-legend 'perigee-deployed-*'; "
                                         "systemctl is-enabled perigee-deployed-httpserver.socket perigee-deployed-prober.service")
    assert units.count(" active running ") == 3 and units.count("enabled") == 2, units
    assert "perigee-deployed" not in running.replica("london").run("ls /etc/systemd/system")


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


@pytest.mark.parametrize("replica", REPLICAS)
def test_a_program_that_is_killed_is_started_again(running, replica):
    machine = running.replica(replica)
    before = machine.run("pidof httpserver").split()
    machine.run(f"kill -9 {before[0]}")
    wait_until("httpserver is back", lambda: machine.run("pidof httpserver", check=False).split() not in ([], before))


def test_traffic_leaves_a_replica_that_is_killed(running, report):
    machine = running.replica("london")
    wait_until("it has clients", lambda: running.dig() == [machine.address])
    machine.run("kill -9 $(cut -d' ' -f1 /opt/perigee/run/*.supervisor /opt/perigee/run/*.process)")
    began = time.monotonic()
    wait_until("its clients go elsewhere", lambda: running.dig() not in ([], [machine.address]), 10)
    took = time.monotonic() - began
    report(f"traffic left a replica killed with -9 after {took:.1f} s")
    assert "started" in running.do("runCDN").stderr
    wait_until("its clients are back", lambda: running.dig() == [machine.address])


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
    said, status = running.interrupt("runCDN", when="changing over")
    assert status == 130 and "the same command goes on from here" in said, said
    assert "drained" not in running.do("runCDN").stdout, "whom the first run drained, the second one gives back"
    seen = json.loads(load.communicate("")[0])
    report(f"upgrade and rollback under load: {seen['requests']} requests, {len(seen['failures'])} failed")
    assert len(re.findall("✓ .*exchanged", upgraded)) == len(running.machines)
    assert not set(before.values()) & set(after.values()) and running.releases() == before
    assert seen["failures"] == [] and seen["requests"] > 100


def test_after_a_theft_old_keys_open_nothing(running):
    """docs/security.md."""
    shutil.copytree(running.folder / "cdn-keys", running.folder / "stolen")
    (running.folder / "thief.textproto").write_text(
        (running.folder / "cdn.textproto").read_text() + f'domain: "{DOMAIN}" control {{ ca_file: "stolen/ca.pem" '
        'certificate_file: "stolen/operator/cert.pem" key_file: "stolen/operator/key.pem" }')

    def steal():
        return running.world.run(OPERATOR, BIN / "cdnctl", "--config", "thief.textproto", "stats", cwd=running.folder)

    assert steal().returncode == 0
    for example in examples("docs/security.md", r"\./|rm "):
        running.follow(*example.values)
    assert steal().returncode != 0


def test_stopped_nothing_is_left(running):
    out = running.do("stopCDN").stdout
    assert out.count("ended") == 1 + 2 * len(REPLICAS), out
    for machine in running.machines.values():
        assert machine.processes() == running.idle[machine.name]
        assert machine.run("ls -d /etc/systemd/system/perigee* 2>/dev/null || :") == ""
        assert machine.run("cd /opt/perigee; ls -A run tmp").split() == ["run:", "tmp:"]
        assert machine.run("ls -d /run/perigee* /tmp/[!.]* 2>/dev/null || :") == ""
        assert "LISTEN" not in machine.run("ss -Hltn 'sport != :22'")
    assert running.do("stopCDN").stdout.count("was not running") == len(running.machines)
