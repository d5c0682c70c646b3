"""Networks that a resolver tells: probed when somebody from there has come, or when the resolver's word is enough."""

import dns_raw as dns
from cdn import wait_until
from local_dns import CLIENT, DOMAIN, REPLICAS, LocalDns
from metrics_page import becomes

RESOLVER = "127.3.3.3"
FLEET = 'dns { metrics_listen: "METRICS" decision_log: "decisions.log" %s }'


def answer_for(server, network):
    """(addresses, reason) of an answer for that network."""
    def decided():
        return [decision for decision in server.decisions() if decision["prefix"] == f"{network}/24"]

    asked = len(decided())
    answer = server.ask(DOMAIN, dns.A, source=RESOLVER, edns=dns.opt(options=dns.client_subnet(network, 24)))
    wait_until("the decision is logged", lambda: len(decided()) > asked)
    return [record.text for record in answer.of(dns.A)], decided()[-1]["reason"]


def measured(server):
    return server.metrics()['perigee_dns_measurements_started_total{cause="query"}']


def test_hearsay_is_probed_once_a_connection_came_from_there(tmp_path):
    with LocalDns(tmp_path, FLEET % "", probers=True, passive_us={"near": 30_000}) as server:
        server.wait_known(RESOLVER)
        before = server.metrics()
        addresses, reason = answer_for(server, "127.4.4.0")
        assert (addresses, reason) == ([REPLICAS["near"]], "neighbour"), "its resolver stands in for it"
        becomes(server, before, 1, "probes_refused_total", "hearsay")
        becomes(server, before, 0, "measurements_started_total", "query")
        before = measured(server)
        connected = CLIENT.rpartition(".")[0] + ".0"  # the near replica tells of connections from there
        wait_until("it is measured", lambda: answer_for(server, connected) and measured(server) > before)


def test_a_network_is_probed_at_once_for_a_resolver_whose_word_is_enough(tmp_path):
    trusting = f'client_subnet {{ probe_for: "{RESOLVER}" }}'
    with LocalDns(tmp_path, FLEET % trusting, probers=True) as server:
        server.wait_known(RESOLVER)
        before = server.metrics()
        assert answer_for(server, "127.4.4.0")[0] == [REPLICAS["near"]]
        becomes(server, before, 1, "measurements_started_total", "query")
        wait_until("it is known", lambda: answer_for(server, "127.4.4.0")[1] == "measured-best")
