"""A prober on loopback, with a scamper of its own. Needs root."""

import subprocess

from cdn import BIN, wait_until
from dns_raw import free_port
from metrics_page import HasMetrics


class LocalProber(HasMetrics):
    def __init__(self, folder):
        self.port, self.metrics_port, self.folder = free_port(), free_port(), folder
        (folder / "cdn.textproto").write_text('domain: "cdn.example.org"\n'
                                              'probe_policy { allow_special: "127.0.0.0/8" }\n'
                                              f'prober {{ metrics_listen: "127.0.0.1:{self.metrics_port}" }}\n')
        with open(folder / "log", "w") as log:
            command = [BIN / "prober", "--listen", f"127.0.0.1:{self.port}", "--config", "cdn.textproto"]
            self.process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)

    def __enter__(self):
        wait_until("prober listens", self._listens)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        assert self.process.wait(10) == 0, (self.folder / "log").read_text()

    def _listens(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"prober ended with {self.process.returncode}:\n{(self.folder / 'log').read_text()}")
        return "listening on" in (self.folder / "log").read_text()

    def scamper(self):
        """Its process: the watchdog's child."""
        found = [self.process.pid]
        for _ in range(2):
            out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(found[0])], capture_output=True, text=True).stdout
            found = out.split()
        return int(found[0])
