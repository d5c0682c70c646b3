"""docker/README.md, run as printed: nine replicas, an origin and a director under docker-compose."""

import contextlib
import shutil
import time

import commands
import pytest
from commands import ROOT, examples, run, shell
from engine import BASE_IMAGE, Unable, build_images, engine

FOLDER = ROOT / "docker"
# Not the folder's name: a composition that somebody has brought up stays.
PROJECT = "perigee-test"
HEALTHY_WITHIN_S = 30
CONTAINERS = 2 * 9 + 2
NOTICED_WITHIN_S = 3
KILL = 1 << 5  # of capabilities(7)


def compose(command, check=True):
    return shell(f"docker-compose {command}", cwd=FOLDER, check=check)


def containers(form, *filters):
    labels = [f"--filter=label=com.docker.compose.{each}" for each in (f"project={PROJECT}", *filters)]
    return run("docker", "ps", *labels, "--format", form).stdout.splitlines()


def states():
    return containers("{{.Names}} {{.Status}}")


def inside(service, command):
    [container] = containers("{{.ID}}", f"service={service}")
    return run("docker", "exec", container, "sh", "-c", command).stdout


@pytest.fixture(scope="module", autouse=True)
def composition():
    with contextlib.ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        try:
            stack.enter_context(engine())
        except Unable as reason:
            pytest.skip(f"Docker cannot run here: {reason}")
        patch.setenv("COMPOSE_PROJECT_NAME", PROJECT)
        build_images()
        try:
            yield
        finally:
            compose("down -v --remove-orphans", check=False)
            shutil.rmtree(FOLDER / "me", ignore_errors=True)


def test_all_are_healthy_soon(capsys):
    begin = time.monotonic()
    compose("up -d --no-build")
    while sum("(healthy)" in state for state in states()) < CONTAINERS:
        assert time.monotonic() < begin + HEALTHY_WITHIN_S, states()
        time.sleep(0.2)
    size = int(run("docker", "image", "inspect", "-f", "{{.Size}}", "perigee").stdout)
    base = int(run("docker", "image", "inspect", "-f", "{{.Size}}", BASE_IMAGE).stdout)
    with capsys.disabled():
        print(f"\n  {CONTAINERS} containers healthy after {time.monotonic() - begin:.1f} s; "
              f"the image is {size / 1e6:.0f} MB, {(size - base) / 1e6:.0f} of them ours")


# To build and to take down are the fixture's and other tests'.
@pytest.mark.parametrize("command, printed", examples("docker/README.md", r"(?!docker-compose (build|up|stop|down)\b)"))
def test_the_readme(command, printed):
    commands.check(command, printed, cwd=FOLDER)


@pytest.mark.parametrize("service, capabilities", [("director", 0), ("dublin", 0), ("origin", 0), ("dublin-prober", KILL)])
def test_nothing_runs_as_root_or_with_a_capability_too_many(service, capabilities):
    status = inside(service, "cat /proc/1/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Uid"].split()[0] != "0"
    assert int(fields["CapEff"], 16) == capabilities


def test_the_image_has_nothing_that_builds():
    assert inside("dublin", "command -v gcc cmake make python3 git || echo none") == "none\n"
    missing = "ldd /usr/bin/dnsserver /usr/bin/httpserver /usr/bin/prober /usr/bin/cdnctl | grep 'not found' || echo none"
    assert inside("dublin", missing) == "none\n"


def test_control_ports_speak_tls_and_no_host_holds_the_authority():
    plain = shell("grpcurl -plaintext 127.0.0.1:4303 list", cwd=FOLDER, check=False)
    assert plain.returncode != 0 and "Director" not in plain.stdout
    held = inside("dublin", "find /etc/perigee/keys -type f").split()
    assert sorted(name.rpartition("/")[2] for name in held) == ["ca.pem", "cert.pem", "key.pem"]


def of_asia():
    return shell("dig +short +subnet=198.18.102.0/24 -p 8053 @127.0.0.1 cdn.example.org").stdout.strip()


def test_a_killed_replica_gets_no_clients_and_comes_back():
    tokyo = "198.18.53.18"
    assert of_asia() == tokyo
    compose("stop -t 0 tokyo tokyo-prober")
    begin = time.monotonic()
    while of_asia() == tokyo:
        assert time.monotonic() < begin + NOTICED_WITHIN_S
        time.sleep(0.1)
    compose("up -d --no-build")
    begin = time.monotonic()
    while of_asia() != tokyo:
        assert time.monotonic() < begin + HEALTHY_WITHIN_S
        time.sleep(0.2)
