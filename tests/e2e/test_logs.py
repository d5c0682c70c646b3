"""What the programs log: by module and level, as text or JSON, whatever comes from outside."""

import json
import re
import signal
import socket
import subprocess

import pytest
from cdn import BIN, ROOT, wait_until
from dns_raw import free_port
from local_dns import LocalDns
from local_http import LocalHttp

PAGE = (ROOT / "docs/logs.md").read_text()
SERVERS = ("dnsserver", "httpserver", "prober")
TEXT_LINE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d (debug|info|warning|error) +([a-z.-]+): .*"


def modules(program):
    text = " ".join(subprocess.run([BIN / program, "--help"], capture_output=True, text=True).stdout.split())
    return re.search(r"Modules: ((?:[a-z.-]+, )+[a-z.-]+)", text)[1].split(", ")


def test_the_page_names_the_modules():
    assert re.findall(r"^\| `([a-z.-]+)` \|", PAGE, re.M) == modules("prober")


@pytest.mark.parametrize("program", SERVERS)
@pytest.mark.parametrize("levels, wrong", [
    ("loud", '"loud" is no level: there are debug, info, warning, error, off'),
    ("dns.fleet=loud", '"loud" is no level'), ("dns.flee=info", '"dns.flee" is no module: there are main, service, '),
])
def test_a_wrong_word_is_named_beside_those_that_are_right(program, levels, wrong):
    done = subprocess.run([BIN / program, "--log-level", levels], capture_output=True, text=True, timeout=10)
    assert done.returncode == 2 and wrong in done.stderr, done.stderr


class Reloaded:
    """A server of the programs that reads its level from the fleet file, and takes another one from there."""

    COMMANDS = {
        "dnsserver": ["-p", "PORT", "--listen", "127.0.0.1", "--control", "127.0.0.1:0"],
        "httpserver": ["-p", "PORT", "--listen", "127.0.0.1", "--control", "127.0.0.1:0"],
        "prober": ["--listen", "127.0.0.1:PORT"],
    }

    def __init__(self, program, folder, *flags):
        self._folder = folder
        arguments = [word.replace("PORT", str(free_port())) for word in self.COMMANDS[program]]
        self._command = [BIN / program, *arguments, "--config", "cdn.textproto", *flags]

    def __enter__(self):
        self._describe("info")
        with open(self._folder / "log", "w") as log:
            self._process = subprocess.Popen(self._command, cwd=self._folder, stderr=log)
        self.says(r"control port \d|listening on")
        return self

    def __exit__(self, *_):
        self._process.terminate()
        self._process.wait(10)

    def _describe(self, level, more=""):
        (self._folder / "cdn.textproto").write_text(
            'domain: "cdn.example.org" origin: "127.0.0.1:1" replica { name: "near" ipv4: "127.0.0.2" }\n'
            f'log {{ level: "{level}" }}\n{more}')

    def log(self):
        return (self._folder / "log").read_text()

    def says(self, pattern):
        wait_until(pattern, lambda: re.search(pattern, self.log()))

    def reload(self, level, more=""):
        self._describe(level, more)
        self._process.send_signal(signal.SIGHUP)


@pytest.mark.parametrize("program", SERVERS)
def test_a_reload_takes_the_levels_of_the_fleet_file(program, tmp_path):
    with Reloaded(program, tmp_path) as server:
        server.reload("warning", 'control { ca_file: "a" certificate_file: "b" key_file: "c" }')
        server.says("warning main: control has changed: that takes a restart")
        assert "info    main: reloaded" not in server.log()
        server.reload("loud")
        server.says('main: reload refused, all goes on as before: cdn.textproto:2:7: level: "loud" is no level')
        server.reload("info")
        server.says("info    main: reloaded")


@pytest.mark.parametrize("program", SERVERS)
def test_the_level_of_a_flag_counts_before_the_fleet_files(program, tmp_path):
    with Reloaded(program, tmp_path, "--log-level", "info") as server:
        server.reload("off")
        server.says("info    main: reloaded")


def records(log):
    """Every line, as JSON."""
    found = [json.loads(line) for line in log.splitlines()]
    for record in found:
        assert list(record)[:4] == ["time", "level", "module", "message"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record["time"])
    return found


def test_facts_are_fields_of_json(tmp_path):
    with LocalDns(tmp_path, flags=["--log-format", "json"]) as server:
        wait_until("a replica is down", lambda: "is down" in server.log())
        server.end()
        found = records(server.log())
    down = next(record for record in found if "is down" in record["message"])
    assert down["level"] == "warning" and down["module"] == "dns.fleet"
    assert down["replica"] in ("near", "far") and down["part"] in ("prober", "httpserver") and down["state"] == "down"
    assert {"dns.fleet", "main"} <= {record["module"] for record in found}
    assert {key for record in found for key in list(record)[4:]} <= set(re.findall(r"`(\w+)`", PAGE))


def ask_for(port, target):
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        while client.recv(65536):
            pass


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_no_request_forges_a_line(tmp_path, log_format):
    with LocalHttp(tmp_path, flags=["--log-level", "replica.session=debug", "--log-format", log_format]) as server:
        for target in (b"/\xff\xfe%0aforged", b'/"},{"forged":1', "/ä…".encode()):
            ask_for(server.port, target)
        server.end()
        log = server.log()
    if log_format == "json":
        assert any(record["module"] == "replica.session" and record["level"] == "debug" for record in records(log))
        assert not any("forged" in record for record in records(log))
    else:
        assert all(re.fullmatch(TEXT_LINE, line) for line in log.splitlines()), log


def test_each_module_has_its_own_level(tmp_path):
    with LocalHttp(tmp_path, flags=["--log-level", "info,replica.session=debug"]) as server:
        assert server.ask("/a")[0] == 200
        server.end()
        seen = {re.fullmatch(TEXT_LINE, line).groups() for line in server.log().splitlines()}
    assert ("debug", "replica.session") in seen and ("info", "main") in seen
    assert {module for level, module in seen if level == "debug"} == {"replica.session"}


def test_a_prober_says_nothing_when_told_to(tmp_path):
    with open(tmp_path / "log", "w") as log:
        command = [BIN / "prober", "--listen", f"127.0.0.1:{free_port()}", "--log-level", "off"]
        prober = subprocess.Popen(command, stderr=log)
    prober.terminate()
    assert prober.wait(10) in (0, -15) and (tmp_path / "log").read_text() == ""
