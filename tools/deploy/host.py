"""A host's side, as functions: each runs a command of host.sh there."""

import dataclasses
import json

from release import HOST_SCRIPT
from ssh import SshError

_LOOK_TIMEOUT_S = 30
_COPY_TIMEOUT_S = 600
_ACT_TIMEOUT_S = 240  # host.sh's own patience, of three programs


@dataclasses.dataclass(frozen=True)
class Facts:
    machine: str = ""
    kernel: str = ""
    missing: tuple[str, ...] = ()
    runtimes: tuple[str, ...] = ()
    current: str = ""
    previous: str = ""
    drained: tuple[str, ...] = ()  # replicas, by a run that was interrupted; the director knows
    services: dict[str, tuple[str, str]] = dataclasses.field(default_factory=dict)  # state, and the release that runs


def parse_facts(text):
    """Pure: what `host.sh facts` printed."""
    lines = [line.split() for line in text.splitlines()]

    def words(key):
        return tuple(line[1] for line in lines if line[0] == key and len(line) > 1)

    services = {line[1]: (line[2], line[3] if len(line) > 3 else "") for line in lines if line[0] == "service"}
    single = {key: next(iter(words(key)), "") for key in ("machine", "kernel", "current", "previous")}
    return Facts(missing=words("missing"), runtimes=words("runtime"), drained=words("drained"), services=services, **single)


class RemoteHost:
    def __init__(self, ssh, host):
        self.host, self._ssh = host, ssh

    def _do(self, *words, timeout_s=_ACT_TIMEOUT_S, **how):
        return self._ssh.run(self.host.address, HOST_SCRIPT, *words, timeout_s=timeout_s, **how)

    def facts(self):
        return parse_facts(self._do("facts", timeout_s=_LOOK_TIMEOUT_S))

    def receive(self, runtime):
        with open(runtime.archive, "rb") as archive:
            self._do("receive", runtime.sha256, stdin=archive, timeout_s=_COPY_TIMEOUT_S)

    def install(self, release):
        self._do("install", release.id, release.sha256, release.runtime, stdin=release.archive)

    def rollback(self):
        self._do("rollback")

    def start(self):
        """What became of each program: running, started, exchanged, failed."""
        return _outcomes(self._do("start"))

    def stop(self):
        """What became of each program that had been started: ended, stopped, failed."""
        return _outcomes(self._do("stop"))

    def log(self, name):
        return self._do("logs", name, timeout_s=_LOOK_TIMEOUT_S).strip()

    def drain(self, replica):
        self._do("drain", replica, timeout_s=_LOOK_TIMEOUT_S)

    def undrain(self, replica):
        self._do("undrain", replica, timeout_s=_LOOK_TIMEOUT_S)

    def status(self):
        """What `cdnctl status` says of each replica (director.proto, ReplicaState), by name; empty while the director does not
        answer."""
        try:
            return parse_status(self._do("cdnctl", "status", "--json", timeout_s=_LOOK_TIMEOUT_S))
        except SshError:
            return {}


def parse_status(text):
    """Pure: what `cdnctl status --json` printed, by replica."""
    return {replica["name"]: replica for replica in json.loads(text)["director"]["replicas"]}


def _outcomes(text):
    return {line.split()[1]: line.split()[2] for line in text.splitlines() if line.startswith("service ")}
