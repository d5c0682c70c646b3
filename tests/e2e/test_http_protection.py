"""Limits of a real httpserver that need more than one address."""

import contextlib
import os
import socket
import threading

import pytest
from cdn import wait_until
from in_host import python_in_own_network
from local_http import LocalHttp, Origin
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


class SlowOrigin(Origin):
    """Answers paths below /slow/ once `go` is set."""

    go = threading.Event()
    waiting = []

    def do_GET(self):
        if self.path.startswith("/slow/"):
            self.waiting.append(self.path)
            self.go.wait(30)
        super().do_GET()


def _origin_connections_of_one_address(folder):
    flags = ["--listen", ONE, "--max-origin-connections-per-address", str(LIMIT), "--metrics", "METRICS"]
    with LocalHttp(folder, flags=flags, handler=SlowOrigin) as server, contextlib.ExitStack() as opened:

        def ask(path, source=ONE, to=ONE):
            connection = opened.enter_context(socket.create_connection((to, server.port), 10, (source, 0)))
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            return connection

        def head(connection):
            return connection.recv(4096).decode().partition("\r\n\r\n")[0]

        head(ask("/stored"))
        held = [ask(f"/slow/{n}") for n in range(LIMIT)]
        wait_until("all are under way", lambda: len(SlowOrigin.waiting) == LIMIT)
        seen = {"beyond": head(ask("/beyond")), "hit": head(ask("/stored")), "other": head(ask("/beyond", OTHER)),
                "loopback": [head(ask(f"/loopback/{n}", "127.0.0.1", "127.0.0.1")) for n in range(2 * LIMIT)],
                "counted": total(server.metrics(), "origin_failures_total", '"client-origin-connections"')}
        SlowOrigin.go.set()
        seen["held"] = [head(connection) for connection in held]
        seen["again"] = head(ask("/again"))
        return seen


@needs_root
def test_one_address_cannot_hold_all_origin_connections(tmp_path):
    seen = python_in_own_network([f"{ONE}/32", f"{OTHER}/32"], _origin_connections_of_one_address, tmp_path)
    assert seen["beyond"].startswith("HTTP/1.1 503 ") and "Retry-After: 1\r\n" in seen["beyond"]
    assert "detail=client-origin-connections" in seen["beyond"]
    assert "; hit; " in seen["hit"] and "; stored" in seen["other"]
    assert all(answer.startswith("HTTP/1.1 200 ") for answer in seen["loopback"] + seen["held"] + [seen["again"]])
    assert seen["counted"] == 1
