"""What the README says to do by hand, as printed, on hosts of the emulated world."""

import json
import os
import re
import shlex
import subprocess

import pytest
from cdn import BIN, ROOT, wait_until
from commands import blocks, replace

PAGE = "README.md"
# By their first words. The others are followed by test_deploy.py and, on a bare machine, by `scripts/dev readme`.
FLEET, KEYS, GRPCURL, PURGING, DIRECTOR, UNITS = 'domain: "cdn', "cdnctl keys init", "grpcurl", "cdnctl purge", "kill -HUP", "# dns.socket"
BY_HAND, WATCHING, RESTART = (f"./httpserver -p 80 -o http://origin.example.org {flag}" for flag in ("--config", "--access-log", "…"))
HERE = (FLEET, BY_HAND, KEYS, GRPCURL, PURGING, DIRECTOR, UNITS, WATCHING, RESTART)
ELSEWHERE = ("$ ./scripts/demo\n", "./scripts/demo ", "./deployCDN ", "cd build/release ")

DUBLIN, TOKYO, NS, ALONE = "client-madrid", "client-osaka", "client-caracas", "client-oslo"
ORIGIN, CLIENT = "client-warsaw", "client-milan"
PAGE_TEXT = "from the origin\n"
# The operator works on the director's host.
IDENTITY = "cdn-keys/me"


def block(begins):
    [found] = [block for block in blocks(PAGE) if block.startswith(begins)]
    return found


def commands(begins):
    """The block's commands without what is said about them, two spaces behind."""
    return [re.split(r" {2,}", line)[0] for line in block(begins).splitlines()]


def only(word, lines):
    return [line for line in lines if word in line]


class Site:
    """A folder for each host that takes part, in which the project seems to be."""

    def __init__(self, world, folder):
        self.world, self.folder, self.processes = world, folder, {}
        (folder / "site").mkdir()
        (folder / "site/index.html").write_text(PAGE_TEXT)
        for host in (DUBLIN, TOKYO, NS, ALONE, ORIGIN, CLIENT):
            (folder / host).mkdir()
            for name in ("httpserver", "dnsserver", "build"):
                (folder / host / name).symlink_to(ROOT / name)
        world.use_resolver(CLIENT, self.address(NS))

    def address(self, host):
        return self.world.hosts[host].ipv4

    def here(self, text):
        return replace(text, {
            "192.0.2.10": self.address(DUBLIN), "192.0.2.20": self.address(TOKYO), "192.0.2.1": self.address(NS),
            "http://origin.example.org": f"http://{self.address(ORIGIN)}", "198.51.100.7": self.address(CLIENT)})

    def start(self, name, host, line):
        with open(self.folder / f"{name}@{host}.log", "ab") as log:
            process = subprocess.Popen(self.world.command(host, *shlex.split(self.here(line))), stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=log, cwd=self.folder / host, start_new_session=True)
        self.processes[name, host] = process
        return process

    def run(self, host, line):
        path = f"{BIN}:{ROOT / 'tests/tools'}:{os.environ['PATH']}"
        env = {**os.environ, "PATH": path}
        if "--identity" not in line and (self.folder / host / IDENTITY).exists():
            env["PERIGEE_IDENTITY"] = IDENTITY
        return self.world.run(host, "bash", "-c", self.here(line), cwd=self.folder / host, env=env)

    def do(self, host, line):
        done = self.run(host, line)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
        return done.stdout

    def log(self, name, host):
        return (self.folder / f"{name}@{host}.log").read_text()

    def stop(self):
        for process in self.processes.values():
            process.kill()
            process.wait()


def settle(site):
    """Fleet file and certificates, as the README says, for the three hosts."""
    fleet = block(FLEET).replace('ipv6: "2001:db8::20"', "") + 'probe_policy { allow_special: "198.18.0.0/15" }\n'
    fleet += f"dns {{ {' '.join(re.findall(r'with dns { (.*?) }', block(DIRECTOR)))} }}\n"
    for host in (DUBLIN, TOKYO, NS):
        (site.folder / host / "cdn.textproto").write_text(site.here(fleet))
        (site.folder / host / "urls.txt").write_text("/index.html\n")
    init, director, replica, operator, *_ = commands(KEYS)
    for line in (init, director, replica, replica.replace("dublin", "tokyo").replace("192.0.2.10", "192.0.2.20"), operator):
        site.do(NS, line)
    for name, host in (("ns1", NS), ("dublin", DUBLIN), ("tokyo", TOKYO)):
        site.do(NS, f"cp cdn-keys/{name}/*.pem {site.folder / host}")


@pytest.fixture(scope="module")
def site(world, tmp_path_factory):
    made = Site(world, tmp_path_factory.mktemp("readme"))
    try:
        settle(made)
        made.start("origin", ORIGIN, f"python3 -m http.server 80 --directory {made.folder / 'site'}")
        wait_until("the origin serves", lambda: made.run(CLIENT, "wget -qO- http://origin.example.org/").stdout == PAGE_TEXT)
        for host in (DUBLIN, TOKYO):
            for name in ("httpserver", "prober"):
                [line] = only(name, commands(BY_HAND))
                made.start(name, host, line.replace("192.0.2.10", made.address(host)))
        made.start("dnsserver", NS, *only("dnsserver", commands(BY_HAND)))
        wait_until("both replicas are healthy", lambda: len(re.findall(r"\bhealthy\b", made.run(NS, "cdnctl status").stdout)) == 2)
        yield made
    finally:
        made.stop()


def test_every_block_is_followed():
    for text in blocks(PAGE):
        assert sum(text.startswith(words) for words in HERE + ELSEWHERE) == 1, text


def test_the_fleet_file_is_right(tmp_path):
    (tmp_path / "cdn.textproto").write_text(block(FLEET))
    done = subprocess.run([BIN / "cdnctl", "config", "check"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", only("cdnctl", commands(BY_HAND)))
def test_cdnctl_knows_the_fleet(site, line):
    assert {"dublin", "tokyo"} <= set(site.do(NS, line).split())


def test_a_client_is_served_by_the_nearest(site):
    assert site.do(CLIENT, f"dig +short @{site.address(NS)} cdn.example.org").split() == [site.address(DUBLIN)]
    assert site.do(CLIENT, "wget -qO- http://cdn.example.org/") == PAGE_TEXT


@pytest.mark.parametrize("line", commands(GRPCURL))
def test_grpcurl(site, line):
    assert json.loads(site.do(NS, line))


@pytest.mark.parametrize("line", commands(PURGING))
def test_the_caches_are_purged_and_warmed(site, line):
    said = site.do(NS, line).split()
    if "drain" in line:
        site.do(NS, "cdnctl undrain dublin --direct")
    else:
        assert {"dublin", "tokyo"} <= set(said)


def test_keys_are_shown_and_the_operators_drain(site):
    *_, drain, show = commands(KEYS)
    site.do(NS, drain)
    site.do(NS, "cdnctl undrain dublin")
    assert {"ns1", "dublin", "tokyo", "me"} <= set(site.do(NS, show).split())


def test_the_director_is_told(site):
    reload, drain, metrics, decisions, measurements = commands(DIRECTOR)
    site.do(NS, reload.replace("PID", str(site.processes["dnsserver", NS].pid)))
    wait_until("it has reloaded", lambda: "reloaded" in site.log("dnsserver", NS))
    site.do(NS, drain)
    assert "drain" in site.do(NS, "cdnctl status")
    site.do(NS, "cdnctl undrain tokyo")
    assert "# TYPE perigee_dns_queries_total counter" in site.do(NS, metrics)
    # Until a second later, for it does not end.
    assert json.loads(site.run(NS, f"timeout 1 {decisions}").stdout.splitlines()[0])
    assert " distances " in site.run(NS, f"timeout 1 {measurements}").stdout


@pytest.fixture(scope="module")
def alone(site):
    """The httpserver that is watched, and then restarted."""
    process = site.start("httpserver", ALONE, commands(WATCHING)[0])
    wait_until("it serves", lambda: site.run(ALONE, "wget -qO- http://127.0.0.1:9354/metrics").returncode == 0)
    return process


def ask(site):
    return site.do(CLIENT, f"wget -qO- --header='Host: cdn.example.org' http://{site.address(ALONE)}/")


def test_a_replica_is_watched(site, alone):
    _, metrics, reopen = commands(WATCHING)
    log = site.folder / ALONE / "access.log"
    ask(site)
    wait_until("the request is in the log", lambda: "GET / HTTP/1.1" in log.read_text())
    assert "# TYPE perigee_http_requests_total counter" in site.do(ALONE, metrics)
    log.rename(log.with_suffix(".1"))
    site.do(ALONE, reopen.replace("PID", str(alone.pid)))
    wait_until("the log is open anew", log.exists)


def test_a_replica_is_restarted(site, alone):
    flags = commands(WATCHING)[0].partition("http://origin.example.org ")[2]
    site.start("httpserver", ALONE, commands(RESTART)[0].replace("…", flags).replace("PID", str(alone.pid)))
    assert ask(site) == PAGE_TEXT
    assert alone.wait(15) == 0


def test_systemd_may_open_the_ports(tmp_path):
    """Two units side by side."""
    first, *lines = block(UNITS).splitlines()
    second = first.index("# dns.service")
    (tmp_path / "dns.socket").write_text("\n".join(line[:second].strip() for line in lines) + "\n")
    service = "\n".join(line[second:].strip() for line in lines) + "\n"
    (tmp_path / "dns.service").write_text(service.replace("/usr/local/bin", str(BIN)))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", tmp_path / "dns.socket",
                           tmp_path / "dns.service"], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
