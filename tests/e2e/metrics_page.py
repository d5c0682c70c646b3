"""The metrics page of a server, whichever it is."""

import re
import urllib.request

from cdn import wait_until

BASE_UNITS = ("seconds", "bytes", "ratio")
OTHER_UNITS = ("milliseconds", "ms", "microseconds", "us", "minutes", "hours", "kilobytes", "kib", "mb", "percent")


class HasMetrics:
    """A server on loopback whose metrics page is at `metrics_port`."""

    def metrics_page(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5) as page:
            return page.read().decode()

    def metrics(self):
        """{name{labels}: value}"""
        return parse_metrics(self.metrics_page())


def parse_metrics(text):
    """Strictly by the exposition format: every sample is of a family that was declared before it."""
    samples, families = {}, {}
    for line in text.splitlines():
        if declared := re.fullmatch(r"# TYPE (\w+) (counter|gauge|histogram|summary|untyped)", line):
            assert declared[1] not in families, f"declared twice: {line}"
            families[declared[1]] = declared[2]
        elif line and not line.startswith("#"):
            sample = re.fullmatch(r'(\w+)(\{(?:\w+="(?:[^"\\\n]|\\.)*",?)*\})? (\S+)', line)
            assert sample, f"not a sample: {line}"
            family = re.sub(r"_(bucket|sum|count)$", "", sample[1])
            assert sample[1] in families or families.get(family) in ("histogram", "summary"), line
            key = sample[1] + (sample[2] or "")
            assert key not in samples, f"twice: {line}"
            samples[key] = float(sample[3])
    return samples


def total(samples, *words):
    """The sum of the samples whose name and labels hold all these words."""
    return sum(value for key, value in samples.items() if all(w in key for w in words) and "_bucket" not in key)


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
