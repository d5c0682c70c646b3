"""One command on a whole fleet: hosts in parallel, a failure concerns its own host alone."""

import concurrent.futures
import sys

from display import Progress
from host import RemoteHost
from ssh import SshError

PARALLEL = 16  # hosts at once


class Operation:
    """Collects what fails; `hosts` are those with which nothing is wrong so far."""

    def __init__(self, fleet, ssh):
        self.fleet, self._ssh = fleet, ssh
        self.hosts = [RemoteHost(ssh, host) for host in fleet.hosts]
        self.failures = {}
        self.progress = Progress([host.name for host in fleet.hosts])

    @property
    def director(self):
        """The one of `hosts` that answers DNS, if it still is one of them."""
        return next((remote for remote in self.hosts if remote.host.is_director), None)

    def on_all(self, do, hosts=None):
        """Calls do(remote) for all hosts; the results of those that did not fail, by name."""
        hosts = self.hosts if hosts is None else hosts
        results = {}
        with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
            futures = {pool.submit(do, remote): remote for remote in hosts}
            try:
                for future in concurrent.futures.as_completed(futures):
                    self._take(futures[future], future, results)
            except KeyboardInterrupt:
                pool.shutdown(wait=False, cancel_futures=True)
                self._ssh.close()
                raise
        return results

    def _take(self, remote, future, results):
        try:
            results[remote.host.name] = future.result()
        except (SshError, RuntimeError, OSError) as error:
            self.fail(remote, str(error))

    def fail(self, remote, why):
        self.failures[remote.host.name] = why
        self.hosts = [h for h in self.hosts if h is not remote]
        self.progress.fail(remote.host.name, why)

    def report(self, what):
        """The last words, and the exit code."""
        for name, why in self.failures.items():
            print(f"{name}: {why}", file=sys.stderr)
        if self.failures:
            print(f"{what} on {len(self.hosts)} of {len(self.fleet.hosts)} hosts; repeat it when that is mended",
                  file=sys.stderr)
        return 1 if self.failures else 0
