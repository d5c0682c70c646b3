"""A whole CDN in the emulated world: the release binaries, real scamper, nginx as the origin, mTLS throughout.

Used by the demo and by the end-to-end tests. Needs root. Everything runs in network namespaces that the world
emulator makes, and ends with it.
"""

import dataclasses
import hashlib
import itertools
import os
import pathlib
import re
import signal
import subprocess
import time

from in_host import python_in
from stalls import Stalls
from world_lock import WorldLock

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = ROOT / "build" / "release" / "bin"
EARTH = ROOT / "tests" / "world" / "earth.world"
DOMAIN = "cdn.perigee.test"
BEACON = f"beacon.{DOMAIN}"
PROBER_PORT, REPLICA_PORT, DIRECTOR_PORT = 4301, 4302, 4303
MEASUREMENT_LOG = "measurements.log"
START_TIMEOUT_S = 30
# What scheduling and dig itself may take on a busy two-core machine.
SLACK_MS = 60
# What Perigee itself takes for reason enough to move a client, in ms: what one probe on a busy machine says is no finer.
NEAR_MS = 5.0
STOP_TIMEOUT_S = 5
DIG_PORTS = range(10_000, 32_768)  # below those that the kernel gives


@dataclasses.dataclass(frozen=True)
class Host:
    name: str
    role: str
    city: str
    ipv4: str
    ipv6: str | None
    knobs: tuple[str, ...]


def read_hosts(description=EARTH):
    """The hosts of a world description, by name; its format is in tests/world/README.md."""
    hosts = {}
    for line in description.read_text().splitlines():
        words = line.split("#")[0].split()
        if not words or words[0] != "host":
            continue
        name, role, city, ipv4, *rest = words[1:]
        ipv6 = rest.pop(0) if rest and ":" in rest[0] else None
        hosts[name] = Host(name, role, city, ipv4, ipv6, tuple(rest))
    return hosts


def wait_until(what, condition, timeout_s=START_TIMEOUT_S):
    """Polls until `condition` gives a true value, and returns that."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {timeout_s} s")
        time.sleep(0.05)


class World:
    """The emulator as a process; `select` names hosts or roles, all by default. `lock`: that the machine's one world is this
    run's, until stop(). `kept`: it may outlive this run, and is the machine's one world until it ends."""

    def __init__(self, select=(), lock=None, kept=False):
        self._lock, self._rtts = lock or WorldLock(), {}
        subprocess.run([BIN / "world", "down"], capture_output=True)  # what a run that was killed has left
        self.hosts = {
            h.name: h for h in read_hosts().values() if not select or h.name in select or h.role in select
        }
        read_fd, write_fd = os.pipe()
        command = [BIN / "world", "up", "--description", EARTH, "--ready-fd", str(write_fd)]
        if select:
            command += ["--select", ",".join(select)]
        self._process = subprocess.Popen(
            command, pass_fds=[write_fd, *([self._lock.fileno()] if kept else [])], start_new_session=True,
            stdout=subprocess.DEVNULL,
        )
        if kept:
            self._lock.name(self._process.pid, "the emulator, kept: build/release/bin/world down ends it")
        os.close(write_fd)
        with os.fdopen(read_fd) as ready:
            self.ready_line = ready.readline().strip()
        if not self.ready_line:
            raise RuntimeError(f"the world did not come up (exit {self._process.wait()})")
        self.stalls = Stalls()

    def with_role(self, role):
        return [h for h in self.hosts.values() if h.role == role]

    def command(self, host, *command):
        return [str(BIN / "world"), "exec", host, "--", *map(str, command)]

    def run(self, host, *command, timeout=30, check=False, **how):
        return subprocess.run(
            self.command(host, *command), capture_output=True, text=True, timeout=timeout, check=check, **how
        )

    def set(self, *words):
        subprocess.run([BIN / "world", "set", *words], check=True, capture_output=True)

    def rtt_ms(self, a, b):
        """As described: what has been set meanwhile does not count."""
        if (a, b) not in self._rtts:
            out = subprocess.run(
                [BIN / "world", "rtt", a, b, "--description", EARTH], check=True, capture_output=True, text=True
            )
            self._rtts[a, b] = float(out.stdout.split()[0])
        return self._rtts[a, b]

    def nearest(self, client):
        """The replica truly nearest to a client, and all RTTs in ms by replica."""
        rtts = {r.name: self.rtt_ms(r.name, client) for r in self.with_role("replica")}
        return min(rtts, key=rtts.get), rtts

    def stop(self):
        self.stalls.stop()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        subprocess.run([BIN / "world", "down"], capture_output=True)
        self._lock.release()

    def use_resolver(self, host, address):
        folder = pathlib.Path(f"/etc/netns/pg-{host}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "resolv.conf").write_text(f"nameserver {address}\noptions timeout:3 attempts:2\n")


def page(name, size):
    """Bytes that depend on `name` alone: a page of words, or an image of noise that no codec would shrink."""
    if name.endswith(".html"):
        words = " ".join(hashlib.sha256(f"{name}{i}".encode()).hexdigest() for i in range(size // 64))
        return f"<!doctype html><title>{name}</title><p>{words}</p>\n".encode()
    blocks = (hashlib.sha256(f"{name}{i}".encode()).digest() for i in range(size // 32 + 1))
    return b"\xff\xd8\xff\xe0" + b"".join(blocks)[:size]


def make_keys(folder, *peers):
    """A CA, and a folder of keys for each (name, role, addresses…), as an operator makes them; valid for a day."""

    def keys(*words):
        subprocess.run([BIN / "cdnctl", "keys", *words, "--keys", folder, "--days", "1"], check=True, capture_output=True)

    keys("init")
    for name, role, *addresses in peers:
        keys("issue", name, "--role", role, *(word for address in addresses for word in ("--address", address)))


class Cdn:
    """The fleet of a world: prober and httpserver on every replica, nginx on the origin, dnsserver on the director."""

    def __init__(self, world, folder, steering=""):
        self.world = world
        self.folder = pathlib.Path(folder)
        self.processes = {}
        self._steering = steering
        self._dig_ports = itertools.cycle(DIG_PORTS)
        hosts = [*world.with_role("replica"), *world.with_role("director")]
        make_keys(self.folder, *((h.name, h.role, *filter(None, (h.ipv4, h.ipv6))) for h in hosts))
        for host in hosts:
            (self.folder / host.name / "cdn.textproto").write_text(self._fleet_file())
        self.director = world.with_role("director")[0]
        self.origin = world.with_role("origin")[0]

    def _fleet_file(self):
        lines = [f'domain: "{DOMAIN}"', f'origin: "http://{self.world.with_role("origin")[0].ipv4}"']
        for r in self.world.with_role("replica"):
            ipv6 = f' ipv6: "{r.ipv6}"' if r.ipv6 else ""
            lines.append(f'replica {{ name: "{r.name}" ipv4: "{r.ipv4}"{ipv6} location: "{r.city}" }}')
        lines.append('probe_policy { allow_special: "198.18.0.0/15" allow_special: "fd00::/8" }')
        lines.append('control { ca_file: "ca.pem" certificate_file: "cert.pem" key_file: "key.pem" }')
        lines.append(f'dns {{ measurement_log: "{MEASUREMENT_LOG}" }}')
        lines.append(f'steering {{ beacon: "{BEACON}" {self._steering} }}')
        return "\n".join(lines) + "\n"

    # Processes, by "program@host".

    def start(self, program, host, *command, cwd=None):
        log = open(self.folder / f"{program}@{host}.log", "ab")
        self.processes[f"{program}@{host}"] = subprocess.Popen(
            self.world.command(host, *command), cwd=cwd or self.folder / host, stdout=log, stderr=log,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )

    def process(self, program, host):
        return self.processes[f"{program}@{host}"]

    def log(self, program, host):
        return (self.folder / f"{program}@{host}.log").read_text()

    def kill(self, program, host, how=signal.SIGKILL):
        process = self.process(program, host)
        process.send_signal(how)
        return process.wait(STOP_TIMEOUT_S)

    def start_prober(self, replica):
        self.start("prober", replica.name, BIN / "prober", "--listen", f"{replica.ipv4}:{PROBER_PORT}",
                   "--config", "cdn.textproto")

    def start_httpserver(self, replica):
        self.start("httpserver", replica.name, ROOT / "httpserver", "-p", "80", "-o",
                   f"http://{self.origin.ipv4}", "--config", "cdn.textproto",
                   "--control", f"{replica.ipv4}:{REPLICA_PORT}")

    def start_dnsserver(self, *flags):
        addresses = [a for a in (self.director.ipv4, self.director.ipv6) if a]
        self.start("dnsserver", self.director.name, ROOT / "dnsserver", "-p", "53", "-n", DOMAIN,
                   "--listen", *addresses, "--control", f"127.0.0.1:{DIRECTOR_PORT}",
                   "--ns-address", *addresses, *flags)

    def start_origin(self):
        site = self.folder / "site"
        site.mkdir(exist_ok=True)
        config = self.folder / "nginx.conf"
        config.write_text(f"""
            user root; worker_processes 1; daemon off; pid {self.folder}/nginx.pid; error_log {self.folder}/nginx.err;
            events {{ worker_connections 1024; }}
            http {{
              types {{ text/html html; image/jpeg jpg; }}
              access_log {self.folder}/nginx.access;
              server {{
                listen {self.origin.ipv4}:80; root {site};
                location /short/ {{ add_header Cache-Control "max-age=1"; }}
                location / {{ add_header Cache-Control "max-age=300"; }}
              }}
            }}""")
        self.start("nginx", self.origin.name, "nginx", "-c", config, "-p", self.folder, cwd=self.folder)

    def publish(self, path, size):
        """Puts a page on the origin and returns its bytes."""
        file = self.folder / "site" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        body = page(path, size)
        file.write_bytes(body)
        return body

    def start_all(self):
        self.start_origin()
        for replica in self.world.with_role("replica"):
            self.start_prober(replica)
            self.start_httpserver(replica)
        self.start_dnsserver()
        self.wait_ready()

    def wait_ready(self):
        """Until every replica is healthy and all distances are known."""
        count = len(self.world.with_role("replica"))

        def ready():
            for name, process in self.processes.items():
                if process.poll() is not None:
                    raise RuntimeError(f"{name} ended with {process.poll()}:\n{self.log(*name.split('@'))}")
            rows = self.status()
            return len(rows) == count and all(
                r["HEALTH"] == "healthy" and r["CONTROL"] != "-" and r["DISTANCES"] == f"{count - 1}/{count - 1}"
                for r in rows
            )

        try:
            wait_until("the fleet is healthy", ready)
        except TimeoutError as error:
            logs = "".join(f"{name}: {self.log(*name.split('@'))[-500:]}\n" for name in self.processes)
            raise TimeoutError(f"{error}\n{self.cdnctl('status').stdout}\n{logs}") from None

    def stop(self):
        for process in self.processes.values():
            if process.poll() is None:
                process.terminate()
        for process in self.processes.values():
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def kill_child(self, program, host, child):
        """Kills -9 the one descendant of a program whose command name is `child`, and only that."""
        parents = [self.process(program, host).pid]
        while parents:
            pids = [int(p) for pid in parents for p in _children(pid)]
            for pid in pids:
                if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == child:
                    os.kill(pid, signal.SIGKILL)
                    return
            parents = pids
        raise RuntimeError(f"{program}@{host} has no {child}")

    # What can be seen from outside.

    @property
    def measurement_log(self):
        return self.folder / self.director.name / MEASUREMENT_LOG

    def network(self, client):
        return self.world.hosts[client].ipv4.rsplit(".", 1)[0] + ".0/24"

    def measurements(self, client, since=0):
        """Of each measurement of a client's network that has ended: why it was made (docs/measurement-log.md). `since`: a size
        that the log has had, for what came later."""
        lines = self.measurement_log.read_text()[since:].splitlines()
        return [words[2] for words in map(str.split, lines) if words[1] == self.network(client)]

    def origin_requests(self, path):
        return (self.folder / "nginx.access").read_text().count(f'"GET {path} ')

    def cache_file(self, replica):
        """The bytes of a replica's cache as a crash would leave them: the database and its log."""
        files = sorted((self.folder / replica).glob("perigee-cache.sqlite*"))
        return b"".join(f.read_bytes() for f in files)

    def stats(self, replica):
        """Replica.Stats by field name; read from the proto file so that it needs no generated code."""
        payload = python_in("director", _stats_payload, self, f"{self.world.hosts[replica].ipv4}:{REPLICA_PORT}")
        proto = (ROOT / "proto" / "perigee" / "v1" / "replica.proto").read_text()
        message = re.search(r"message StatsResponse \{(.*?)\n\}", proto, re.DOTALL)[1]
        names = {int(n): name for name, n in re.findall(r"\w+ (\w+) = (\d+);", message)}
        values = dict.fromkeys(names.values(), 0)
        values.update((names[number], value) for number, value in payload)
        return values

    # What an operator and a client do.

    def cdnctl(self, *arguments):
        return subprocess.run(
            self.world.command(self.director.name, BIN / "cdnctl", *arguments), capture_output=True, text=True,
            cwd=self.folder / self.director.name, timeout=10,
        )

    def status(self):
        """`cdnctl status` as a list of rows; empty while the director does not answer."""
        out = self.cdnctl("status")
        lines = [re.split(r"\s+", line.replace(" ms", "").strip()) for line in out.stdout.splitlines()]
        return [dict(zip(lines[0], line)) for line in lines[1:]]

    def explain(self, client):
        return self.cdnctl("explain", client).stdout

    def dig(self, client, *flags, server=None, rr_type="A", name=DOMAIN):
        """One query from a client: the addresses, the query time in ms, without what the machine stood still meanwhile, and
        the raw text."""
        began = time.monotonic()
        server = server or self.director.ipv4
        # dig shares its port (SO_REUSEPORT): of many at once two may have the same, and one of them both answers.
        own = f"{'::' if ':' in server else '0.0.0.0'}#{next(self._dig_ports)}"
        out = self.world.run(client, "dig", "-b", own, f"@{server}", name, rr_type, "+tries=1", "+time=5", "+noall",
                             "+answer", "+comments", "+stats", "-u", *flags)
        addresses = re.findall(rf"\s{rr_type}\s+(\S+)$", out.stdout, re.MULTILINE)
        took = re.search(r"Query time: (\d+) usec", out.stdout)
        stalled_ms = self.world.stalls.within(began, time.monotonic()) * 1000
        ms = max(0, float(took[1]) / 1000 - stalled_ms) if took else None
        return addresses, ms, out.stdout

    def ask_director(self, client, *flags):
        """The replica that a client is given, and how long the director took for the answer, in ms."""
        addresses, ms, text = self.dig(client, *flags)
        assert addresses, text
        return self.replica_at(addresses[0]), ms - self.world.rtt_ms(client, "director")

    def forget_clients(self):
        """Starts dnsserver anew: all clients are strangers."""
        self.kill("dnsserver", self.director.name, signal.SIGTERM)
        self.start_dnsserver()
        self.wait_ready()

    def replica_at(self, address):
        return next((r.name for r in self.world.with_role("replica") if address in (r.ipv4, r.ipv6)), None)

    def wget(self, client, url, *flags):
        """The body, the response headers as text, and the seconds it took; wget itself checks the length."""
        target = self.folder / f"wget-{client}-{time.monotonic_ns()}"
        started = time.monotonic()
        out = self.world.run(client, "wget", "-q", "-S", "-T", "20", "--tries=1", "-O", target, *flags, url)
        took = time.monotonic() - started
        body = target.read_bytes() if target.exists() else b""
        target.unlink(missing_ok=True)
        return body, out.stderr, took, out.returncode


def _children(pid):
    return [child for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()]


def _stats_payload(cdn, address):
    import grpc_raw  # gRPC must not be loaded in a process that forks later

    with grpc_raw.channel(cdn, "director", address) as channel:
        return grpc_raw.varint_fields(grpc_raw.call(channel, "/perigee.v1.Replica/Stats"))


def cache_status(headers):
    found = re.search(r"^\s*Cache-Status:\s*(.*)$", headers, re.MULTILINE | re.IGNORECASE)
    return found[1].strip() if found else ""


def resident_kib(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])
