"""What replicas' kernels saw of clients reaches the director, and moves those that no probe reaches."""

import dns_raw as dns
from cdn import wait_until
from local_dns import CLIENT, DOMAIN, REPLICAS, LocalDns


def test_a_silent_client_goes_where_its_connections_are_shortest(tmp_path):
    fleet = 'dns { metrics_listen: "METRICS" }'
    with LocalDns(tmp_path, fleet, probers=True, passive_us={"near": 30_000, "far": 4_000}) as server:

        def moved():
            server.ask(DOMAIN, dns.A, timeout=0.5)
            lines = server.cdnctl("explain", CLIENT).stdout.splitlines()
            winner = next((line for line in lines if line.startswith(">")), "")
            return "far" in winner and "passive" in winner

        wait_until("the client has moved", moved)
        assert server.ask(DOMAIN, dns.A).of(dns.A)[0].text == REPLICAS["far"]
        assert server.metrics()['perigee_dns_passive_rtts_total{use="joined"}'] >= 2
