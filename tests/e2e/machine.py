"""A rented machine in the emulated world: a host with a file system of its own, and sshd.

It is an overlay of this machine's root; /run and /tmp are its own too, and of Perigee's libraries it has none. Its first
process is sshd, or systemd, which starts sshd.
"""

import os
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
mkdir -p run/sshd opt
rm -rf opt/* $(for path in $HIDDEN; do echo "${path#/}"; done)
cp "$base/given/host_key" etc/ssh/perigee_host_key
chmod 0600 etc/ssh/perigee_host_key
chroot . useradd --create-home --shell /bin/sh --password '*' admin
echo 'admin ALL=(ALL) NOPASSWD: ALL' >etc/sudoers.d/admin
# sudo asks for it each time, of a resolver that cannot be reached from here when no file knows.
echo "127.0.0.1 localhost $(uname -n)" >etc/hosts
for home in root home/admin; do
  mkdir -p "$home/.ssh"
  cp "$base/given/authorized_keys" "$home/.ssh/authorized_keys"
  chown -R "$(stat -c %u:%g "$home")" "$home/.ssh"
  chmod -R go= "$home/.ssh"
done
init=$SSHD
if [ -n "$3" ]; then
  mount -t sysfs sysfs sys
  mount -t cgroup2 cgroup2 sys/fs/cgroup
  rm -rf etc/systemd/system/*
  for unit in $UNWANTED; do ln -s /dev/null "etc/systemd/system/$unit"; done
  printf '[Service]\\nExecStart=%s\\n[Install]\\nWantedBy=multi-user.target\\n' "$SSHD" >etc/systemd/system/sshd.service
  printf '[Unit]\\nRequires=sshd.service dbus.service\\nAllowIsolate=yes\\n' >etc/systemd/system/machine.target
  init="env -i container=perigee PATH=$PATH $3 --unit=machine.target"
fi
pivot_root . mnt
umount -l /mnt
exec $init
"""
_SSHD = ("/usr/sbin/sshd -D -e -h /etc/ssh/perigee_host_key -o UsePAM=no -o UseDNS=no -o PermitRootLogin=prohibit-password"
         " -o PidFile=none -o MaxStartups=100")
_SYSTEMD = "/lib/systemd/systemd"
# What would reach beyond the machine, or cover its mounts.
_UNWANTED = ("systemd-sysctl.service systemd-binfmt.service systemd-modules-load.service systemd-udevd.service"
             " systemd-udev-trigger.service systemd-remount-fs.service proc-sys-fs-binfmt_misc.automount tmp.mount"
             " dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount sys-kernel-config.mount"
             " sys-kernel-debug.mount sys-kernel-tracing.mount systemd-resolved.service systemd-networkd.service")


def _cgroups():
    """Where cgroup2 is mounted."""
    mounts = (line.split() for line in pathlib.Path("/proc/mounts").read_text().splitlines())
    return next((pathlib.Path(m[1]) for m in mounts if m[2] == "cgroup2"), None)


def _in_a_chroot():
    """Whether the root of this mount namespace is another one than ours: systemd starts its services from there."""
    entered = subprocess.run(["nsenter", "--mount=/proc/self/ns/mnt", "stat", "-c", "%d:%i", "/"], capture_output=True, text=True)
    here = os.stat("/")
    return entered.stdout.strip() != f"{here.st_dev}:{here.st_ino}"


def can_have_systemd():
    return pathlib.Path(_SYSTEMD).exists() and _cgroups() is not None and not _in_a_chroot()


def make_ssh_key(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)


class Machine:
    """`folder`: its own, on this machine; `login`: the public key that may log in, as root and as admin, who has sudo. Its
    cgroup is named after its host, which is this run's alone (world_lock.py)."""

    def __init__(self, world, name, folder, login, systemd=False):
        self.name, self.address, self._world = name, world.hosts[name].ipv4, world
        given, base = folder / "given", folder / "base"
        given.mkdir(parents=True)
        base.mkdir()
        make_ssh_key(given / "host_key")
        (given / "authorized_keys").write_text(login.read_text())
        self.known_host = f"{self.address} {(given / 'host_key.pub').read_text()}"
        self._log, self._cgroup, enter = folder / "init.log", None, ":"
        if systemd:
            self._cgroup = _cgroups() / f"perigee-{name}"
            self._cgroup.mkdir(exist_ok=True)
            enter = f"echo $$ >{self._cgroup}/cgroup.procs"
        command = world.command(
            name, "unshare", "--mount", "--pid", "--fork", "--uts", "--ipc", "--cgroup", "--kill-child", "env",
            f"HIDDEN={_HIDDEN}", f"SSHD={_SSHD}", f"UNWANTED={_UNWANTED}", "bash", "-c", _INIT, "init", base, given,
            _SYSTEMD if systemd else "")
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(["sh", "-c", f'{enter}; exec "$@"', "sh", *command], stdin=subprocess.DEVNULL,
                                             stdout=log, stderr=log, start_new_session=True)
        wait_until(f"sshd of {name}", self._listens)

    def _listens(self):
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.name}: {self._log.read_text()}")
        return self._world.run(self.name, "ss", "-Hltn", "sport = :22").stdout

    def run(self, command, check=True):
        """A shell command in the machine, as root."""
        init = self._init_pid()
        done = subprocess.run(["nsenter", "--target", str(init), "--all", "--root", "--wd", "sh", "-c", command],
                              capture_output=True, text=True, timeout=60)
        if check and done.returncode != 0:
            raise RuntimeError(f"{self.name}: {command}: {done.stderr}")
        return done.stdout

    def _init_pid(self):
        """The first process of the machine's own process table."""
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
        """The command names of all processes but those of ssh and of this look."""
        names = self.run("for p in /proc/[0-9]*; do [ ${p#/proc/} = $$ ] || cat $p/comm 2>/dev/null; done").split()
        return sorted(n for n in names if n not in ("sshd", "cat", "sh"))

    def stop(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)  # unshare heeds nothing else; --kill-child ends the rest
        self._process.wait()
        if self._cgroup:
            wait_until(f"{self.name} has ended", lambda: "populated 0" in (self._cgroup / "cgroup.events").read_text())
            for folder, _, _ in os.walk(self._cgroup, topdown=False):
                os.rmdir(folder)
