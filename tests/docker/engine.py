"""A Docker to test with: the one that runs, or else one of our own, which ends with the tests. Needs root for that."""

import contextlib
import os
import subprocess
import time

from commands import ROOT, run

CACHE = ROOT / "build/docker-test"
BASE_IMAGE = "debian:bookworm-slim"
START_TIMEOUT_S, PULL_TIMEOUT_S, BUILD_TIMEOUT_S = 30, 60, 540


def answers():
    return run("docker", "info", check=False).returncode == 0


@contextlib.contextmanager
def engine():
    """Sets DOCKER_HOST for everything that is run from here, if need be."""
    if answers():
        yield
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    socket = CACHE / "docker.sock"
    with open(CACHE / "dockerd.log", "wb") as log:
        # Images are kept in the cache. It leaves the machine's bridges, filters and forwarding alone: containers need to
        # reach each other only, their published ports are carried by docker-proxy, and builds have the host's network.
        daemon = subprocess.Popen(
            ["dockerd", "--data-root", CACHE / "data", "--exec-root", CACHE / "exec", "--pidfile", CACHE / "pid",
             "--host", f"unix://{socket}", "--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"], stdout=log, stderr=log)
    os.environ["DOCKER_HOST"] = f"unix://{socket}"
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not answers():
            if time.monotonic() > deadline or daemon.poll() is not None:
                raise RuntimeError((CACHE / "dockerd.log").read_text())
            time.sleep(0.2)
        yield
    finally:
        del os.environ["DOCKER_HOST"]
        daemon.terminate()
        daemon.wait(60)
        run("umount", CACHE / "exec/netns/default", check=False)  # which it leaves


def have_base():
    """From the registry, or, where none can be reached, as debootstrap makes it."""
    if run("docker", "image", "inspect", BASE_IMAGE, check=False).returncode == 0:
        return
    with contextlib.suppress(RuntimeError, subprocess.TimeoutExpired):
        run("docker", "pull", "-q", BASE_IMAGE, timeout=PULL_TIMEOUT_S)
        return
    folder = CACHE / "bookworm"
    run("rm", "-rf", folder)
    run("debootstrap", "--variant=minbase", "bookworm", folder, timeout=BUILD_TIMEOUT_S)
    run("sh", "-c", f"rm -rf {folder}/var/cache/apt/archives/*.deb {folder}/var/lib/apt/lists/*; "
        f"tar -C {folder} -c . | docker import - {BASE_IMAGE}", timeout=BUILD_TIMEOUT_S)
    run("rm", "-rf", folder)


def build_images():
    """All but that of the programs by the Dockerfile; that one from what is compiled already."""
    for target in ("runtime", "origin", "client"):
        run("docker", "build", "--network", "host", "-f", "docker/Dockerfile", "--target", target, "-t",
            f"perigee-{target}", ".", cwd=ROOT, timeout=BUILD_TIMEOUT_S)
    run("docker", "build", "-f", "docker/Dockerfile.prebuilt", "-t", "perigee", ".", cwd=ROOT, timeout=BUILD_TIMEOUT_S)
