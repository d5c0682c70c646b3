"""A dnsserver on loopback, without a world: for what a query is answered, whatever the distance."""

import json
import pathlib
import re
import signal
import subprocess
import sys

import dns_raw
from cdn import BIN, resident_kib, wait_until
from dns_raw import free_port
from metrics_page import HasMetrics

HERE = pathlib.Path(__file__).parent
DOMAIN = "cdn.example.org"
REPLICAS = {"near": "127.0.0.2", "far": "127.0.0.3"}
RTTS_US = {"near": 2_000, "far": 8_000}
# The policy refuses to probe a host's own addresses: clients ask from others.
CLIENT = "127.9.9.9"
# Nobody listens there.
UNREACHABLE_PORT = 1


class LocalDns(HasMetrics):
    """`fleet` is text for the fleet file beside what is always in it; `files` are written beside it.

    `passive_us` is what a replica's connections with CLIENT take: then that one answers no probe.
    """

    listen = ["--listen", "127.0.0.1"]
    pass_fds = ()

    def __init__(self, folder, fleet="", files=(), flags=(), probers=False, domain=DOMAIN, steering="hold_ms: 50",
                 passive_us=()):
        self.folder = pathlib.Path(folder)
        self.port, self.metrics_port = free_port(), free_port()
        self.flags, self.domain = flags, domain
        self.probers, self.passive_us = [], dict(passive_us)
        lines = [f'domain: "{domain}"', *self._replica_lines(probers)]
        lines.append('probe_policy { allow_special: "127.0.0.0/8" allow_special: "198.18.0.0/15" allow_special: "fd00::/8"'
                     " max_probes_per_second: 100000 max_probes_per_prefix_per_second: 1000 }")
        lines.append(f"steering {{ {steering} }}")
        self.fleet_text = "\n".join(lines) + "\n" + fleet.replace("METRICS", f"127.0.0.1:{self.metrics_port}")
        self.write("cdn.textproto", self.fleet_text)
        for name, text in dict(files).items():
            self.write(name, text)

    def _replica_lines(self, probers):
        ports = {name: self._start_prober(name) if probers else UNREACHABLE_PORT for name in REPLICAS}
        return [f'replica {{ name: "{name}" ipv4: "{REPLICAS[name]}" prober_port: {port} control_port: {port} }}'
                for name, port in ports.items()]

    def _start_prober(self, name):
        times = [RTTS_US[name], *([self.passive_us[name]] if name in self.passive_us else [])]
        process = subprocess.Popen([sys.executable, HERE / "fixed_prober.py", REPLICAS[name], *map(str, times)],
                                   stdout=subprocess.PIPE, text=True)
        self.probers.append(process)
        return int(process.stdout.readline())

    def write(self, name, text):
        """Whole or not at all, as an editor would."""
        fresh = self.folder / f".{name}.new"
        fresh.write_text(text)
        fresh.rename(self.folder / name)

    def command(self):
        return [BIN / "dnsserver", "-p", str(self.port), *self.listen, "--control", "127.0.0.1:0",
                "--config", "cdn.textproto", *self.flags]

    def start(self):
        self.log_start = len(self.log())
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(self.command(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, pass_fds=self.pass_fds)
        wait_until("dnsserver listens", lambda: self.control_port)
        return self

    @property
    def control_port(self):
        """None as long as it does not listen."""
        if self.process.poll() is not None:
            raise RuntimeError(f"dnsserver ended with {self.process.returncode}:\n{self.log()}")
        found = re.search(r"control port (\d+)", self.log()[self.log_start:])
        return found and int(found[1])

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def end(self):
        """Ends the server as systemd would, and waits for it."""
        self.process.terminate()
        return self.process.wait(10)

    def stop(self):
        for process in [getattr(self, "process", None), *self.probers]:
            if process and process.poll() is None:
                process.kill()
                process.wait()

    def log(self):
        file = self.folder / "log"
        return file.read_text() if file.exists() else ""

    def signal_reload(self):
        self.process.send_signal(signal.SIGHUP)

    def cdnctl(self, *arguments):
        return subprocess.run([BIN / "cdnctl", "--director", f"127.0.0.1:{self.control_port}", *arguments],
                              cwd=self.folder, capture_output=True, text=True, timeout=10)

    # Queries.

    def ask(self, qname, qtype, qclass=dns_raw.IN, *, source=CLIENT, timeout=dns_raw.TIMEOUT_S, **how):
        return dns_raw.udp(self.port, dns_raw.query(qname, qtype, qclass, **how), source, timeout)

    def tcp(self, source=CLIENT):
        return dns_raw.Tcp(self.port, source)

    def dig(self, *arguments):
        return subprocess.run(["dig", "@127.0.0.1", "-p", str(self.port), "-b", CLIENT, "+tries=1", "+time=3",
                               *arguments], capture_output=True, text=True, timeout=20).stdout

    def wait_known(self, source=CLIENT):
        """Until a client is answered by measurement, which needs the replicas to be healthy."""

        def known():
            self.ask(self.domain, dns_raw.A, source=source, timeout=0.5)
            return "measured-best" in self.cdnctl("explain", source).stdout

        wait_until("the nearest replica is known", known)

    # What it tells of itself.

    def decisions(self, name="decisions.log"):
        file = self.folder / name
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def resident_kib(self):
        return resident_kib(self.process.pid)
