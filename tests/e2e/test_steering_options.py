"""What the fleet file's `steering` asks for beside the nearest replica: real programs on loopback."""

import dns_raw
from cdn import wait_until
from local_dns import DOMAIN, LocalDns
from metrics_page import total

# Each in a network of its own.
CLIENTS = [f"127.{10 + i // 100}.{i % 100}.9" for i in range(200)]


def ask_all(dns):
    for client in CLIENTS:
        dns.ask(DOMAIN, dns_raw.A, source=client)


def test_a_share_of_the_answers_explores(tmp_path):
    with LocalDns(tmp_path, 'dns { metrics_listen: "METRICS" rate_limit { disabled: true } }', probers=True,
                  steering="hold_ms: 50 exploration_share: 0.1") as dns:
        dns.wait_known()
        ask_all(dns)  # as strangers
        wait_until("all are known", lambda: dns.metrics()["perigee_dns_map_rows"] > len(CLIENTS))

        def explored():
            ask_all(dns)
            return total(dns.metrics(), "perigee_dns_steered_total", '"exploration"')

        wait_until("some are sent elsewhere", explored)
        samples = dns.metrics()
        share = total(samples, "perigee_dns_steered_total", '"exploration"') / total(samples, "perigee_dns_steered_total")
        assert share < 0.2
        assert "healthy, explorable" in dns.cdnctl("explain", CLIENTS[0]).stdout


def test_a_geography_database_that_is_none_refuses_the_reload_and_is_named(tmp_path):
    with LocalDns(tmp_path) as dns:
        dns.write("places.mmdb", "no database\n")
        dns.write("cdn.textproto", dns.fleet_text.replace("steering {", 'steering { geography_database: "places.mmdb"'))
        refused = dns.cdnctl("reload")
        assert refused.returncode != 0
        assert 'steering.geography_database: "places.mmdb"' in refused.stderr.replace("./", "")
        dns.ask(DOMAIN, dns_raw.A)  # it serves on
