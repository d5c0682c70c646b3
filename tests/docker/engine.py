#!/usr/bin/python3
"""A Docker to test with: the one that runs, or else one of our own, which ends with the tests.

What stays is images (perigee, perigee-runtime, perigee-origin, perigee-client, and the base of all when it was not
there): our own Docker's in build/docker-test, 0.9 GB, the machine's where that keeps them. And empty folders in /run.

As a program it makes those images for which nothing has to be compiled: while something else is.
"""

import concurrent.futures
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tools"))
from commands import ROOT, run  # noqa: E402

BUILD = ROOT / "build/release"
CACHE = ROOT / "build/docker-test"
CGROUPS = pathlib.Path("/sys/fs/cgroup")
PROGRAMS = ROOT / "build/docker"  # as Dockerfile.prebuilt takes them
BASE_IMAGE = "debian:bookworm-slim"
# No documentation, and no wait for the disk.
LIKE_THE_REGISTRYS = "path-exclude /usr/share/doc/*\npath-exclude /usr/share/man/*\nforce-unsafe-io\n"
TRIAL = "perigee-trial"
CGROUP = "perigee-docker"
START_TIMEOUT_S, TRIAL_TIMEOUT_S, STOP_TIMEOUT_S = 30, 30, 60
PULL_TIMEOUT_S, BUILD_TIMEOUT_S = 60, 540


class Unable(Exception):
    """Why Docker cannot run here."""


def answers():
    return shutil.which("docker") and run("docker", "info", check=False).returncode == 0


@contextlib.contextmanager
def engine():
    """Sets DOCKER_HOST for everything that is run from here, if need be. Unable, where no container can run."""
    with contextlib.nullcontext() if answers() else _daemon():
        _try()
        yield


@contextlib.contextmanager
def _daemon():
    if os.geteuid() != 0:
        raise Unable("none runs, and it takes root to start one")
    missing = [program for program in ("dockerd", "docker", "setpriv") if not shutil.which(program)]
    if missing:
        raise Unable(f"none runs, and there is no {missing[0]}")
    CACHE.mkdir(parents=True, exist_ok=True)
    socket, log = CACHE / "docker.sock", CACHE / "dockerd.log"
    with open(log, "wb") as out:
        # It leaves the machine's bridges, filters and forwarding alone: containers need to reach each other only, their
        # published ports are carried by docker-proxy, and builds have the host's network. It ends when we are killed.
        daemon = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "dockerd", "--data-root", CACHE / "data", "--exec-root", CACHE / "exec",
             "--pidfile", CACHE / "pid", "--host", f"unix://{socket}", "--bridge=none", "--iptables=false",
             "--ip6tables=false", "--ip-forward=false", "--exec-opt", "native.cgroupdriver=cgroupfs",
             "--cgroup-parent", f"/{CGROUP}"], stdout=out, stderr=out)
    os.environ["DOCKER_HOST"] = f"unix://{socket}"
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not answers():
            if daemon.poll() is not None:
                raise Unable(f"dockerd ends: {_last_words(log)}")
            if time.monotonic() > deadline:
                raise Unable(f"dockerd does not answer after {START_TIMEOUT_S} s: {_last_words(log)}")
            time.sleep(0.2)
        yield
    finally:
        del os.environ["DOCKER_HOST"]
        daemon.terminate()
        daemon.wait(STOP_TIMEOUT_S)
        # Which it leaves.
        run("umount", CACHE / "exec/netns/default", check=False)
        for folder in [*CGROUPS.glob(CGROUP), *CGROUPS.glob(f"*/{CGROUP}")]:
            folder.rmdir()


def _last_words(log):
    return (log.read_text().splitlines() or ["without a word"])[-1]


def _try():
    """Whether a container runs: one that has a program of this machine alone, in a network of its own. And whether a second
    program finds its way in, which it does not from a chroot."""
    libraries = re.findall(r"(/\S+) \(0x", run("ldd", "/bin/sleep").stdout)
    try:
        run("sh", "-c", f"tar -ch /bin/sleep {' '.join(libraries)} | docker import --change 'WORKDIR /{TRIAL}' - {TRIAL}",
            timeout=TRIAL_TIMEOUT_S)
        run("docker", "network", "create", TRIAL, timeout=TRIAL_TIMEOUT_S)
        run("docker", "run", "--rm", "-d", "--name", TRIAL, "--network", TRIAL, TRIAL, "/bin/sleep", str(TRIAL_TIMEOUT_S),
            timeout=TRIAL_TIMEOUT_S)
        run("docker", "exec", TRIAL, "/bin/sleep", "0", timeout=TRIAL_TIMEOUT_S)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        raise Unable(str(error)) from None
    finally:
        run("docker", "rm", "-f", TRIAL, check=False)
        run("docker", "network", "rm", TRIAL, check=False)
        run("docker", "image", "rm", TRIAL, check=False)


def build_images():
    """That of the programs from what is compiled already, and those that it takes, by the Dockerfile."""
    prepare()
    run("cmake", "--build", BUILD, "--target", "programs", "packaging", timeout=BUILD_TIMEOUT_S)
    for component in ("tools", "director", "replica"):
        run("cmake", "--install", BUILD, "--prefix", "/usr", "--strip", "--component", component,
            env={**os.environ, "DESTDIR": str(PROGRAMS)})
    _build("perigee", "docker/Dockerfile.prebuilt")


def prepare():
    """The images without programs of ours."""
    _have_base()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(_build_target, ("runtime", "origin", "client")))


def _build_target(target):
    _build(f"perigee-{target}", "docker/Dockerfile", "--network", "host", "--target", target)


def _build(image, dockerfile, *flags):
    def now():
        return run("docker", "image", "inspect", "-f", "{{.Id}}", image, check=False).stdout.strip()

    before = now()
    run("docker", "build", "-f", dockerfile, "-t", image, *flags, ".", cwd=ROOT, timeout=BUILD_TIMEOUT_S)
    if before and before != now():
        run("docker", "image", "rm", before, check=False)


def _have_base():
    """From the registry, or, where none can be reached, as debootstrap makes it."""
    if run("docker", "image", "inspect", BASE_IMAGE, check=False).returncode == 0:
        return
    with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
        run("docker", "pull", "-q", BASE_IMAGE, timeout=PULL_TIMEOUT_S)
        return
    folder = CACHE / "bookworm"
    run("rm", "-rf", folder)
    run("debootstrap", "--variant=minbase", "bookworm", folder, timeout=BUILD_TIMEOUT_S)
    (folder / "etc/dpkg/dpkg.cfg.d/image").write_text(LIKE_THE_REGISTRYS)
    run("sh", "-c", f"rm -rf {folder}/var/cache/apt/archives/*.deb {folder}/var/lib/apt/lists/*; "
        f"tar -C {folder} -c . | docker import - {BASE_IMAGE}", timeout=BUILD_TIMEOUT_S)
    run("rm", "-rf", folder)


def main():
    try:
        with engine():
            prepare()
    except Unable as reason:
        print(f"Docker cannot run here: {reason}")


if __name__ == "__main__":
    main()
