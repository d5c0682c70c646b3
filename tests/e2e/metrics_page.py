"""Looks at the metrics page of a server, whichever it is: anything with metrics() and metrics_page()."""

import re

from cdn import wait_until
from local_dns import total

BASE_UNITS = ("seconds", "bytes", "ratio")
OTHER_UNITS = ("milliseconds", "ms", "microseconds", "us", "minutes", "hours", "kilobytes", "kib", "mb", "percent")


def families(page):
    """{name: (type, help)}; every one has both."""
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", page, re.M))
    helps = dict(re.findall(r"^# HELP (\w+) (.+)$", page, re.M))
    assert types.keys() == helps.keys()
    return {name: (types[name], helps[name]) for name in types}


def becomes(server, before, expected, *words):
    def count():
        return total(server.metrics(), *words) - total(before, *words)

    wait_until(f"{words} is {expected} more", lambda: count() == expected)


def assert_prometheus_conventions(server, prefix):
    for name, (kind, text) in families(server.metrics_page()).items():
        assert re.fullmatch(prefix + r"[a-z0-9_]+", name)
        assert text.endswith((".", ".)")), f"{name}: {text}"
        assert (kind == "counter") == name.endswith("_total"), name
        assert not set(name.split("_")) & set(OTHER_UNITS), f"{name}: base units are {BASE_UNITS}"
