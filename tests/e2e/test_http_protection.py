"""Limits of a real httpserver that need more than one address."""

import contextlib
import os
import socket

import pytest
from cdn import wait_until
from in_host import python_in_own_network
from local_http import LocalHttp
from metrics_page import total

LIMIT = 3
ONE, OTHER = "198.18.0.1", "198.18.0.2"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def _status(connection):
    """None when it was cut off."""
    with contextlib.suppress(OSError):
        connection.sendall(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = connection.recv(4096).split(b" ")
        return int(answer[1]) if len(answer) > 1 else None


def _connections_of_one_address(folder):
    flags = ["--listen", ONE, "--max-connections-per-address", str(LIMIT), "--metrics", "METRICS"]
    with LocalHttp(folder, flags=flags) as server, contextlib.ExitStack() as opened:

        def connect(source, to=ONE):
            return opened.enter_context(socket.create_connection((to, server.port), 5, (source, 0)))

        held = [connect(ONE) for _ in range(LIMIT)]
        seen = {"held": [_status(connection) for connection in held],
                "beyond": connect(ONE).recv(4096).decode(),
                "other": _status(connect(OTHER)),
                "loopback": [_status(connect("127.0.0.1", "127.0.0.1")) for _ in range(10 * LIMIT)]}
        seen["counted"] = total(server.metrics(), "refused_total", '"client-connections"')
        held.pop().close()
        wait_until("its place is free", lambda: _status(connect(ONE)) == 200)
        return seen


@needs_root
def test_connections_of_one_address_are_limited_but_for_loopback(tmp_path):
    seen = python_in_own_network([f"{ONE}/32", f"{OTHER}/32"], _connections_of_one_address, tmp_path)
    assert seen["held"] == [200] * LIMIT
    assert seen["beyond"].startswith("HTTP/1.1 503 ") and "Retry-After: 1\r\n" in seen["beyond"]
    assert seen["other"] == 200 and seen["loopback"] == [200] * (10 * LIMIT)
    assert seen["counted"] == 1
