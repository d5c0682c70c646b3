"""The alert rules are about metrics that exist, each is tried, and each has its page in the runbook.

What promtool says of them: tests/monitoring."""

import re

import pytest
from cdn import ROOT

RULES = (ROOT / "monitoring/perigee.rules.yml").read_text()
ALERTS = re.findall(r"^ *- alert: (\w+)$", RULES, re.M)
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
METRICS = (ROOT / "docs/metrics.md").read_text()


def test_each_metric_is_documented():
    documented = set(re.findall(r"^\| `(perigee_\w+)` \|", METRICS, re.M))
    assert documented
    for text in (RULES, RUNBOOK):
        used = {re.sub(r"_bucket$", "", name) for name in re.findall(r"\bperigee_(?:dns|http|prober)_\w+", text)}
        assert used <= documented


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_is_tried_and_has_a_page(alert):
    tests = (ROOT / "monitoring/perigee.tests.yml").read_text()
    assert re.search(rf"alertname: {alert}\n(?:.*\n){{2}} +- exp_labels", tests), "one in which it fires"
    assert re.search(rf"alertname: {alert}, .*exp_alerts: \[\]", tests), "one in which it does not"
    assert f"runbook: docs/runbook.md#{alert.lower()}\n" in RULES
    page = re.search(rf"^## {alert}\n(.*?)(?=^#|\Z)", RUNBOOK, re.M | re.S)
    assert page and "**Means.**" in page[1] and re.search(r"\*\*(Look at|Do)\.\*\*", page[1])


def test_no_page_is_about_an_alert_that_is_gone():
    assert re.findall(r"^## (\w+)$", RUNBOOK, re.M) == ALERTS
    for link in re.findall(r"\]\(#(\w+)\)", RUNBOOK):
        assert link in {alert.lower() for alert in ALERTS}
