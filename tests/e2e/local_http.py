"""An httpserver on loopback before an origin of this process, without a world."""

import http.client
import http.server
import pathlib
import re
import signal
import subprocess
import threading
import urllib.request

from cdn import BIN, wait_until
from dns_raw import free_port
from local_dns import parse_metrics


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


class LocalHttp:
    """`fleet` is text for the fleet file; METRICS in it becomes the metrics port's address. Without any the server runs on
    flags alone."""

    def __init__(self, folder, fleet="", flags=(), origin=Origin):
        self.folder = pathlib.Path(folder)
        self.handler = origin
        self.port, self.metrics_port = free_port(), free_port()
        self.flags = [flag.replace("METRICS", f"127.0.0.1:{self.metrics_port}") for flag in flags]
        if fleet:
            text = f'replica {{ name: "near" ipv4: "127.0.0.1" }}\n' + fleet
            (self.folder / "cdn.textproto").write_text(text.replace("METRICS", f"127.0.0.1:{self.metrics_port}"))
            self.flags += ["--config", "cdn.textproto"]

    def __enter__(self):
        self.origin = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        threading.Thread(target=self.origin.serve_forever, daemon=True).start()
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        (self.folder / "log").write_bytes(b"")
        command = [BIN / "httpserver", "-p", str(self.port), "-o", f"127.0.0.1:{self.origin.server_port}",
                   "--listen", "127.0.0.1", "--control", "127.0.0.1:0", *self.flags]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until("httpserver listens", self._listens)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()
        self.origin.shutdown()
        self.origin.server_close()

    def _listens(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"httpserver ended with {self.process.returncode}:\n{self.log()}")
        return re.search(r"control port \d+", self.log())

    def log(self):
        return (self.folder / "log").read_text()

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

    def metrics_page(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as page:
            return page.read().decode()

    def metrics(self):
        return parse_metrics(self.metrics_page())
