"""The servers that are compared, each as its experts would run it: one UDP thread, no log, on 127.0.0.1."""

import contextlib
import pathlib
import socket
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import common  # noqa: E402
from common import BIN, LOAD_CORE, free_port  # noqa: E402

ZONE, NAME = "example.org", "cdn.example.org"
REPLICAS = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
CLIENT = "127.9.9.9"  # one that asks for itself; not 127.0.0.1, which is dnsserver's own address
WARM_OCTET, COLD_OCTET = 240, 248  # 240.0.0.0/5 and 248.0.0.0/5, reserved: nobody is there to be probed

ZONE_FILE = f"""$ORIGIN {ZONE}.
$TTL 3600
@ SOA ns1 hostmaster 1 3600 600 86400 60
@ NS ns1
ns1 A 127.0.0.1
"""


def networks(count):
    """The client networks of the `ecs` scenario: as many /24s as clients, by turns at one replica and another."""
    for i in range(count):
        yield f"{WARM_OCTET + (i >> 16)}.{i >> 8 & 255}.{i & 255}.0/24", REPLICAS[i % len(REPLICAS)]


class Server(common.Server):
    """`guards`: with what protects it switched on."""

    def __init__(self, folder, guards, clients):
        super().__init__(folder)
        self.guards, self.clients = guards, clients

    def ready(self):
        return answers(self.port)


def answers(port):
    query = struct.pack("!6H", 1, 0, 1, 0, 0, 0) + b"\3cdn\7example\3org\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind((CLIENT, 0))
        udp.connect(("127.0.0.1", port))
        udp.settimeout(0.5)
        with contextlib.suppress(OSError):
            udp.send(query)
            answer = udp.recv(512)
            return answer[3] & 15 == 0 and answer[7] > 0
    return False


class Floor(Server):
    name = "floor"

    def command(self):
        return [BIN / "dns_floor", self.port]


class Gdnsd(Server):
    name = "gdnsd"
    needs = ("gdnsd",)

    def command(self):
        (self.folder / "zones").mkdir()
        (self.folder / "geoip").mkdir()
        (self.folder / "zones" / ZONE).write_text(ZONE_FILE + "cdn 60 DYNA geoip!cdn\n")
        sites = [f"site{i}" for i in range(len(REPLICAS))]
        with open(self.folder / "geoip" / "nets", "w") as nets:
            nets.write("127.0.0.0/8 => site0\n")
            for network, replica in networks(self.clients):
                nets.write(f"{network} => {sites[REPLICAS.index(replica)]}\n")
        places = ", ".join(f"{site} => {replica}" for site, replica in zip(sites, REPLICAS))
        (self.folder / "config").write_text(f"""
            options => {{
              listen => 127.0.0.1, dns_port => {self.port}, udp_threads => 1, tcp_threads => 1, udp_recv_width => 64,
              disable_cookies => {str(not self.guards).lower()},
              run_dir => {self.folder}/run, state_dir => {self.folder}/state
            }}
            plugins => {{ geoip => {{
              maps => {{ m => {{ datacenters => [{", ".join(sites)}], nets => nets }} }},
              resources => {{ cdn => {{ map => m, dcmap => {{ {places} }} }} }}
            }} }}""")
        return ["gdnsd", "-c", self.folder, "start"]


class Knot(Server):
    name = "knot"
    needs = ("knot", "knot-module-geoip")

    def command(self):
        (self.folder / "zone").write_text(ZONE_FILE + f"cdn 60 A {REPLICAS[0]}\n")
        with open(self.folder / "geo", "w") as geo:
            geo.write(f"{NAME}:\n  - net: 127.0.0.0/8\n    A: {REPLICAS[0]}\n")
            for network, replica in networks(self.clients):
                geo.write(f"  - net: {network}\n    A: {replica}\n")
        # Its highest limit is lower than what the load reaches: the one client goes free, after the look at it.
        guards = f"mod-rrl:\n  - id: rrl\n    rate-limit: 10000\n    whitelist: {CLIENT}\n" if self.guards else ""
        modules = ["mod-rrl/rrl", "mod-cookies", "mod-stats"] if self.guards else []
        modules.append("mod-geoip/geo")
        (self.folder / "knot.conf").write_text(f"""
server:
  rundir: {self.folder}
  listen: 127.0.0.1@{self.port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
  edns-client-subnet: on
log:
  - target: stderr
    any: error
database:
  storage: {self.folder}
{guards}
mod-geoip:
  - id: geo
    config-file: {self.folder}/geo
    ttl: 60
    mode: subnet
zone:
  - domain: {ZONE}
    file: {self.folder}/zone
    zonefile-sync: -1
    module: [{", ".join(modules)}]
""")
        return ["knotd", "-c", self.folder / "knot.conf"]


class DnsServer(Server):
    name = "dnsserver"

    def start(self):
        fleet = self.spawn(LOAD_CORE, BIN / "fake_fleet", len(REPLICAS), stdout=subprocess.PIPE, text=True)
        self.replica_ports = [int(fleet.stdout.readline()) for _ in REPLICAS]
        super().start()

    def command(self):
        lines = [f'domain: "{NAME}"']
        for i, (address, port) in enumerate(zip(REPLICAS, self.replica_ports)):
            lines.append(f'replica {{ name: "r{i}" ipv4: "{address}" prober_port: {port} control_port: {port} }}')
        lines.append('probe_policy { allow_special: "127.0.0.0/8" allow_special: "240.0.0.0/4"'
                     " max_probes_per_second: 1000000 max_unproven_probes_per_second: 1000000"
                     " max_probes_per_prefix_per_second: 1000 }")
        probe_for = 'client_subnet { probe_for: "0.0.0.0/0" }'
        lines.append("steering { max_flights: 16384 hold_ms: 1000 }")
        if self.guards:
            lines.append('dns { rate_limit { responses_per_second: 1000000 exempt: "192.0.2.0/24" }'
                         f' metrics_listen: "127.0.0.1:{free_port()}" {probe_for} }}')
        else:
            lines.append(f"dns {{ rate_limit {{ disabled: true }} cookies {{ disabled: true }} {probe_for} }}")
        (self.folder / "cdn.textproto").write_text("\n".join(lines) + "\n")
        return [BIN / "dnsserver", "-p", self.port, "-n", NAME, "--listen", "127.0.0.1", "--threads", 1,
                "--control", "127.0.0.1:0"]


class PatientDnsServer(DnsServer):
    name = "dnsserver --no-realtime"

    def command(self):
        return [*super().command(), "--no-realtime"]


ALL = [Floor, Gdnsd, Knot, DnsServer]
# The peers know no unknown clients.
FLOODED = [DnsServer, PatientDnsServer]
