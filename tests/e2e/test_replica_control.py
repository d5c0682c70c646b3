"""cdnctl purge, warm, stats and drain --direct, against two real httpservers on loopback."""

import json
import re
import socket
import ssl
import subprocess
import threading
import urllib.request

import pytest
from cdn import BIN, make_keys, wait_until
from dns_raw import free_port
from local_replicas import LocalReplicas, rows
from metrics_page import parse_metrics, total


@pytest.fixture
def fleet(tmp_path):
    with LocalReplicas(tmp_path) as replicas:
        yield replicas


def fill(fleet, text, paths=("/a", "/img/b", "/img/c")):
    for path in paths:
        fleet.origin.texts[path] = text
    fleet.origin.tags.update({"/a": "news front", "/img/b": "news"})
    return {path: fleet.bodies(path) for path in paths}


@pytest.mark.parametrize("how, gone", [
    (["http://cdn.example.org/a"], {"/a"}),
    (["--prefix", "/img/"], {"/img/b", "/img/c"}),
    (["--tag", "news"], {"/a", "/img/b"}),
    (["--tag", "front", "--prefix", "http://cdn.example.org/img/c"], {"/a", "/img/c"}),
    (["--all"], {"/a", "/img/b", "/img/c"}),
    (["--all", "--soft"], {"/a", "/img/b", "/img/c"}),
])
def test_a_purge_reaches_every_replica(fleet, how, gone):
    fill(fleet, "old")
    for path in ("/a", "/img/b", "/img/c"):
        fleet.origin.texts[path] = "new"
        assert fleet.bodies(path) == {"old"}
    result = fleet.cdnctl("purge", *how)
    assert result.returncode == 0, result.stderr
    assert rows(result) == {name: {"REPLICA": name, "OBJECTS": str(len(gone)), "RESULT": "ok"} for name in ("near", "far")}
    assert {path: fleet.bodies(path) for path in ("/a", "/img/b", "/img/c")} == {
        path: {"new" if path in gone else "old"} for path in ("/a", "/img/b", "/img/c")}


def test_a_replica_that_cannot_be_reached_is_named_and_the_others_are_purged(fleet):
    fill(fleet, "old")
    fleet.origin.texts["/a"] = "new"
    fleet.replicas["far"].kill()
    result = fleet.cdnctl("purge", "/a", "--timeout", "3")
    assert result.returncode == 3
    assert rows(result)["near"]["RESULT"] == "ok"
    assert rows(result)["far"]["OBJECTS"] == "-" and rows(result)["far"]["RESULT"] != "ok"
    assert fleet.replicas["near"].get("/a")[0] == "new"


def test_a_purge_outlives_kill_9_and_what_was_not_purged_too(fleet):
    fill(fleet, "old")
    assert fleet.cdnctl("purge", "--tag", "front").returncode == 0
    fleet.origin.texts = dict.fromkeys(fleet.origin.texts, "new")
    for replica in fleet.replicas.values():
        replica.kill()
        replica.start()
    assert fleet.bodies("/a") == {"new"}
    assert rows(fleet.cdnctl("purge", "--tag", "nobody"))["near"]["OBJECTS"] == "0"


def test_what_is_being_fetched_when_the_purge_comes_is_not_kept(fleet):
    near = fleet.replicas["near"]
    fleet.origin.texts["/slow"] = "old"
    gate = fleet.origin.held["/slow"] = threading.Event()
    early = []
    client = threading.Thread(target=lambda: early.append(near.get("/slow")[0]))
    client.start()
    wait_until("the origin is asked", lambda: "/slow" in fleet.origin.requests)
    del fleet.origin.held["/slow"]
    fleet.origin.texts["/slow"] = "new"
    assert fleet.cdnctl("purge", "/slow").returncode == 0
    assert near.get("/slow")[0] == "new"
    gate.set()
    client.join(10)
    assert early == ["old"]
    body, status = near.get("/slow")
    assert body == "new" and "hit" in status


def test_warm_fetches_into_every_cache_and_lists_what_is_not_stored(fleet):
    fleet.origin.texts.update({"/a": "aaa", "/b": "bbb"})
    result = fleet.cdnctl("warm", "http://cdn.example.org/a", "--file", "-", stdin="# a comment\n/b\n\n/missing\n")
    assert result.returncode == 0, result.stderr
    for name in ("near", "far"):
        row = rows(result)[name]
        assert (row["STORED"], row["NOT STORED"], row["FAILED"], row["RESULT"]) == ("2", "1", "0", "ok")
    assert "/missing" in result.stdout.split("\n\n")[1] and "404" in result.stdout
    for path in ("/a", "/b"):
        assert all("hit" in status for _, status in fleet.get(path).values())
    assert rows(fleet.cdnctl("warm", "/a"))["near"]["HIT"] == "1"


def test_warm_takes_more_urls_than_one_call(fleet):
    fleet.origin.texts.update({f"/{n}": "x" for n in range(1001)})
    result = fleet.cdnctl("warm", "--file", "-", "--replica", "near", stdin="".join(f"/{n}\n" for n in range(1001)))
    assert result.returncode == 0 and rows(result)["near"]["STORED"] == "1001"


def test_warm_fails_when_the_origin_does(fleet):
    fleet.origin.stop()
    result = fleet.cdnctl("warm", "/a", "--replica", "near")
    assert result.returncode == 1
    assert set(rows(result)) == {"near"} and rows(result)["near"]["FAILED"] == "1"


def test_stats_show_each_replica(fleet):
    fill(fleet, "x")
    fleet.bodies("/a")
    result = fleet.cdnctl("stats")
    assert result.returncode == 0
    row = rows(result)["far"]
    assert (row["REQUESTS"], row["HIT %"], row["OBJECTS"], row["DRAINED"]) == ("4", "25.0", "3", "no")


def test_drain_direct_and_back(fleet):
    assert rows(fleet.cdnctl("drain", "near", "--direct")) == {
        "near": {"REPLICA": "near", "NOW": "drained", "WAS": "serving", "CLIENTS": "0", "RESULT": "ok"}}
    assert [row["DRAINED"] for row in rows(fleet.cdnctl("stats")).values()] == ["yes", "no"]
    fleet.origin.texts["/a"] = "still served"
    assert fleet.bodies("/a") == {"still served"}
    assert fleet.cdnctl("undrain", "--direct").returncode == 0
    assert [row["DRAINED"] for row in rows(fleet.cdnctl("stats")).values()] == ["no", "no"]


@pytest.mark.parametrize("arguments, message", [
    (["purge"], "nothing to purge"),
    (["warm"], "nothing to warm"),
    (["purge", "/a", "--replica", "nowhere"], 'no replica "nowhere"'),
    (["warm", "--file", "missing.txt"], "missing.txt"),
    (["warm", "--file", "."], ".: cannot be read"),
    (["warm", "/caf\xe9"], "/caf\\xc3\\xa9: percent-encode"),
    (["purge", "--prefix", "/caf\xe9"], "/caf\\xc3\\xa9: percent-encode"),
    (["drain"], "which replica"),
])
def test_a_wrong_command_says_what_is_wrong(fleet, arguments, message):
    result = fleet.cdnctl(*arguments)
    assert result.returncode == 2 and message in result.stderr


def test_a_malformed_url_is_refused_by_the_replica_and_told(fleet):
    result = fleet.cdnctl("purge", "cdn.example.org/a")
    assert result.returncode == 1 and "http://HOST/PATH" in rows(result)["near"]["RESULT"]


def test_the_log_says_what_was_purged_and_for_whom(fleet):
    assert fleet.cdnctl("purge", "/a", "--prefix", "/img/").returncode == 0
    assert re.search(r"purged 0 object\(s\), for good, for ipv4:127\.\S+: /a, prefix /img/\n", (fleet.folder / "near.log").read_text())


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    """Two replicas with mutual TLS, a folder of keys for everybody, and a fleet file without any."""
    folder = tmp_path_factory.mktemp("secured")
    make_keys(folder, ("replica", "replica", "127.0.0.2", "127.0.0.3"), ("director", "director", "127.0.0.1"),
              ("operator", "operator"))
    metrics = f"127.0.0.2:{free_port()}"
    tls = ('control { ca_file: "replica/ca.pem" certificate_file: "replica/cert.pem" key_file: "replica/key.pem" }'
           f' http {{ metrics_listen: "{metrics}" }}')
    with LocalReplicas(folder, tls, only=("near",)) as fleet:
        plain = (folder / "cdn.textproto").read_text().replace(tls, "")
        (folder / "cdn.textproto").write_text(plain)
        fleet.metrics = f"http://{metrics}/metrics"
        yield fleet


def test_with_mutual_tls_only_an_operator_purges(secured):
    fill(secured, "old")
    secured.origin.texts["/a"] = "new"
    stranger = secured.cdnctl("purge", "--all", "--timeout", "3")
    assert stranger.returncode == 1
    for identity in ("replica", "director"):
        refused = secured.cdnctl("purge", "--all", "--identity", identity)
        assert refused.returncode == 1
        assert rows(refused)["near"]["RESULT"].startswith(
            f"your certificate says {identity}, and perigee.v1.Replica/Purge takes an operator")
    assert secured.bodies("/a") == {"old"}
    assert secured.cdnctl("purge", "--all", "--identity", "operator").returncode == 0
    assert secured.bodies("/a") == {"new"}


def test_a_director_may_look_and_a_replica_may_not_and_is_counted(secured):
    def refused():
        with urllib.request.urlopen(secured.metrics, timeout=5) as page:
            return total(parse_metrics(page.read().decode()), "perigee_http_control_calls_refused_total", 'role="replica"')

    before = refused()
    assert secured.cdnctl("stats", "--identity", "director").returncode == 0
    assert refused() == before
    assert "says replica" in secured.cdnctl("stats", "--identity", "replica").stdout
    assert refused() == before + 1


def test_new_keys_are_served_without_a_restart(secured):
    replica = secured.replicas["near"]
    serial = served_serial(secured, replica)
    subprocess.run([BIN / "cdnctl", "keys", "renew", "replica", "--keys", secured.folder], check=True, capture_output=True)
    wait_until("the new certificate is served", lambda: served_serial(secured, replica) != serial)
    assert secured.cdnctl("purge", "--all", "--identity", "operator").returncode == 0
    assert replica.process.poll() is None


def served_serial(fleet, replica):
    """Of the certificate that its control port shows."""
    operator = fleet.folder / "operator"
    context = ssl.create_default_context(cafile=operator / "ca.pem")
    context.load_cert_chain(operator / "cert.pem", operator / "key.pem")
    context.set_alpn_protocols(["h2"])
    with socket.create_connection((replica.address, replica.control_port), timeout=10) as connection, \
            context.wrap_socket(connection, server_hostname=replica.address) as tls:
        return tls.getpeercert()["serialNumber"]


def test_json_is_what_the_schema_says(fleet):
    fill(fleet, "x")
    stats = json.loads(fleet.cdnctl("stats", "--json").stdout)["replicas"]
    assert [(r["replica"], r["error"], r["stats"]["requests"]) for r in stats] == [("near", "", "3"), ("far", "", "3")]
    purged = fleet.cdnctl("--json", "purge", "/a")
    assert [r["purge"]["objects"] for r in json.loads(purged.stdout)["replicas"]] == ["1", "1"]
    warmed = json.loads(fleet.cdnctl("warm", "/a", "/missing", "--json", "--replica", "near").stdout)["replicas"][0]
    assert {r["url"]: r["outcome"] for r in warmed["warm"]["results"]} == {
        "/a": "WARM_OUTCOME_STORED", "/missing": "WARM_OUTCOME_NOT_STORED"}
    fleet.replicas["far"].kill()
    failed = fleet.cdnctl("stats", "--json", "--timeout", "3")
    assert failed.returncode == 3 and json.loads(failed.stdout)["replicas"][1]["error"] != ""


def test_the_fleet_file_is_shown_as_it_is_understood(fleet):
    shown = fleet.cdnctl("config", "show")
    assert 'name: "near"' in shown.stdout and "hold_ms: 500" in shown.stdout
    (fleet.folder / "shown.textproto").write_text(shown.stdout)
    assert fleet.cdnctl("config", "show", "--config", "shown.textproto").stdout == shown.stdout
    assert json.loads(fleet.cdnctl("config", "show", "--json").stdout)["steering"]["holdMs"] == 500
    assert json.loads(fleet.cdnctl("config", "check", "--json").stdout) == {"file": "cdn.textproto", "replicas": 2}
