"""What a real httpserver tells of itself: access log and metrics page; and the names that it serves."""

import json
import pathlib
import re
import socket
import subprocess

import pytest
from cdn import BIN, wait_until
from local_http import LocalHttp
from metrics_page import assert_prometheus_conventions, becomes, families, total

FLEET = ('http { metrics_listen: "METRICS" access_log: "access.log" access_log_format: "json"'
         ' served_name: "cdn.example.org" served_name: "*.cdn.example.org" served_name: "127.0.0.1" }')
DOCS = pathlib.Path(__file__).parents[2] / "docs" / "metrics.md"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with LocalHttp(tmp_path_factory.mktemp("http"), FLEET) as local:
        yield local


def test_names_and_units_are_prometheus_conventions(server):
    assert_prometheus_conventions(server, "perigee_http_")


def test_every_metric_is_documented_and_every_documented_one_is_there(server):
    documented = dict(re.findall(r"^\| `(perigee_http_\w+)` \| (\w+) \|", DOCS.read_text(), re.M))
    assert documented == {name: kind for name, (kind, _) in families(server.metrics_page()).items()}


def test_a_miss_and_its_hit_are_counted(server):
    before = server.metrics()
    for _ in range(2):
        assert server.ask("/counted")[2] == b"/counted"
    server.ask("/counted", method="HEAD")
    becomes(server, before, 2, "cache_results_total", '"hit"')
    after = server.metrics()

    def more(*words):
        return total(after, *words) - total(before, *words)

    assert more("cache_results_total", '"uri-miss"') == 1
    assert more("requests_total", '"GET"') == 2 and more("requests_total", '"HEAD"') == 1
    assert more("http_responses_total", '"2xx"') == 3
    assert more("hits_total", '"memory"') == 2
    assert more("perigee_http_origin_requests_total") == 1 and more("origin_latency_seconds_count") == 1
    assert more("http_latency_seconds_count", '"hit"') == 2
    assert more("cache_objects") == 1 and after["perigee_http_cache_disk_up"] == 1
    assert after["perigee_http_cache_bytes"] <= after["perigee_http_cache_limit_bytes"] == 10_000_000


def test_each_request_is_a_line_of_json(server):
    server.ask("/line?x=1", Referer="http://r/", **{"User-Agent": 'say "hi"\\ \t\xe9'})
    server.ask("/line?x=1")
    wait_until("both are logged", lambda: sum("/line?x=1" in line for line in server.lines()) == 2)
    lines = [json.loads(line) for line in server.lines() if "/line?x=1" in line]
    hit, miss = sorted(lines, key=lambda line: line["cache"])  # threads write theirs in any order
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", miss["time"])
    assert miss["client"] == "127.0.0.1" and miss["method"] == "GET" and miss["target"] == "/line?x=1"
    assert miss["version"] == "HTTP/1.1" and miss["host"] == "cdn.example.org"
    assert miss["status"] == 200 and miss["bytes"] == len("/line?x=1")
    assert miss["referer"] == "http://r/" and miss["user_agent"] == 'say "hi"\\ \t\xe9'
    assert miss["cache"] == "uri-miss" and miss["cache_status"] == "fwd=uri-miss; fwd-status=200; stored"
    assert 0 < miss["upstream_us"] <= miss["total_us"] < 10_000_000
    assert hit["cache"] == "hit" and hit["cache_status"].startswith("hit; ttl=") and hit["upstream_us"] is None


def test_hostile_bytes_forge_no_line(server):
    forged = b'GET /hostile HTTP/1.1\r\nHost: cdn.example.org\r\nUser-Agent: "}\x1b[2J\xff\\","x":"\r\nConnection: close\r\n\r\n'
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(forged)
        while raw.recv(4096):
            pass
    wait_until("it is logged", lambda: any("/hostile" in line or '"status":400' in line for line in server.lines()))
    assert all(line.isascii() and line.isprintable() and json.loads(line) for line in server.lines())


def test_refusals_are_counted_under_their_reason(server):
    before = server.metrics()
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        raw.sendall(b"nonsense\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 400 ")
    becomes(server, before, 1, "refused_total", '"malformed"')


def test_foreign_names_are_misdirected(server):
    before = server.metrics()
    for host in ("evil.example", "example.org", "cdn.example.org.evil.example"):
        assert server.ask("/", host=host)[0] == 421
    for host in ("CDN.example.org", "a.cdn.example.org:80", f"127.0.0.1:{server.port}"):
        assert server.ask("/", host=host)[0] == 200
    becomes(server, before, 3, "refused_total", '"foreign-host"')


def test_logrotate_renames_and_hangs_up(server):
    server.ask("/before-rotation")
    wait_until("it is logged", lambda: any("/before-rotation" in line for line in server.lines()))
    (server.folder / "access.log").rename(server.folder / "access.log.1")
    server.hang_up()
    wait_until("the file is there again", lambda: (server.folder / "access.log").exists())
    server.ask("/after-rotation")
    wait_until("it is logged", lambda: any("/after-rotation" in line for line in server.lines()))
    assert not any("/after-rotation" in line for line in server.lines("access.log.1"))
    samples = server.metrics()
    assert samples["perigee_http_access_log_lost_total"] == 0
    assert samples["perigee_http_access_log_lines_total"] == len(server.lines() + server.lines("access.log.1"))


def test_a_limit_of_files_below_that_of_connections_is_told(tmp_path):
    with LocalHttp(tmp_path, flags=["--max-connections", "900", "--max-origin-connections", "90"]) as local:
        assert "files may be open" not in local.log()
        assert local.end() == 0
        unlimited = local.command
        local.command = lambda: ["prlimit", "--nofile=990:990", *unlimited()]
        local.start()
        assert "no more than 990 files may be open, but 990 connections" in local.log()


def test_port_and_origin_are_all_it_needs(tmp_path):
    with LocalHttp(tmp_path) as local:
        assert local.ask("/x", host="any.example")[2] == b"/x"
        local.hang_up()
        assert local.ask("/x", host="any.example")[1]["Cache-Status"].startswith("Perigee; hit")
        assert local.end() == 0


def test_flags_alone_make_a_combined_log_whole_when_it_ends(tmp_path):
    with LocalHttp(tmp_path, flags=["--access-log", "access.log", "--metrics", "METRICS", "--serve-name", "a.example"]) as local:
        for i in range(100):
            assert local.ask(f"/{i}", host="a.example")[0] == 200
        assert local.ask("/", host="b.example")[0] == 421
        assert total(local.metrics(), "perigee_http_requests_total") >= 100
        assert local.end() == 0
        lines = local.lines()
        assert len(lines) == 101
        combined = re.compile(r'127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}(:\d\d){3} \+0000\] "GET /\d* HTTP/1\.1" (200|421) \d+'
                              r' "-" "-" "[^"]+" (-|\d+\.\d{6}) \d+\.\d{6}')
        assert all(combined.fullmatch(line) for line in lines), lines


def test_what_is_wrong_is_named_at_the_start(tmp_path):
    for flags, text in ((["--access-log", "absent/log"], "cannot open the access log absent/log"),
                        (["--access-log-format", "xml"], "--access-log-format xml"),
                        (["--metrics", "localhost"], "--metrics localhost"),
                        (["--serve-name", "a b"], '"a b" is no host name')):
        run = subprocess.run([BIN / "httpserver", "-p", "1", "-o", "localhost", "--listen", "127.0.0.1", *flags],
                             cwd=tmp_path, capture_output=True, text=True, timeout=10)
        assert run.returncode != 0 and text in run.stderr, run.stderr
