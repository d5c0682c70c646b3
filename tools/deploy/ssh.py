"""Commands on hosts through the system's ssh: one connection a host, shared by all commands; host keys checked; no question
ever asked."""

import pathlib
import shlex
import shutil
import subprocess
import tempfile

_CONNECT_TIMEOUT_S = 10
_ALIVE_INTERVAL_S = 5
_ALIVE_COUNT = 3
_LINGER_S = 60  # of a connection whose owner was killed
_SSH_FAILED = 255


class SshError(Exception):
    """What went wrong on, or on the way to, a host."""


class Ssh:
    """`options`: username, keyfile, ssh_port, known_hosts, accept_new_host_keys. Any thread."""

    def __init__(self, options):
        self._sockets = pathlib.Path(tempfile.mkdtemp(prefix="perigee-"))
        self._addresses, self._is_closed = set(), False
        self._flags = [
            "-o", "BatchMode=yes",
            "-o", f"ConnectTimeout={_CONNECT_TIMEOUT_S}",
            "-o", f"ServerAliveInterval={_ALIVE_INTERVAL_S}", "-o", f"ServerAliveCountMax={_ALIVE_COUNT}",
            "-o", f"StrictHostKeyChecking={'accept-new' if options.accept_new_host_keys else 'yes'}",
            "-o", "ControlMaster=auto", "-o", f"ControlPath={self._sockets}/%C", "-o", f"ControlPersist={_LINGER_S}",
            "-o", "LogLevel=ERROR",
        ]
        if options.username:
            self._flags += ["-l", options.username]
        if options.keyfile:
            self._flags += ["-i", str(options.keyfile), "-o", "IdentitiesOnly=yes"]
        if options.ssh_port:
            self._flags += ["-p", str(options.ssh_port)]
        if options.known_hosts:
            self._flags += ["-o", f"UserKnownHostsFile={options.known_hosts}"]

    def run(self, address, script, *arguments, stdin=subprocess.DEVNULL, timeout_s):
        """Runs a shell script there as root, through sudo if need be, and returns what it prints."""
        words = " ".join(map(shlex.quote, ("sh", "-c", script, "perigee", *arguments)))
        command = f'if [ "$(id -u)" = 0 ]; then exec {words}; else exec sudo -n {words}; fi'
        if self._is_closed:
            raise SshError("interrupted")
        self._addresses.add(address)
        given = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
        try:
            done = subprocess.run(["ssh", *self._flags, address, command], **given, capture_output=True, timeout=timeout_s)
        except subprocess.TimeoutExpired:
            raise SshError(f"no answer within {timeout_s} s") from None
        if done.returncode != 0:
            raise SshError(_explain(done.stderr.decode(errors="replace"), done.returncode))
        return done.stdout.decode(errors="replace")

    def close(self):
        """Ends the connections, and with them what still runs over them; again: nothing."""
        self._is_closed = True
        while self._addresses:
            address = self._addresses.pop()
            subprocess.run(["ssh", *self._flags, "-O", "exit", address], capture_output=True)
        shutil.rmtree(self._sockets, ignore_errors=True)


def _explain(stderr, code):
    """ssh's words, and what to do about the commonest."""
    text = " ".join(stderr.split()) or f"exit status {code}"
    if "Host key verification failed" in text and "REMOTE HOST IDENTIFICATION HAS CHANGED" in text:
        return "its host key has CHANGED: somebody may be in between; if not, ssh-keygen -R takes the old one away"
    if "Host key verification failed" in text or "host key is known" in text:
        return "its host key is not known: compare it and connect once by ssh, or trust it with --accept-new-host-keys"
    if code != _SSH_FAILED and "sudo:" in text:
        return f"neither root nor sudo without a password ({text})"
    return text
