"""Two httpservers on loopback before one origin, without a world: for what operators tell replicas."""

import http.server
import pathlib
import re
import signal
import subprocess
import threading
import urllib.request

from cdn import BIN, wait_until
from dns_raw import free_port

ADDRESSES = {"near": "127.0.0.2", "far": "127.0.0.3"}


class Origin:
    """Answers each path with its text, tagged; `held` paths wait until they are let go."""

    def __init__(self):
        self.texts, self.tags, self.requests, self.held = {}, {}, [], {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.requests.append(self.path)
                body = outer.texts.get(self.path)
                if self.path in outer.held:
                    outer.held[self.path].wait(10)
                self.send_response(200 if body is not None else 404)
                self.send_header("Cache-Control", "max-age=600" if body is not None else "no-store")
                if self.path in outer.tags:
                    self.send_header("Surrogate-Key", outer.tags[self.path])
                self.send_header("Content-Length", str(len(body or "")))
                self.end_headers()
                self.wfile.write((body or "").encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        for gate in self.held.values():
            gate.set()
        self.server.shutdown()
        self.server.server_close()


class Replica:
    def __init__(self, folder, name, origin_port, config):
        self.folder, self.name, self.address = folder, name, ADDRESSES[name]
        self.origin_port, self.config = origin_port, config
        self.port, self.control_port = free_port(), free_port()

    def start(self):
        log = self.folder / f"{self.name}.log"
        begin = log.stat().st_size if log.exists() else 0
        with open(log, "ab") as out:
            self.process = subprocess.Popen(
                [BIN / "httpserver", "-p", str(self.port), "-o", f"127.0.0.1:{self.origin_port}", "--listen", self.address,
                 "--control", f"{self.address}:{self.control_port}", "--cache", f"{self.name}.sqlite", "--config",
                 self.config], cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

        def listens():
            if self.process.poll() is not None:
                raise RuntimeError(f"httpserver ended:\n{log.read_text()}")
            return "control port" in log.read_text()[begin:]

        wait_until(f"{self.name} listens", listens)
        return self

    def get(self, path):
        """Body and Cache-Status."""
        with urllib.request.urlopen(f"http://{self.address}:{self.port}{path}", timeout=10) as answer:
            return answer.read().decode(), answer.headers["Cache-Status"]

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(15)


class LocalReplicas:
    def __init__(self, folder, fleet="", only=tuple(ADDRESSES)):
        self.folder = pathlib.Path(folder)
        self.origin = Origin()
        (self.folder / "start.textproto").write_text(f'domain: "cdn.example.org"\n{fleet}\n')
        self.replicas = {name: Replica(self.folder, name, self.origin.port, "start.textproto") for name in only}
        self.fleet = fleet

    def __enter__(self):
        try:
            for replica in self.replicas.values():
                replica.start()
        except BaseException:
            self.__exit__()
            raise
        lines = [f'replica {{ name: "{r.name}" ipv4: "{r.address}" control_port: {r.control_port} }}'
                 for r in self.replicas.values()]
        (self.folder / "cdn.textproto").write_text("\n".join(['domain: "cdn.example.org"', self.fleet, *lines]) + "\n")
        return self

    def __exit__(self, *_):
        for replica in self.replicas.values():
            if hasattr(replica, "process"):
                replica.kill()
        self.origin.stop()

    def get(self, path):
        return {name: replica.get(path) for name, replica in self.replicas.items()}

    def bodies(self, path):
        return {body for body, _ in self.get(path).values()}

    def cdnctl(self, *arguments, stdin=""):
        return subprocess.run([BIN / "cdnctl", *arguments], cwd=self.folder, input=stdin, capture_output=True, text=True,
                              timeout=30)


def rows(result):
    """The first table as {replica: {column: cell}}; the last column may hold spaces."""
    lines = result.stdout.split("\n\n")[0].splitlines()
    header = re.split(r" {2,}", lines[0])
    cells = [re.split(r" {2,}", line, maxsplit=len(header) - 1) for line in lines[1:]]
    return {row[0]: dict(zip(header, row)) for row in cells}
