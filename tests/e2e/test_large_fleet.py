"""A fleet that is too large for all to measure a client, and a database that says where clients are: real programs on loopback,
but for probers whose RTTs are made up."""

import re
import subprocess
import sys

import dns_raw
import pytest
from cdn import wait_until
from local_dns import DOMAIN, HERE, LocalDns
from mmdb import mmdb
from strewn_probers import address_of, degrees_of, place_of, rtt_us

REPLICAS, MAX_ASKED = 80, 10
NEAR_US = 5_000
SILENT_NETWORK, SILENT_DEGREES = "127.130.9.0/24", 47  # by its number it would be elsewhere


class LargeFleet(LocalDns):
    def _replica_lines(self, probers):
        self.probers.append(subprocess.Popen([sys.executable, HERE / "strewn_probers.py", str(REPLICAS)],
                                             stdout=subprocess.PIPE, text=True))
        ports = [int(self.probers[0].stdout.readline()) for _ in range(REPLICAS)]
        return [f'replica {{ name: "r{i}" ipv4: "{address_of(i)}" prober_port: {port} control_port: {port} '
                f"longitude: {east(degrees_of(i, REPLICAS)):.2f} latitude: 0.01 }}" for i, port in enumerate(ports)]

    def measurements(self, client):
        """Which replicas answered, one list a measurement of the client's network."""
        network = client.rsplit(".", 1)[0] + ".0/24"
        lines = (line.split() for line in (self.folder / "measurements.log").read_text().splitlines())
        return {words[2]: [answer.split("=")[0] for answer in words[3:]] for words in lines if words[1] == network}

    def answer(self, client):
        return self.ask(DOMAIN, dns_raw.A, source=client).of(dns_raw.A)[0].text


def east(degrees):
    return degrees if degrees <= 180 else degrees - 360


def least_us(place):
    return min(rtt_us(place, degrees_of(i, REPLICAS)) for i in range(REPLICAS))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large-fleet")
    (folder / "places.mmdb").write_bytes(mmdb({SILENT_NETWORK: (0, SILENT_DEGREES)}))
    with LargeFleet(folder, 'dns { measurement_log: "measurements.log" }', probers=True,
                    steering=f'max_asked: {MAX_ASKED} geography_database: "places.mmdb"') as dns:
        dns.wait_known("127.1.1.1")
        yield dns


def test_some_measure_a_stranger_and_find_a_replica_near_it(fleet):
    for client in ("127.40.1.1", "127.110.1.1", "127.200.1.1"):
        fleet.answer(client)
        wait_until("it is measured", lambda client=client: "query" in fleet.measurements(client))
        asked = fleet.measurements(client)["query"]
        assert MAX_ASKED // 2 < len(asked) <= MAX_ASKED
        place = place_of(client, REPLICAS)
        given = place_of(fleet.answer(client), REPLICAS)
        assert rtt_us(place, given) <= least_us(place) + NEAR_US, fleet.cdnctl("explain", client).stdout
        explained = fleet.cdnctl("explain", client).stdout
        assert "measured-best: " in explained
        assert len(re.findall(r" icmp-echo ", explained)) <= MAX_ASKED + 2, "a row keeps few of many"


def test_who_answers_nothing_is_given_the_replica_near_its_place(fleet):
    client = SILENT_NETWORK.replace("0/24", "1")
    given = place_of(fleet.answer(client), REPLICAS)
    assert rtt_us(SILENT_DEGREES, given) == least_us(SILENT_DEGREES)
    explained = fleet.cdnctl("explain", client).stdout
    assert "geography: by its place alone, from the database" in explained
    assert " icmp-echo " not in explained
