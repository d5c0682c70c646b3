"""docker/README.md, run as printed: nine replicas, an origin and a director under docker-compose."""

import os
import re
import time

import pytest
from engine import ROOT, build_images, engine, have_base, run

FOLDER = ROOT / "docker"
HEALTHY_WITHIN_S = 30
CONTAINERS = 2 * 9 + 2
NOTICED_WITHIN_S = 3


def shell(command, check=True):
    path = f"{ROOT / 'tests/tools'}:{os.environ['PATH']}"  # grpcurl
    return run("bash", "-c", command, cwd=FOLDER, env={**os.environ, "PATH": path}, check=check)


def examples():
    """Each command of the README with the lines that it prints there."""
    blocks = re.findall(r"^```\n(\$ .*?)^```$", (FOLDER / "README.md").read_text(), re.M | re.S)
    for command, *lines in (example.splitlines() for block in blocks for example in block[2:].split("\n$ ")):
        if not re.match(r"docker-compose (build|up|stop|down)\b", command):  # those are the fixture's and other tests'
            yield pytest.param(command, [line for line in lines if line != "…"], id=command)


def states():
    return run("docker", "ps", "--format", "{{.Names}} {{.Status}}").stdout.splitlines()


@pytest.fixture(scope="module", autouse=True)
def composition():
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with engine():
        have_base()
        build_images()
        try:
            yield
        finally:
            shell("docker-compose down -v --remove-orphans", check=False)


def test_all_are_healthy_soon(capsys):
    begin = time.monotonic()
    shell("docker-compose up -d --no-build")
    while sum("(healthy)" in state for state in states()) < CONTAINERS:
        assert time.monotonic() < begin + HEALTHY_WITHIN_S, states()
        time.sleep(0.2)
    size = int(run("docker", "image", "inspect", "-f", "{{.Size}}", "perigee").stdout)
    base = int(run("docker", "image", "inspect", "-f", "{{.Size}}", "debian:bookworm-slim").stdout)
    with capsys.disabled():
        print(f"\n  {CONTAINERS} containers healthy after {time.monotonic() - begin:.1f} s; "
              f"the image is {size / 1e6:.0f} MB, {(size - base) / 1e6:.0f} of them ours")


@pytest.mark.parametrize("command, lines", examples())
def test_the_readme(command, lines):
    printed = [line.strip() for line in shell(command).stdout.splitlines()]
    for line in lines:
        assert line.strip() in printed, printed


@pytest.mark.parametrize("service", ["director", "dublin", "origin", "dublin-prober"])
def test_nothing_runs_as_root_or_with_a_capability(service):
    status = shell(f"docker-compose exec -T {service} cat /proc/1/status").stdout
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Uid"].split()[0] != "0"
    assert int(fields["CapEff"], 16) == 0


def test_the_image_has_nothing_that_builds():
    found = shell("docker-compose exec -T dublin sh -c 'command -v gcc cmake make python3 git || echo none'").stdout
    assert found == "none\n"
    missing = "ldd /usr/bin/dnsserver /usr/bin/httpserver /usr/bin/prober /usr/bin/cdnctl | grep 'not found' || echo none"
    assert shell(f'docker-compose exec -T dublin sh -c "{missing}"').stdout == "none\n"


def of_asia():
    return shell("dig +short +subnet=198.18.102.0/24 -p 8053 @127.0.0.1 cdn.example.org").stdout.strip()


def test_a_killed_replica_gets_no_clients_and_comes_back():
    tokyo = "198.18.53.18"
    assert of_asia() == tokyo
    shell("docker-compose stop -t 0 tokyo tokyo-prober")
    begin = time.monotonic()
    while of_asia() == tokyo:
        assert time.monotonic() < begin + NOTICED_WITHIN_S
        time.sleep(0.1)
    shell("docker-compose up -d --no-build")
    begin = time.monotonic()
    while of_asia() != tokyo:
        assert time.monotonic() < begin + HEALTHY_WITHIN_S
        time.sleep(0.2)
