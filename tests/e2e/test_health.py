"""/healthz and /readyz of the real programs: no when they can't do their job, and yes again once they can."""

import http.client
import os
import re
import signal
import subprocess
import threading
import time

import dns_raw as dns
import pytest
from cdn import ROOT, wait_until
from commands import check, examples
from dns_raw import free_port
from local_dns import CLIENT, DOMAIN, LocalDns
from local_http import LocalHttp
from local_prober import LocalProber
from local_replicas import LocalReplicas
from metrics_page import assert_prometheus_conventions, families, total

DOCS = ROOT / "docs/metrics.md"
# scamper is asked each second, and believed to hang after three without an answer.
HANG_NOTICED_S = 8


def ask(port, path, method="GET"):
    """(status, text)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def becomes_ready(port):
    wait_until("it is ready", lambda: ask(port, "/readyz")[0] == 200)


def reason_within(port, seconds):
    """Why it is not ready, as soon as it isn't: looked for without a pause, for it may be over soon."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        status, text = ask(port, "/readyz")
        if status == 503:
            return text
    raise TimeoutError(f"ready for {seconds} s")


@pytest.fixture(scope="module")
def prober(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("needs root, for scamper")
    with LocalProber(tmp_path_factory.mktemp("prober")) as made:
        becomes_ready(made.metrics_port)
        yield made


def test_a_prober_whose_scamper_is_killed_is_not_ready_until_it_runs_again(prober):
    starts = prober.metrics()["perigee_prober_scamper_starts_total"]
    os.kill(prober.scamper(), signal.SIGKILL)
    assert reason_within(prober.metrics_port, 5) == "scamper is not running; it is being restarted\n"
    becomes_ready(prober.metrics_port)
    assert prober.metrics()["perigee_prober_scamper_starts_total"] == starts + 1


def test_a_scamper_that_hangs_is_noticed_though_nobody_measures(prober):
    hanging = prober.scamper()
    os.kill(hanging, signal.SIGSTOP)
    assert reason_within(prober.metrics_port, HANG_NOTICED_S) == "scamper is not running; it is being restarted\n"
    assert ask(prober.metrics_port, "/healthz") == (200, "ok\n"), "the prober itself is well"
    becomes_ready(prober.metrics_port)
    assert prober.scamper() != hanging


def test_the_metrics_of_the_prober_are_documented_and_keep_to_the_conventions(prober):
    assert_prometheus_conventions(prober, "perigee_prober_")
    documented = dict(re.findall(r"^\| `(perigee_prober_\w+)` \| (\w+) \|", DOCS.read_text(), re.M))
    assert documented == {name: kind for name, (kind, _) in families(prober.metrics_page()).items()}


def test_measurements_and_refusals_of_the_prober_are_counted(prober):
    before = prober.metrics()

    def measure(address):
        return subprocess.run([ROOT / "tests/tools/grpcurl", "-plaintext", "-d",
                               f'{{"address":"{address}"}}', f"127.0.0.1:{prober.port}", "perigee.v1.Prober/Measure"],
                              capture_output=True, text=True, timeout=10)

    assert measure(CLIENT).returncode == 0
    assert measure("10.0.0.1").returncode != 0
    after = prober.metrics()
    assert total(after, "measurements_ended_total") - total(before, "measurements_ended_total") == 1
    assert total(after, "calls_refused_total", "policy") - total(before, "calls_refused_total", "policy") == 1
    assert after["perigee_prober_packets_total"] > before["perigee_prober_packets_total"]
    assert after["perigee_prober_measurements"] == 0 and after["perigee_prober_scamper_up"] == 1


@pytest.fixture
def replica(tmp_path):
    port = free_port()
    with LocalReplicas(tmp_path, f'http {{ metrics_listen: "127.0.0.1:{port}" }}', only=("near",)) as replicas:
        replicas.metrics_port = port
        becomes_ready(port)
        yield replicas


def test_a_drained_replica_is_not_ready_and_serves_on(replica):
    replica.origin.texts["/page"] = "a page"
    assert replica.cdnctl("drain", "near", "--direct").returncode == 0
    assert ask(replica.metrics_port, "/readyz") == (503, "drained by an operator: 0 connections are served on\n")
    assert ask(replica.metrics_port, "/readyz", "HEAD") == (503, "")
    assert ask(replica.metrics_port, "/healthz") == (200, "ok\n")
    assert replica.bodies("/page") == {"a page"}
    assert replica.cdnctl("undrain", "near", "--direct").returncode == 0
    assert ask(replica.metrics_port, "/readyz") == (200, "ok\n")


def test_a_replica_that_stops_is_not_ready_while_it_finishes_what_runs(replica):
    near = replica.replicas["near"]
    replica.origin.texts["/held"], replica.origin.held["/held"] = "at last", threading.Event()
    served = []
    request = threading.Thread(target=lambda: served.append(near.get("/held")[0]))
    request.start()
    wait_until("the origin has been asked", lambda: "/held" in replica.origin.requests)
    near.process.send_signal(signal.SIGTERM)
    assert reason_within(replica.metrics_port, 5) == "stopping\n"
    assert near.process.poll() is None
    replica.origin.held["/held"].set()
    request.join(10)
    assert served == ["at last"] and near.process.wait(10) == 0


def test_a_replica_without_a_disk_or_an_origin_is_ready_and_says_what_it_does_without(tmp_path):
    nobody = f"127.0.0.1:{free_port()}"
    flags = ["--metrics", "METRICS", "--cache", "/proc/no/such/folder/cache.sqlite", "--max-origin-failures", "1"]
    with LocalHttp(tmp_path, flags=flags, origin=nobody) as server:
        no_disk = "ok\ndegraded: the cache is in memory alone, for its disk is out\n"
        assert ask(server.metrics_port, "/readyz") == (200, no_disk)
        assert server.ask("/a")[0] == 502
        no_origin = "degraded: the origin fails and is not asked: only what is stored is served\n"
        assert ask(server.metrics_port, "/readyz") == (200, no_disk + no_origin)


@pytest.mark.parametrize("policy, status", [("ALL_DOWN_BEST_KNOWN", 200), ("ALL_DOWN_SERVFAIL", 503)])
def test_a_director_without_a_usable_replica_names_what_clients_get(tmp_path, policy, status):
    with LocalDns(tmp_path, 'dns { metrics_listen: "METRICS" }', steering=f"hold_ms: 50 all_down: {policy}") as server:
        wait_until("all are down", lambda: "none of 2 replicas is usable" in ask(server.metrics_port, "/readyz")[1])
        got, text = ask(server.metrics_port, "/readyz")
        assert got == status and policy in text and "no prober is up" in text, text
        assert (server.ask(DOMAIN, dns.A).rcode == dns.SERVFAIL) == (status == 503)
        assert ask(server.metrics_port, "/readyz", "HEAD") == (status, "")
        assert ask(server.metrics_port, "/healthz") == (200, "ok\n")


def test_a_director_with_its_replicas_is_ready(tmp_path):
    with LocalDns(tmp_path, 'dns { metrics_listen: "METRICS" }', probers=True) as server:
        server.wait_known()
        assert ask(server.metrics_port, "/readyz") == (200, "ok\n")


@pytest.mark.parametrize("command, printed", examples("docs/metrics.md"))
def test_the_page_as_printed(replica, command, printed):
    check(command, printed, {"127.0.0.1:9354": f"127.0.0.1:{replica.metrics_port}"})
