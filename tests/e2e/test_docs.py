"""Pages of docs/, run as printed against the real programs."""

import os
import re
import subprocess

import pytest
from cdn import BIN, ROOT, wait_until
from local_dns import CLIENT, LocalDns, free_port
from local_replicas import LocalReplicas

TIMEOUT_S = 30


def examples(page):
    """Each command of the page with the lines that it prints there."""
    for block in re.findall(r"^```\n(\$ .*?)^```$", (ROOT / "docs" / page).read_text(), re.M | re.S):
        for command, *lines in (example.splitlines() for example in block[2:].split("\n$ ")):
            yield pytest.param(command, [line for line in lines if line != "…"], id=command)


def check(command, lines, here):
    """Runs it with what `here` puts in place of the page's words."""
    for printed, ours in here.items():
        command = command.replace(printed, ours)
    path = f"{ROOT / 'tests/tools'}:{os.environ['PATH']}"
    done = subprocess.run(["bash", "-c", command], env={**os.environ, "PATH": path}, capture_output=True, text=True,
                          timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    said = [line.strip() for line in done.stdout.splitlines()]
    for line in lines:
        assert line.strip() in said, done.stdout
    return said


@pytest.fixture(scope="module")
def ports(tmp_path_factory):
    """The ports of grpcurl.md, as they are here."""
    folder = tmp_path_factory.mktemp("grpcurl")
    (folder / "prober.textproto").write_text('domain: "cdn.example.org"\nprobe_policy { allow_special: "127.0.0.0/8" }\n')
    port = free_port()
    with (LocalDns(folder, probers=True) as dns, LocalReplicas(tmp_path_factory.mktemp("replicas")) as replicas,
          open(folder / "prober.log", "w") as log):
        prober = subprocess.Popen([BIN / "prober", "--listen", f"127.0.0.1:{port}", "--config", "prober.textproto"], cwd=folder,
                                  stdout=log, stderr=log)
        try:
            wait_until("prober listens", lambda: "scamper is ready" in (folder / "prober.log").read_text())
            replicas.origin.texts["/index.html"] = "a page"
            near = replicas.replicas["near"]
            yield {"127.0.0.1:4301": f"127.0.0.1:{port}", "127.0.0.1:4302": f"{near.address}:{near.control_port}",
                   "127.0.0.1:4303": f"127.0.0.1:{dns._control_port()}", "198.51.100.7": CLIENT}
        finally:
            prober.terminate()
            prober.wait()


@pytest.mark.parametrize("command, lines", examples("grpcurl.md"))
def test_grpcurl(ports, command, lines):
    check(command, lines, ports)


@pytest.fixture(scope="module")
def director(tmp_path_factory):
    with LocalDns(tmp_path_factory.mktemp("director"), flags=["--ns-address", "192.0.2.1"]) as dns:
        yield f"@127.0.0.1 -p {dns.port}"


@pytest.mark.parametrize("command, lines", examples("delegation.md"))
def test_delegation(director, command, lines):
    assert check(command, lines, {"@192.0.2.1": director}), "an answer"
