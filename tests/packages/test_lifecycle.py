"""The Debian packages on a clean machine with systemd: installed, started, upgraded, removed. Needs root."""

import contextlib
import os
import re
import subprocess

import pytest
from commands import ROOT, run, spans
from machine import ADDRESS, CLIENT, NETWORK, Machine, at_client

DEBS = ROOT / "build/release/packages"
FLEET = "/etc/perigee/cdn.textproto"
SERVICES = ("perigee-dnsserver", "perigee-httpserver", "perigee-prober")
DOMAIN, PAGE = "cdn.example.org", "hello from the origin\n"
# Of systemd-analyze security, out of 100: 0 is locked in best.
MOST_EXPOSED = {"perigee-dnsserver": 15, "perigee-httpserver": 15, "perigee-prober": 30}


def deb(name):
    """The newest of that name: an earlier version may lie beside it."""
    return max(DEBS.glob(f"perigee-{name}_*.deb"), key=lambda path: path.stat().st_mtime)


def configure(machine):
    """What an operator does after the installation, as README.Debian says."""
    machine.sh(f"""cd /root; cdnctl keys init; cdnctl keys issue here --role director --address {ADDRESS}
      cdnctl keys issue me --role operator; cd cdn-keys
      install -m 644 here/ca.pem here/cert.pem /etc/perigee/; install -m 640 -g perigee here/key.pem /etc/perigee/""")
    file = machine.root / FLEET[1:]
    text = re.sub(r'^replica .*\n', "", file.read_text(), flags=re.M)
    text = text.replace('"http://origin.example.org"', '"http://127.0.0.1:8000"')
    text += f'\nreplica {{ name: "here" ipv4: "{ADDRESS}" }}\nprobe_policy {{ allow_special: "198.18.0.0/15" }}\n'
    file.write_text(text)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with Machine(tmp_path_factory.mktemp("machine")) as machine:
        machine.install_before_boot(deb("tools"), deb("director"), deb("replica"))
        machine.boot()
        yield machine


@pytest.fixture(scope="module")
def origin(machine, tmp_path_factory):
    folder = tmp_path_factory.mktemp("origin")
    (folder / "page").write_text(PAGE)
    server = subprocess.Popen(["ip", "netns", "exec", NETWORK, "/usr/bin/python3", "-m", "http.server", "--bind",
                               "127.0.0.1", "8000"], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield server
    server.kill()
    server.wait()


def active(machine, unit):
    return machine.sh(f"systemctl is-active {unit}", check=False).stdout.strip()


def main_pid(machine, unit):
    return machine.sh(f"systemctl show -P MainPID {unit}").stdout.strip()


def pids(machine, names):
    """Of the processes with one of these names, A|B|…"""
    found = machine.sh(f"grep -lxE '{names}' /proc/[0-9]*/comm", check=False).stdout
    return re.findall(r"^/proc/(\d+)/", found, re.M)


def serves():
    """A client resolves the name and fetches the page from where it is told."""
    address = at_client("dig", "+short", "+tries=1", f"@{ADDRESS}", DOMAIN, "A").stdout.strip()
    page = at_client("wget", "-q", "-O", "-", "-T", "5", "--tries=1", f"http://{address}/page").stdout
    return address == ADDRESS and page == PAGE


# In this order: each begins where the one before has ended.


def test_an_installation_starts_nothing_and_says_what_to_do(machine):
    assert machine.sh("id -gn perigee").stdout == "perigee\n"
    for service in SERVICES:
        assert active(machine, service) == "inactive"
        assert machine.sh(f"systemctl is-enabled {service}", check=False).stdout == "disabled\n"
    assert machine.sh("cdnctl config check").returncode == 0
    assert "config check" in machine.sh("cat /usr/share/doc/perigee-tools/README.Debian").stdout
    for page in ("man1/cdnctl.1", "man8/dnsserver.8", "man8/httpserver.8", "man8/prober.8"):
        assert ".SH NAME" in machine.sh(f"zcat /usr/share/man/{page}.gz").stdout


@pytest.mark.parametrize("service", SERVICES)
def test_units_are_right_and_locked_in(machine, service, capsys):
    assert machine.sh(f"systemd-analyze verify --man=no {service}.service 2>&1").stdout == ""
    limit = MOST_EXPOSED[service]
    file = f"/usr/lib/systemd/system/{service}.service"
    said = machine.sh(f"systemd-analyze security --offline=yes --threshold={limit} {file} 2>&1", check=False)
    with capsys.disabled():
        print("\n " + said.stdout.splitlines()[-1])
    assert said.returncode == 0, said.stdout


def test_what_is_enabled_serves(machine, origin):
    configure(machine)
    machine.sh(f"systemctl enable --now {' '.join(SERVICES)} 2>&1")
    for service in SERVICES:
        assert active(machine, service) == "active", machine.sh(f"journalctl -u {service}").stdout
    machine.sh("timeout 20 sh -c 'until cdnctl status | grep -qw healthy; do sleep 0.2; done'")
    assert serves()


@pytest.mark.parametrize("command", [span for span in spans("docs/runbook.md") if re.match("(systemctl|journalctl) ", span)])
def test_the_runbook_looks_and_mends(machine, origin, command):
    assert machine.sh(command).returncode == 0
    machine.sh("timeout 20 sh -c 'until cdnctl status | grep -qw healthy; do sleep 0.2; done'")


def test_a_client_is_measured_by_scamper_within_the_sandbox(machine):
    table = machine.sh("cdnctl measure 198.18.0.2").stdout
    assert re.search(r"here +\d+\.\d+.*icmp-echo", table), table


def test_only_an_operator_drains(machine):
    refused = machine.sh("cdnctl drain here 2>&1", check=False)
    assert refused.returncode == 1 and "takes an operator" in refused.stdout
    for word in ("drain", "undrain"):
        machine.sh(f"cdnctl --identity /root/cdn-keys/me {word} here")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_holds_no_more_than_it_needs(machine, service):
    status = machine.sh(f"cat /proc/{main_pid(machine, service)}/status").stdout
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    uid = machine.sh("id -u perigee").stdout.strip()
    assert fields["Uid"].split() == [uid] * 4
    assert fields["NoNewPrivs"] == "1" and fields["Seccomp"] == "2"
    net_raw, sys_chroot, setuid, setgid, kill = 13, 18, 7, 6, 5
    allowed = sum(1 << bit for bit in (net_raw, sys_chroot, setuid, setgid, kill)) if "prober" in service else 0
    assert int(fields["CapBnd"], 16) == int(fields["CapEff"], 16) == allowed


def test_a_reload_is_told_to_systemd(machine):
    before = {service: main_pid(machine, service) for service in SERVICES}
    machine.sh(f"systemctl reload {' '.join(SERVICES)}")
    for service in SERVICES:
        machine.sh(f"timeout 20 sh -c 'until journalctl -u {service} | grep -q \"main: reloaded\"; do sleep 0.1; done'")
        assert main_pid(machine, service) == before[service]
    assert serves()


def test_a_scamper_that_hangs_is_ended_and_another_measures(machine):
    """Though nobody measures meanwhile. It has become another user, whom only KILL can end."""
    [watchdog] = pids(machine, "prober-watchdog")
    hung = machine.sh(f"cat /proc/{watchdog}/task/{watchdog}/children").stdout.strip()
    machine.sh(f"kill -STOP {hung}; timeout 40 sh -c 'while kill -0 {hung} 2>/dev/null; do sleep 0.2; done'")
    machine.sh("timeout 20 sh -c 'until cdnctl measure 198.18.0.2 | grep -q icmp-echo; do sleep 0.2; done'")


def test_a_killed_service_comes_back(machine):
    before = main_pid(machine, "perigee-httpserver")
    machine.sh(f"kill -9 {before}; timeout 20 sh -c 'until [ $(systemctl show -P NRestarts perigee-httpserver) = 1 ] && "
               "systemctl is-active -q perigee-httpserver; do sleep 0.1; done'")
    assert main_pid(machine, "perigee-httpserver") not in (before, "0")
    assert serves()


@contextlib.contextmanager
def load():
    """A client that resolves and fetches all the time; at the end it has not failed once."""
    script = f"""trap 'exit 0' TERM
      while :; do
        dig +short +tries=1 +time=5 @{ADDRESS} {DOMAIN} A | grep -qx {ADDRESS} || echo dig failed
        wget -q -O /dev/null -T 5 --tries=1 http://{ADDRESS}/page || echo wget failed
        echo asked
      done"""
    client = subprocess.Popen(["ip", "netns", "exec", CLIENT, "bash", "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        yield
    finally:
        client.terminate()
        said = client.communicate(timeout=20)[0]
    assert said.count("asked") > 10 and "failed" not in said, said


def next_version(folder):
    """The same packages as a later version."""
    debs = []
    for name in ("tools", "director", "replica"):
        tree = folder / name
        run("dpkg-deb", "-R", deb(name), tree)
        control = tree / "DEBIAN/control"
        version = re.search(r"^Version: (.*)$", control.read_text(), re.M)[1]
        control.write_text(control.read_text().replace(version, version + "+next"))
        if name == "tools":
            with open(tree / FLEET[1:], "a") as file:
                file.write("# The default has changed.\n")
        debs.append(folder / f"{name}.deb")
        run("dpkg-deb", "-b", "--root-owner-group", tree, debs[-1])
    return debs


def test_an_upgrade_under_load_fails_no_request_and_keeps_what_was_written(machine, tmp_path):
    pids = {service: main_pid(machine, service) for service in SERVICES}
    mine = machine.sh(f"cat {FLEET}").stdout
    for file in next_version(tmp_path):
        run("cp", file, machine.root / "root")
    with load():
        machine.sh("dpkg -i --force-confdef --force-confold /root/*.deb 2>&1")
        assert serves()
    assert machine.sh("dpkg-query -W -f '${Version}' perigee-director").stdout.endswith("+next")
    assert machine.sh(f"cat {FLEET}").stdout == mine
    for service in SERVICES:
        assert active(machine, service) == "active"
        assert main_pid(machine, service) != pids[service], f"{service} runs the old binary"
    assert serves()


def test_a_removal_stops_everything_and_keeps_what_was_written(machine):
    machine.sh("apt-get remove -y -q perigee-director perigee-replica perigee-tools 2>&1")
    for service in SERVICES:
        assert active(machine, service) == "inactive"
    assert pids(machine, "dnsserver|httpserver|prober|prober-watchdog|scamper") == []
    assert ":53 " not in machine.sh("cat /proc/net/tcp6 /proc/net/udp6").stdout.replace(":0035 ", ":53 ")
    assert machine.sh(f"test -s {FLEET} && test -s /var/lib/perigee/dns.sqlite").returncode == 0


def test_a_purge_leaves_nothing_but_the_operators_keys(machine):
    machine.sh("apt-get purge -y -q perigee-director perigee-replica perigee-tools 2>&1")
    left = machine.sh("find / -xdev -name '*perigee*' -not -path '/proc/*' -not -path '/root/*' -not -path '/tmp/*' "
                      "-not -path '/var/log/journal/*'").stdout
    assert left.split() == ["/etc/perigee"]
    assert sorted(machine.sh("ls /etc/perigee").stdout.split()) == ["ca.pem", "cert.pem", "key.pem"]
