"""runbook.md and moving-from-route53.md: the commands in their text are run, and what else stands there as code is ours."""

import re
import shlex
import subprocess
import sys

import pytest
from cdn import BIN, ROOT
from commands import replace, spans
from local_dns import CLIENT, DOMAIN, LocalDns
from local_http import LocalHttp
from local_replicas import LocalReplicas

sys.path.append(str(ROOT / "packaging"))
import program_help  # noqa: E402

PAGES = ("docs/runbook.md", "docs/moving-from-route53.md")
SPANS = list(dict.fromkeys(span for page in PAGES for span in spans(page)))

DIRECTOR = r"cdnctl (status|explain|measure|drain|undrain|force-up|config check)\b|dig "
REPLICA = r"cdnctl warm\b"
KEYS = r"cdnctl keys\b"
HTTP = r"wget "
THIS_HOST = r"(ss|df|dpkg)\b"
# By test_lifecycle.py of tests/packages, on a machine with systemd, and by test_deploy.py.
PACKAGES, DEPLOY = r"(systemctl|journalctl) ", r"(\./)?runCDN$"
NOT_RUN = {
    "dmesg": "a container may not read the kernel's log, not even as root",
    "smartctl -a": "asks a disk of metal",
    "iostat": "is in sysstat, which nothing else here needs",
    "coredumpctl": "is in systemd-coredump, which would take the machine's core dumps over",
}
# Neither commands nor words of the programs.
NAMES = {"/healthz", "cdnctl", "/etc/perigee", "perigee", "cdn.example.org", "www"}


def such(pattern):
    return [span for span in SPANS if re.match(pattern, span)]


def is_command(span):
    run_somewhere = (DIRECTOR, REPLICA, KEYS, HTTP, THIS_HOST, PACKAGES, DEPLOY)
    return span in NOT_RUN or any(re.match(pattern, span) for pattern in run_somewhere)


@pytest.fixture(scope="module")
def words():
    """What the programs, their files and their metrics call things."""
    metrics = (ROOT / "docs/metrics.md").read_text()
    proto = (ROOT / "proto/perigee/v1/config.proto").read_text()
    units = "".join(file.read_text() for file in (ROOT / "packaging/systemd").rglob("*.*") if file.is_file())
    programs = ("dnsserver", "httpserver", "prober", "cdnctl")
    flags = {flag for name in programs for flag in program_help.Help(BIN / name).flags()}
    commands = set(program_help.Help(BIN / "cdnctl").subcommands())
    return {*re.findall(r"(perigee_\w+|[a-z]+(?:-[a-z]+)*)", metrics), *re.findall(r"\b(\w+) = \d+;", proto),
            *re.findall(r"^(\w+=)", units, re.M), *flags, *commands}


@pytest.mark.parametrize("span", [span for span in SPANS if not is_command(span)])
def test_what_is_no_command_is_a_word_of_ours(words, span):
    if span in NAMES:
        return
    for word in re.findall(r"--[\w-]+|\w+=$|[\w-]+", re.sub(r'="[^"]*"', "", span)):
        assert word in words, f"{word} of `{span}`"


def test_what_is_not_run_is_still_there():
    assert set(NOT_RUN) <= set(SPANS)


@pytest.fixture(scope="module")
def director(tmp_path_factory):
    with LocalDns(tmp_path_factory.mktemp("director"), probers=True) as server:
        server.wait_known()
        yield server


def run(command, folder):
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("command", such(DIRECTOR))
def test_the_director_is_asked(director, command):
    server = f"@127.0.0.1 -p {director.port}"
    here = {"dig @ADDRESS DOMAIN": f"dig {server} {DOMAIN}", "dig cdn.example.org": f"dig {server} {DOMAIN}",
            "NAME": "near", "ADDRESS": CLIENT, "cdnctl ": f"{BIN}/cdnctl --director 127.0.0.1:{director.control_port} "}
    assert run(replace(command, here), director.folder)


@pytest.mark.parametrize("command", such(REPLICA))
def test_replicas_are_told(tmp_path, command):
    (tmp_path / "urls.txt").write_text("/a\n")
    with LocalReplicas(tmp_path) as replicas:
        replicas.origin.texts["/a"] = "a page"
        assert "near" in run(command.replace("cdnctl", str(BIN / "cdnctl")), tmp_path)


@pytest.mark.parametrize("command", such(KEYS))
def test_keys_are_looked_at(tmp_path, command):
    run(f"{BIN}/cdnctl keys init", tmp_path)
    assert "ca" in run(command.replace("cdnctl", str(BIN / "cdnctl")), tmp_path)


@pytest.mark.parametrize("command", such(HTTP))
def test_a_replica_is_fetched_from(tmp_path, command):
    with LocalHttp(tmp_path, flags=["--metrics", "METRICS"]) as server:
        here = {"ADDRESS": f"127.0.0.1:{server.port}", "127.0.0.1:9354": f"127.0.0.1:{server.metrics_port}"}
        run(replace(command, here), tmp_path)


@pytest.mark.parametrize("command", such(THIS_HOST))
def test_a_host_is_looked_at(tmp_path, command):
    run(command.replace("/var/cache/perigee", shlex.quote(str(tmp_path))), tmp_path)


@pytest.mark.parametrize("command", such(PACKAGES))
def test_the_units_are_those_of_the_packages(command):
    for unit in re.findall(r"\bperigee-\w+", command):
        assert (ROOT / f"packaging/systemd/{unit}.service").exists()
