"""A restart of httpserver under load fails no request; a reload changes the served names and nothing else."""

import contextlib
import http.client
import itertools
import json
import pathlib
import socket
import subprocess
import sys
import threading

from cdn import BIN, wait_until
from local_http import LocalHttp

CLIENTS = 4  # of each kind
FAR_CLIENTS = 20
RESTARTS = 2
FLEET = 'http { served_name: "cdn.example.org" access_log: "access.log" }'


class Load:
    """Requests without an end and without a retry: on connections that are kept, and each on a new one."""

    def __init__(self, port):
        self.port, self.done, self.failures, self.over = port, [], [], threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=(kept, i)) for kept in (True, False) for i in range(CLIENTS)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()

    def _ask(self, kept, number):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        for i in itertools.count():
            path = f"/private/{number}" if i % 4 == 0 else f"/{i % 10}"
            try:
                connection.request("GET", path, headers={"Host": "cdn.example.org"})
                answer = connection.getresponse()  # Connection: close is heeded by the next request
                if (answer.status, answer.read()) != (200, path.encode()):
                    self.failures.append(f"{path}: {answer.status}")
                self.done.append(path)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"kept {kept}, {path}: {error!r}")
                connection.close()
            if not kept:
                connection.close()
            if self.over.wait(0.01 * (number + 1)):
                connection.close()
                return

    def goes_on(self):
        """Until there have been a hundred requests more."""
        begin = len(self.done)
        wait_until("a hundred are answered", lambda: len(self.done) >= begin + 100)


def restart_under_load(server, restart):
    with Load(server.port) as load:
        for _ in range(RESTARTS):
            load.goes_on()
            restart()
            load.goes_on()
    assert load.failures == []


def test_replacing_fails_no_request_and_keeps_the_cache(tmp_path):
    with LocalHttp(tmp_path, FLEET, flags=["--metrics", "METRICS"]) as server:
        server.ask("/before")

        def replace():
            assert server.replace() == 0

        restart_under_load(server, replace)
        assert server.ask("/before")[1]["Cache-Status"].startswith("Perigee; hit")
        assert server.metrics()["perigee_http_uptime_seconds"] < 10, "the new one's page"


def test_handshakes_under_way_from_far_away_are_waited_for(cdn, world, tmp_path):
    """From London to Tokyo each takes some 240 ms, so that there are always several."""
    cdn.publish("index.html", 1_000)
    tokyo, port, seen = world.hosts["tokyo"].ipv4, 8080, tmp_path / "access.log"
    seen.touch()
    command = world.command("tokyo", BIN / "httpserver", "-p", port, "-o", f"http://{cdn.origin.ipv4}", "--listen", tokyo,
                            "--control", "127.0.0.1:0", "--access-log", seen)

    def hundred_more():
        until = seen.read_bytes().count(b"\n") + 100
        wait_until("a hundred are answered", lambda: seen.read_bytes().count(b"\n") >= until)

    with contextlib.ExitStack() as started:

        def start(*words, **how):
            process = subprocess.Popen(words, cwd=tmp_path, stdin=subprocess.PIPE, **how)
            started.callback(lambda: (process.kill(), process.communicate()))
            return process

        server = start(*command)
        load = start(*world.command("client-london", sys.executable, pathlib.Path(__file__).with_name("steady_load.py"), port,
                                    tokyo, *[tokyo] * FAR_CLIENTS), stdout=subprocess.PIPE)
        for _ in range(RESTARTS):
            hundred_more()
            old, server = server, start(*command, "--replace", str(server.pid))
            assert old.wait(5) == 0
        hundred_more()
        assert json.loads(load.communicate()[0])["failures"] == []


def test_what_is_no_httpserver_is_not_replaced(tmp_path):
    with LocalHttp(tmp_path) as server:
        second = subprocess.run([*server.command(), "--replace", "1"], cwd=tmp_path, capture_output=True, text=True, timeout=10)
        assert second.returncode == 2 and "process 1 is no running httpserver" in second.stderr
        assert server.ask("/x")[0] == 200


class Activated(LocalHttp):
    """As systemd starts it, with one listening socket as fd 3."""

    listen = ()

    def __init__(self, folder, **how):
        super().__init__(folder, **how)
        self.socket = socket.create_server(("127.0.0.1", self.port), backlog=1024)
        self.pass_fds = (self.socket.fileno(),)

    def command(self):
        script = f'exec 60<&{self.socket.fileno()} 3<&60 60<&-; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
        return ["bash", "-c", script, "activated", *super().command()]


def test_with_a_passed_socket_an_ordinary_restart_fails_no_request(tmp_path):
    with Activated(tmp_path) as server:

        def restart():
            assert server.end() == 0
            server.start()

        restart_under_load(server, restart)
        server.socket.close()


def served(server, name):
    return server.ask("/x", host=name)[0] == 200


def test_a_reload_changes_the_served_names(tmp_path):
    with LocalHttp(tmp_path, FLEET) as server:
        assert served(server, "cdn.example.org") and not served(server, "new.example.org")
        fleet = tmp_path / "cdn.textproto"
        first = fleet.read_text()
        fleet.write_text(first.replace("cdn.example.org", "new.example.org"))
        server.hang_up()
        wait_until("the new name is served", lambda: served(server, "new.example.org"))
        assert not served(server, "cdn.example.org")

        fleet.write_text(first.replace("cdn.example.org", "a..b"))
        server.hang_up()
        wait_until("the mistake is named", lambda: '"a..b" is no host name' in server.log())
        assert served(server, "new.example.org"), "as before"

        fleet.write_text('origin: "elsewhere.example"\n' + first + 'cache { budget_bytes: 5000000 memory_budget_bytes: 5000000 }')
        server.hang_up()
        wait_until("what takes a restart is named", lambda: "cache has changed: that takes a restart" in server.log())
        assert served(server, "cdn.example.org")
