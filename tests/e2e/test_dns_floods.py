"""Floods cost dnsserver bounded memory, and leave it time for those who ask properly. A few seconds each."""

import contextlib
import random
import re
import resource
import socket
import time

import dns_raw as dns
import pytest
from local_dns import DOMAIN, LocalDns
from metrics_page import total

FLOOD_S = 2
# Where the measuring loop is starved 16,384 queries wait for it (measurement_loop.h), of little more than a KiB each.
BACKLOG_KIB = 16_384 * 5 // 4
MAX_GROWTH_KIB = 20 * 1024 + BACKLOG_KIB
SILENT_CONNECTIONS = 2_000
FLEET = 'dns { metrics_listen: "METRICS" rate_limit { responses_per_second: 50 exempt: "127.9.9.9/32" } }'


@pytest.fixture
def server(tmp_path):
    with LocalDns(tmp_path, FLEET, steering="hold_ms: 50 max_prefixes: 10000") as local:
        warm_dig(local)
        yield local


def warm_dig(server):
    """A proper client's answer, with the milliseconds it took."""
    out = server.dig(DOMAIN, "A")
    assert "status: NOERROR" in out and re.search(r"\sA\s+127\.0\.0\.[23]", out), out
    return int(re.search(r"Query time: (\d+) msec", out)[1])


@contextlib.contextmanager
def bounded_memory(server):
    before = server.resident_kib()
    yield
    grown = server.resident_kib() - before
    assert grown < MAX_GROWTH_KIB, f"grown by {grown} KiB"


def flood(server, packets, sources=("127.66.0.1",)):
    """Sends for FLOOD_S what `packets` yields, by turns from the sources; a dig in the middle must succeed."""
    to = ("127.0.0.1", server.port)
    sent = 0
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in sources]
        for s, source in zip(sockets, sources):
            s.bind((source, 0))
            s.setblocking(False)
        for _ in range(2):
            end = time.monotonic() + FLOOD_S / 2
            while time.monotonic() < end:
                with contextlib.suppress(BlockingIOError):
                    sockets[sent % len(sockets)].sendto(next(packets), to)
                    sent += 1
            warm_dig(server)
    return sent


def counted(server, before, *words):
    return total(server.metrics(), *words) - total(before, *words)


def malformed(rng):
    proper = dns.query(DOMAIN, dns.A, edns=dns.opt(options=dns.client_subnet("198.18.7.0", 24)))
    while True:
        mutated = bytearray(proper[: rng.randrange(len(proper) + 1)])
        for _ in range(rng.randrange(8) if mutated else 0):
            mutated[rng.randrange(len(mutated))] = rng.randrange(256)
        yield bytes(mutated)


def test_malformed_packets(server):
    before = server.metrics()
    with bounded_memory(server):
        sent = flood(server, malformed(random.Random(4)))
    assert sent > 1000
    assert counted(server, before, "FORMERR") > 0
    assert counted(server, before, "not", "query") > 0


def test_silent_tcp_connections(server):
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with bounded_memory(server), contextlib.ExitStack() as stack:
        for i in range(SILENT_CONNECTIONS):
            s = stack.enter_context(socket.socket())
            s.settimeout(2)
            s.bind((f"127.66.{i >> 8}.{i & 255}", 0))
            s.connect(("127.0.0.1", server.port))
        assert warm_dig(server) < 1000
        with server.tcp() as tcp:
            assert tcp.ask(dns.query(DOMAIN, dns.SOA)).of(dns.SOA)


def test_a_client_that_reads_nothing_over_tcp(server):
    asked = dns.query(DOMAIN, dns.SOA, edns=dns.opt())
    with bounded_memory(server), server.tcp("127.66.0.1") as tcp:
        tcp.socket.setblocking(False)
        end = time.monotonic() + FLOOD_S
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while time.monotonic() < end:
                tcp.socket.sendall((len(asked).to_bytes(2, "big") + asked) * 100)
        assert warm_dig(server) < 1000


def test_any(server):
    before = server.metrics()
    asked = dns.query(DOMAIN, dns.ANY, edns=dns.opt(payload=4096))
    with bounded_memory(server):
        sent = flood(server, iter(lambda: asked, None))
    assert counted(server, before, 'type="ANY"') > 0 or counted(server, before, 'type="other"') > 0
    assert counted(server, before, "limited") > sent / 10, "a reflector"


def test_many_sources(server):
    """As forged ones would look: every source a client of its own, and none of them known."""
    sources = [f"127.{66 + i // 250}.{i % 250}.1" for i in range(500)]
    with bounded_memory(server):
        assert flood(server, iter(lambda: dns.query(DOMAIN, dns.A), None), sources) > 1000


def test_many_networks_told_by_client_subnet(server):
    rng = random.Random(5)

    def networks():
        while True:
            network = f"198.{18 + rng.randrange(2)}.{rng.randrange(256)}.0"
            yield dns.query(DOMAIN, dns.A, edns=dns.opt(options=dns.client_subnet(network, 24)))

    with bounded_memory(server):
        assert flood(server, networks()) > 1000
