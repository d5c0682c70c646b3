"""The metrics page of a real dnsserver: what it counts, and that it keeps to Prometheus' conventions."""

import pathlib
import re
import socket
import struct
import time

import dns_raw as dns
import pytest
from cdn import wait_until
from local_dns import DOMAIN, LocalDns
from metrics_page import assert_prometheus_conventions, becomes, families, total

FLEET = 'dns { metrics_listen: "METRICS" state_file: "state.sqlite" }'
DOCS = pathlib.Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with LocalDns(tmp_path_factory.mktemp("dns"), FLEET, flags=["--tcp-idle-timeout", "1s"], probers=True) as local:
        local.wait_known()
        # Known by the near prober's answer alone, perhaps: the far one's may still be on its way.
        wait_until("nothing is under way", lambda: local.metrics()["perigee_dns_measurements"] == 0)
        yield local


def test_names_and_units_are_prometheus_conventions(server):
    assert_prometheus_conventions(server, "perigee_dns_")


def test_every_metric_is_documented_and_every_documented_one_is_there(server):
    documented = dict(re.findall(r"^\| `(perigee_dns_\w+)` \| (\w+) \|", DOCS.read_text(), re.M))
    only_when_seen = {"perigee_dns_probes_refused_special_total"}
    there = {name: kind for name, (kind, _) in families(server.metrics_page()).items()}
    assert documented.keys() - only_when_seen == there.keys() - only_when_seen
    assert all(documented[name] == kind for name, kind in there.items())


def test_measurements_are_counted_from_their_start_to_their_end(server):
    before = server.metrics()
    assert server.ask(DOMAIN, dns.A, source="127.5.5.5").of(dns.A)
    becomes(server, before, 1, "measurements_ended_total", "complete")
    after = server.metrics()
    assert total(after, "measurements_started_total", "query") - total(before, "measurements_started_total", "query") == 1
    assert total(after, "measurements_answered_total") - total(before, "measurements_answered_total") == 1
    assert after["perigee_dns_measurements"] == 0 and after["perigee_dns_measurements_limit"] == 1024
    assert after["perigee_dns_parked_queries"] == 0
    assert after["perigee_dns_parked_queries_total"] - before["perigee_dns_parked_queries_total"] == 1


def test_refused_probes_are_counted_under_their_reason(server):
    before = server.metrics()
    isatap = dns.opt(options=dns.client_subnet("2a00::5efe:102:304", 128))  # hides an IPv4 address
    assert server.ask(DOMAIN, dns.A, edns=isatap).of(dns.A)
    becomes(server, before, 1, "probes_refused_total", "special-range")
    becomes(server, before, 1, "probes_refused_special_total", "isatap")


def test_private_client_subnets_are_counted(server):
    before = server.metrics()
    server.ask(DOMAIN, dns.A, edns=dns.opt(options=dns.client_subnet("10.1.2.0", 24)))
    becomes(server, before, 1, "client_subnet_total", "special")


def test_datagrams_that_cannot_be_answered_are_counted_under_their_reason(server):
    before = server.metrics()
    query = dns.query(DOMAIN, dns.SOA)
    header = struct.pack("!4H", 0, server.port, 8 + len(query), 0)  # from port 0; without a checksum
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
        raw.sendto(header + query, ("127.0.0.1", 0))
    becomes(server, before, 1, "dropped_total", "source-port-0")
    assert dns.udp(server.port, query + bytes(3000)).rcode == dns.FORMERR
    becomes(server, before, 1, "dropped_total", "cut-datagram")


def test_tcp_connections_are_counted_by_why_they_end(server):
    before = server.metrics()

    def closed(reason):
        becomes(server, before, 1, "tcp_connections_closed_total", f'"{reason}"')

    with server.tcp() as tcp:
        assert tcp.ask(dns.query(DOMAIN, dns.SOA)).of(dns.SOA)
    closed("client")
    with socket.create_connection(("127.0.0.1", server.port)) as garbage:
        garbage.sendall(b"\0\1")
        assert garbage.recv(1) == b""
    closed("malformed")
    with socket.create_connection(("127.0.0.1", server.port)) as silent:
        assert silent.recv(1) == b""
    closed("idle")
    after = server.metrics()
    assert after["perigee_dns_tcp_connections"] == 0
    assert after["perigee_dns_tcp_connections_opened_total"] - before["perigee_dns_tcp_connections_opened_total"] == 3


def test_the_state_file_and_reloads_are_counted(server):
    wait_until("a row is saved", lambda: server.metrics()["perigee_dns_state_rows_saved_total"] > 0)
    samples = server.metrics()
    assert samples["perigee_dns_state_save_failures_total"] == 0
    assert abs(samples["perigee_dns_state_last_save_timestamp_seconds"] - time.time()) < 60
    before = server.metrics()
    server.signal_reload()
    becomes(server, before, 1, "reloads_total", "ok")
    server.write("cdn.textproto", "nonsense")
    server.signal_reload()
    becomes(server, before, 1, "reloads_total", "refused")
    server.write("cdn.textproto", server.fleet_text)


def test_each_replica_has_its_gauges(server):
    samples = server.metrics()
    for name in ("near", "far"):
        assert samples[f'perigee_dns_replica_up{{replica="{name}"}}'] == 1
        assert samples[f'perigee_dns_replica_part_up{{replica="{name}",part="prober"}}'] == 1
        assert samples[f'perigee_dns_replica_drained{{replica="{name}"}}'] == 0
    server.cdnctl("drain", "near")
    assert server.metrics()['perigee_dns_replica_drained{replica="near"}'] == 1
    server.cdnctl("undrain", "near")
