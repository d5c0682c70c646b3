"""What promtool says of the alert rules, their tests, the example configuration, and the pages of real servers."""

import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from local_dns import LocalDns  # noqa: E402
from local_http import LocalHttp  # noqa: E402
from local_prober import LocalProber  # noqa: E402


def promtool(*arguments, page=None):
    done = subprocess.run(["promtool", *arguments], cwd=ROOT / "monitoring", input=page, capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [
    ["check", "rules", "perigee.rules.yml"], ["test", "rules", "perigee.tests.yml"], ["check", "config", "prometheus.yml"],
], ids=" ".join)
def test_rules_and_configuration(arguments):
    assert "FAILED" not in promtool(*arguments)


def test_the_page_of_dnsserver(tmp_path):
    with LocalDns(tmp_path, 'dns { metrics_listen: "METRICS" state_file: "state.sqlite" }', probers=True) as server:
        server.wait_known()
        assert promtool("check", "metrics", page=server.metrics_page()) == ""


def test_the_page_of_the_prober(tmp_path):
    with LocalProber(tmp_path) as prober:
        assert promtool("check", "metrics", page=prober.metrics_page()) == ""


def test_the_page_of_httpserver(tmp_path):
    with LocalHttp(tmp_path, 'http { metrics_listen: "METRICS" }') as server:
        assert server.ask("/a")[2] == b"/a"
        assert promtool("check", "metrics", page=server.metrics_page()) == ""
