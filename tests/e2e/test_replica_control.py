"""cdnctl purge, warm, stats and drain --direct, against two real httpservers on loopback."""

import subprocess
import threading

import pytest
from cdn import wait_until
from local_replicas import LocalReplicas, rows


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
    assert result.returncode == 1
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
    (["drain"], "which replica"),
])
def test_a_wrong_command_says_what_is_wrong(fleet, arguments, message):
    result = fleet.cdnctl(*arguments)
    assert result.returncode == 2 and message in result.stderr


def test_a_malformed_url_is_refused_by_the_replica_and_told(fleet):
    result = fleet.cdnctl("purge", "cdn.example.org/a")
    assert result.returncode == 1 and "http://HOST/PATH" in rows(result)["near"]["RESULT"]


def openssl(folder, *arguments):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def test_with_mutual_tls_a_stranger_cannot_purge(tmp_path):
    openssl(tmp_path, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem")
    openssl(tmp_path, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=host",
            "-keyout", "key.pem", "-out", "request.pem")
    (tmp_path / "names").write_text("subjectAltName=IP:127.0.0.2,IP:127.0.0.3")
    openssl(tmp_path, "x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", "names", "-out", "cert.pem")
    tls = 'control { ca_file: "ca.pem" certificate_file: "cert.pem" key_file: "key.pem" }'
    with LocalReplicas(tmp_path, tls) as fleet:
        fill(fleet, "old")
        fleet.origin.texts["/a"] = "new"
        stranger = (tmp_path / "cdn.textproto").read_text().replace(tls, "")
        (tmp_path / "stranger.textproto").write_text(stranger)
        assert fleet.cdnctl("purge", "--all", "--config", "stranger.textproto", "--timeout", "3").returncode == 1
        assert fleet.bodies("/a") == {"old"}
        assert fleet.cdnctl("purge", "--all").returncode == 0
        assert fleet.bodies("/a") == {"new"}
