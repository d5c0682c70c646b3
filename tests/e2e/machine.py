"""A rented machine in the emulated world: a host with a file system of its own, and sshd.

It is an overlay of this machine's root; /run and /tmp are its own too, and of Perigee's libraries it has none. There is no
systemd in it.
"""

import pathlib
import signal
import subprocess

from cdn import wait_until

_HIDDEN = "/usr/bin/scamper /usr/lib/*/libgrpc* /usr/lib/*/libprotobuf* /usr/lib/*/libspdlog* /usr/lib/*/libcares*"
_INIT = """
set -e
base=$1
mount --make-rprivate /
mount -t tmpfs -o size=1g tmpfs "$base"
cp -r "$2" "$base/given"
mkdir "$base/upper" "$base/work" "$base/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$base/upper,workdir=$base/work" "$base/root"
cd "$base/root"
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mkdir -p run/sshd root/.ssh opt
rm -rf opt/* $(for path in $HIDDEN; do echo "${path#/}"; done)
cp "$base/given/host_key" etc/ssh/perigee_host_key
cp "$base/given/authorized_keys" root/.ssh/authorized_keys
chmod 0600 etc/ssh/perigee_host_key root/.ssh/authorized_keys
chmod 0700 root/.ssh
pivot_root . mnt
umount -l /mnt
exec /usr/sbin/sshd -D -e -h /etc/ssh/perigee_host_key -o UsePAM=no -o UseDNS=no -o PermitRootLogin=prohibit-password \\
  -o PidFile=none -o MaxStartups=100
"""


def make_ssh_key(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)


class Machine:
    """`folder`: its own, on this machine; `login`: the public key that may log in as root."""

    def __init__(self, world, name, folder, login):
        self.name, self.address, self._world = name, world.hosts[name].ipv4, world
        given, base = folder / "given", folder / "base"
        given.mkdir(parents=True)
        base.mkdir()
        make_ssh_key(given / "host_key")
        (given / "authorized_keys").write_text(login.read_text())
        self.known_host = f"{self.address} {(given / 'host_key.pub').read_text()}"
        self._log = folder / "sshd.log"
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                world.command(name, "unshare", "--mount", "--pid", "--fork", "--uts", "--ipc", "--kill-child", "env",
                              f"HIDDEN={_HIDDEN}", "bash", "-c", _INIT, "init", base, given),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        wait_until(f"sshd of {name}", self._listens)

    def _listens(self):
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.name}: {self._log.read_text()}")
        return "Server listening" in self._log.read_text()

    def run(self, command, check=True):
        """A shell command in the machine, as root."""
        init = self._init_pid()
        done = subprocess.run(["nsenter", "--target", str(init), "--all", "sh", "-c", command],
                              capture_output=True, text=True, timeout=20)
        if check and done.returncode != 0:
            raise RuntimeError(f"{self.name}: {command}: {done.stderr}")
        return done.stdout

    def _init_pid(self):
        """sshd: the first process of the machine's own process table."""
        parents = [self._process.pid]
        while parents:
            for pid in parents:
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                namespaces = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
                if len(namespaces) > 1 and namespaces[-1] == "1":
                    return pid
            parents = [child for pid in parents for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
                       for child in (task / "children").read_text().split()]
        raise RuntimeError(f"{self.name} has no init")

    def processes(self):
        """The command names of all processes but sshd's and this look."""
        names = self.run("for p in /proc/[0-9]*; do [ ${p#/proc/} = $$ ] || cat $p/comm 2>/dev/null; done").split()
        return sorted(n for n in names if n not in ("sshd", "cat", "sh"))

    def stop(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)  # unshare heeds nothing else; --kill-child ends the rest
        self._process.wait()
