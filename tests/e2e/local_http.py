"""An httpserver on loopback before an origin of this process, without a world."""

import http.client
import http.server
import pathlib
import re
import signal
import subprocess
import threading

from cdn import BIN, wait_until
from dns_raw import free_port
from metrics_page import HasMetrics


class Origin(http.server.BaseHTTPRequestHandler):
    """Says `path` to every path; those below /private/ are not to be stored."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.path)))
        self.send_header("Cache-Control", "private" if self.path.startswith("/private/") else "max-age=600")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(self.path.encode())

    do_HEAD = do_GET

    def log_message(self, *_):
        pass


class LocalHttp(HasMetrics):
    """`fleet` is text for the fleet file; METRICS in it becomes the metrics port's address. Without any the server runs on
    flags alone. `origin`: another one than that of this process, by its URL. `handler`: of this one's requests."""

    def __init__(self, folder, fleet="", flags=(), origin=None, handler=Origin):
        self.folder, self.origin_url, self.handler = pathlib.Path(folder), origin, handler
        self.port, self.metrics_port = free_port(), free_port()
        self.flags = [flag.replace("METRICS", f"127.0.0.1:{self.metrics_port}") for flag in flags]
        if fleet:
            text = f'replica {{ name: "near" ipv4: "127.0.0.1" }}\n' + fleet
            (self.folder / "cdn.textproto").write_text(text.replace("METRICS", f"127.0.0.1:{self.metrics_port}"))
            self.flags += ["--config", "cdn.textproto"]

    listen = ("--listen", "127.0.0.1")
    pass_fds = ()

    def __enter__(self):
        self.origin = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        threading.Thread(target=self.origin.serve_forever, daemon=True).start()
        self.start()
        return self

    def command(self):
        origin = self.origin_url or f"127.0.0.1:{self.origin.server_port}"
        return [BIN / "httpserver", "-p", str(self.port), "-o", origin, *self.listen, "--control", "127.0.0.1:0",
                *self.flags]

    def start(self, *more):
        """Once more, after an end; or with --replace, beside the one that runs."""
        began = len(self.log())
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([*self.command(), *more], cwd=self.folder, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, pass_fds=self.pass_fds)
        try:
            wait_until("httpserver listens", lambda: self._listens(began))
        except BaseException:
            self.__exit__()
            raise

    def replace(self):
        """A restart that refuses nobody. The old one's exit status."""
        old = self.process
        self.start("--replace", str(old.pid))
        return old.wait(1)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()
        self.origin.shutdown()
        self.origin.server_close()

    def _listens(self, began):
        if self.process.poll() is not None:
            raise RuntimeError(f"httpserver ended with {self.process.returncode}:\n{self.log()}")
        return re.search(r"control port \d+", self.log()[began:])

    def log(self):
        file = self.folder / "log"
        return file.read_text() if file.exists() else ""

    def ask(self, path, method="GET", host="cdn.example.org", **headers):
        """(status, headers, body)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, headers={"Host": host, **headers})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, answer.headers, body

    def end(self):
        """Ends the server as systemd would, and waits for it."""
        self.process.terminate()
        return self.process.wait(20)

    def hang_up(self):
        self.process.send_signal(signal.SIGHUP)

    def lines(self, name="access.log"):
        file = self.folder / name
        return file.read_text().splitlines() if file.exists() else []
