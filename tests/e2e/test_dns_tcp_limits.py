"""The --tcp-* flags of dnsserver: who makes room at a limit, and when (RFC 7766 §6.2)."""

import contextlib
import struct
import time

import dns_raw as dns
import pytest
from local_dns import DOMAIN, LocalDns

IDLE_S = 1
SOA = dns.query(DOMAIN, dns.SOA)


@pytest.fixture
def connect():
    """connect(server, source): a connection that was answered once, closed at the test's end."""
    with contextlib.ExitStack() as stack:
        def connected(server, source):
            tcp = stack.enter_context(server.tcp(source))
            assert tcp.ask(SOA).of(dns.SOA)
            return tcp

        yield connected


def ended(tcp):
    """Whether the server closes the connection, with nothing more to say; waits for it."""
    try:
        return tcp.receive() is None
    except ConnectionResetError:
        return True


def alive(tcp):
    return bool(tcp.ask(SOA).of(dns.SOA))


def test_beyond_the_connection_limit_the_one_quiet_longest_is_closed(tmp_path, connect):
    with LocalDns(tmp_path, flags=["--tcp-connections", "3"]) as server:
        first, second, third = (connect(server, f"127.66.0.{i}") for i in (1, 2, 3))
        assert alive(first)  # the second is now the one quiet longest
        fourth = connect(server, "127.66.0.4")
        assert ended(second) and alive(first) and alive(third) and alive(fourth)


def test_beyond_a_clients_limit_its_own_connection_is_closed(tmp_path, connect):
    with LocalDns(tmp_path, flags=["--tcp-connections-per-client", "2"]) as server:
        other = connect(server, "127.66.0.1")
        first, second, third = (connect(server, "127.66.0.2") for _ in range(3))
        assert ended(first) and alive(second) and alive(third) and alive(other)


def test_an_idle_connection_is_closed_after_the_time_out_that_clients_are_told(tmp_path, connect):
    with LocalDns(tmp_path, flags=["--tcp-idle-timeout", f"{IDLE_S}s"]) as server:
        tcp = connect(server, "127.66.0.1")
        keepalive = dns.query(DOMAIN, dns.SOA, edns=dns.opt(options=dns.option(dns.KEEPALIVE)))
        since = time.monotonic()
        told = tcp.ask(keepalive).options[dns.KEEPALIVE]
        assert struct.unpack("!H", told)[0] == IDLE_S * 10  # RFC 7828: units of 100 ms
        assert ended(tcp)
        assert IDLE_S <= time.monotonic() - since < IDLE_S + 2


def test_half_a_query_does_not_keep_a_connection_open(tmp_path):
    with LocalDns(tmp_path, flags=["--tcp-idle-timeout", f"{IDLE_S}s"]) as server:
        with server.tcp() as tcp:
            tcp.socket.sendall(struct.pack("!H", len(SOA)) + SOA[:5])
            assert ended(tcp)


@pytest.mark.parametrize("parked, order", [(1, [1, 2]), (2, [2, 1])])
def test_as_many_queries_of_a_connection_as_may_wait_are_read(tmp_path, parked, order):
    fleet = "dns { client_subnet { disabled: true } }"
    with LocalDns(tmp_path, fleet, flags=["--tcp-parked", str(parked)], steering="hold_ms: 1000",
                  probers=True) as server:
        server.wait_known()  # the fleet is up: an unknown client waits for its measurement
        with server.tcp("127.7.7.7") as tcp:
            tcp.send(dns.query(DOMAIN, dns.A, id=1), dns.query(DOMAIN, dns.SOA, id=2))
            assert [tcp.receive().id, tcp.receive().id] == order


@pytest.mark.parametrize("flag", ["--tcp-connections", "--tcp-connections-per-client", "--tcp-parked",
                                  "--tcp-idle-timeout"])
def test_none_of_the_limits_may_be_zero(tmp_path, flag):
    with pytest.raises(RuntimeError, match=flag), LocalDns(tmp_path, flags=[flag, "0"]):
        pass
