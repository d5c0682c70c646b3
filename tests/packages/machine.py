"""A clean Debian 12 that boots: systemd as its first process, in a network of its own. Needs root."""

import contextlib
import os
import pathlib
import subprocess
import time

from commands import ROOT, run

CACHE = ROOT / "build/packages-test"
BASE = CACHE / "bookworm"
NETWORK, CLIENT = "perigee-pkg", "perigee-pkg-c"
ADDRESS, CLIENT_ADDRESS = "198.18.0.1", "198.18.0.2"
BOOT_TIMEOUT_S = 60


def make_base():
    """The system before anything of ours; kept for the next time."""
    if BASE.exists():
        return
    new = CACHE / "bookworm.new"
    run("rm", "-rf", new)
    new.mkdir(parents=True)
    run("debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv", "bookworm", new, timeout=540)
    new.rename(BASE)


class Machine:
    """Its files are an overlay of the base: gone when it is."""

    def __init__(self, folder):
        self.folder, self.root, self.process = folder, folder / "root", None

    def __enter__(self):
        make_base()
        try:
            self._mount()
            self._make_network()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _mount(self):
        run("mount", "-t", "tmpfs", "perigee-packages", self.folder)
        for name in ("upper", "work", "root"):
            (self.folder / name).mkdir()
        layers = f"lowerdir={BASE},upperdir={self.folder}/upper,workdir={self.folder}/work"
        run("mount", "-t", "overlay", "perigee-packages", "-o", layers, self.root)

    def __exit__(self, *_):
        self.halt()
        for name in (NETWORK, CLIENT):
            run("ip", "netns", "del", name, check=False)
        run("umount", self.root, check=False)
        run("umount", self.folder, check=False)

    def _make_network(self):
        for name in (NETWORK, CLIENT):
            run("ip", "netns", "del", name, check=False)
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
        run("ip", "-n", NETWORK, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", CLIENT)
        for name, address in ((NETWORK, ADDRESS), (CLIENT, CLIENT_ADDRESS)):
            run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
            run("ip", "-n", name, "link", "set", "eth0", "up")

    def install_before_boot(self, *debs):
        """With apt-get, from the mirror; what it fetches is kept for the next time."""
        for deb in debs:
            run("cp", deb, self.root / "tmp")
        run("cp", "/etc/resolv.conf", self.root / "etc/resolv.conf")
        (CACHE / "archives/partial").mkdir(parents=True, exist_ok=True)
        archives = self.root / "var/cache/apt/archives"
        # Kept packages are the cache's, not this machine's.
        (self.root / "etc/apt/apt.conf.d/90keep").write_text('Binary::apt-get::APT::Keep-Downloaded-Packages "true";\n')
        run("mount", "--bind", CACHE / "archives", archives)
        try:
            self._chroot("apt-get", "update", "-q")
            self._chroot("apt-get", "install", "-y", "-q", *[f"/tmp/{deb.name}" for deb in debs])
        finally:
            run("umount", archives)

    def _chroot(self, *command):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        return run("chroot", self.root, *command, env=environment, timeout=540)

    def boot(self):
        with open(self.folder / "boot.log", "wb") as log:
            self.process = subprocess.Popen(
                ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--boot", "--directory", self.root,
                 f"--network-namespace-path=/run/netns/{NETWORK}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + BOOT_TIMEOUT_S
        while self._leader() is None or self.sh("systemctl is-system-running", check=False).stdout.strip() not in (
                "running", "degraded"):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError((self.folder / "boot.log").read_text())
            time.sleep(0.1)

    def _leader(self):
        """systemd-nspawn's child is the machine's first process."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for child in children:
            with contextlib.suppress(OSError):
                if pathlib.Path(f"/proc/{child}/comm").read_text() == "systemd\n":
                    return child
        return None

    def sh(self, script, check=True, timeout=60):
        enter = ["nsenter", "--target", self._leader(), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
        return run(*enter, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                   "DEBIAN_FRONTEND=noninteractive", "sh", "-c", script, check=check, timeout=timeout)

    def halt(self):
        if self.process is None or self.process.poll() is not None:
            return
        if leader := self._leader():
            run("kill", "-RTMIN+3", leader, check=False)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def at_client(*command, check=True):
    """In the network of a client of that machine."""
    return run("ip", "netns", "exec", CLIENT, *command, check=check, timeout=30)
