"""cdnctl against a director on loopback, and its keys as OpenSSL sees them: what programs read of it, how it ends."""

import json
import re
import subprocess
import threading

import dns_raw
import pytest
from cdn import BIN
from local_dns import CLIENT, DOMAIN, LocalDns


@pytest.fixture(scope="module")
def director(tmp_path_factory):
    with LocalDns(tmp_path_factory.mktemp("director"), probers=True) as server:
        server.wait_known()
        yield server


def printed(director, *words):
    done = director.cdnctl(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_the_director_says_is_there_for_programs(director):
    status = printed(director, "status")
    assert [(r["name"], r["healthy"]) for r in status["director"]["replicas"]] == [("near", True), ("far", True)]
    assert re.fullmatch(r"\d+\.\d+\.\d+", status["director"]["version"]) and int(status["director"]["queries"]) > 0
    explained = printed(director, "explain", CLIENT)
    assert (explained["replica"], explained["reason"]) == ("near", "REASON_MEASURED_BEST")
    for word, state, previous in (("drain", "DRAIN", "AUTO"), ("undrain", "AUTO", "DRAIN")):
        assert printed(director, word, "near") == {
            "replica": "near", "state": f"OPERATOR_STATE_{state}", "previous": f"OPERATOR_STATE_{previous}"}
    assert printed(director, "reload") == {"zones": 1, "replicas": 2, "needsRestart": []}
    measured = printed(director, "measure", CLIENT)["replicas"]
    assert {r["replica"]: r["measure"]["minRttUs"] for r in measured} == {"near": 2000, "far": 8000}


def test_top_shows_what_goes_on(director):
    done = threading.Event()

    def client():
        while not done.is_set():
            director.ask(DOMAIN, dns_raw.A)

    asking = threading.Thread(target=client)
    asking.start()
    try:
        top = ["top", "--interval", "0.3", "--count", "2"]
        lines = director.cdnctl(*top, "--json").stdout.splitlines()
        table = director.cdnctl(*top).stdout
    finally:
        done.set()
        asking.join()
    reports = [json.loads(line) for line in lines]
    assert len(reports) == 2 and all(r["queriesPerSecond"] > 1 for r in reports)
    assert [r["replica"] for r in reports[0]["replicas"]] == ["near", "far"]
    assert "\x1b" not in table and table.count("queries/s") == 2 and table.count("\nnear ") == 2


@pytest.mark.parametrize("words, code, message", [
    (["drain", "nowhere"], 2, "nowhere"),
    (["--identity", "nowhere", "status"], 2, "nowhere/ca.pem"),
    (["--config", "absent.textproto", "purge", "--all"], 2, "absent.textproto"),
    (["keys", "show"], 2, "cdnctl keys init"),
    (["keys", "issue", "x", "--role", "king"], 2, "king"),
])
def test_exit_codes_say_whose_fault_it_is(director, words, code, message):
    done = director.cdnctl(*words)
    assert (done.returncode, done.stdout) == (code, "") and message in done.stderr, done.stderr


def test_a_director_that_does_not_answer_is_no_mistake_of_the_command_line():
    done = subprocess.run([BIN / "cdnctl", "--director", "127.0.0.1:1", "status"], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stdout) == (1, "") and "is --director right?" in done.stderr


def test_keys_are_what_others_take_for_good(tmp_path):
    def run(*words):
        return subprocess.run(list(map(str, words)), cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    def look(file):
        return run("openssl", "x509", "-in", f"cdn-keys/{file}", "-noout", "-text")

    run(BIN / "cdnctl", "keys", "init")
    run(BIN / "cdnctl", "keys", "issue", "dublin", "--role", "replica", "--address", "192.0.2.10", "--dns", "dublin.example.org")
    run(BIN / "cdnctl", "keys", "issue", "alice", "--role", "operator")
    for name, purpose in (("dublin", "sslserver"), ("dublin", "sslclient"), ("alice", "sslclient")):
        assert "OK" in run("openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", "cdn-keys/ca.pem",
                           f"cdn-keys/{name}/cert.pem")
    assert subprocess.run(["openssl", "verify", "-purpose", "sslserver", "-CAfile", "cdn-keys/ca.pem", "cdn-keys/alice/cert.pem"],
                          cwd=tmp_path, capture_output=True).returncode != 0, "an operator serves nobody"
    authority, dublin = look("ca.pem"), look("dublin/cert.pem")
    assert "CA:TRUE, pathlen:0" in authority and "Certificate Sign, CRL Sign" in authority
    assert "prime256v1" in dublin and "CA:FALSE" in dublin and "Digital Signature" in dublin
    assert "IP Address:192.0.2.10" in dublin and "DNS:dublin.example.org" in dublin
    assert "URI:urn:perigee:role:replica" in dublin
    shown = json.loads(run(BIN / "cdnctl", "keys", "show", "--json"))["keys"]
    assert [(k["name"], k["role"]) for k in shown] == [("ca", "authority"), ("alice", "operator"), ("dublin", "replica")]
