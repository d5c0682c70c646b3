"""A resolver whose clients are elsewhere is given their replica once their beacons have told of them."""

import re
import secrets

import cdn as perigee
import pytest
from test_steering import is_near

RESOLVER = "client-madrid"
CLIENTS = ("client-osaka", "client-sapporo", "client-seoul")


@pytest.fixture
def forgotten(cdn):
    """What beacons told decides nothing in other tests."""
    yield
    cdn.forget_clients()


def load_beacon(cdn, client):
    """What a page has its client do: the resolver asks, the client comes. The replica that it came to."""
    name = f"{secrets.token_hex(10)}.{perigee.BEACON}"
    addresses, _, text = cdn.dig(RESOLVER, name=name)
    assert len(addresses) == 1 and re.search(rf"^{name}\.\s+0\s+IN\s+A\s", text, re.MULTILINE), text
    _, headers, _, failed = cdn.wget(client, f"http://{addresses[0]}/", "--header", f"Host: {name}")
    assert not failed and "204 No Content" in headers, headers
    return cdn.replica_at(addresses[0])


def test_a_resolver_is_given_the_replica_of_its_clients_on_another_continent(cdn, world, forgotten, report):
    perigee.wait_until("the resolver is known", lambda: is_near(cdn, world, RESOLVER))
    before, _ = cdn.ask_director(RESOLVER)
    asked = cdn.origin_requests("/")
    for client in CLIENTS:
        assert load_beacon(cdn, client) == before, "as if it had asked for the site"

    def theirs():
        replica, _ = cdn.ask_director(RESOLVER)
        return all(world.rtt_ms(client, replica) <= world.nearest(client)[1][before] / 2 for client in CLIENTS)

    perigee.wait_until("its clients are measured and have it moved", theirs)
    replica, _ = cdn.ask_director(RESOLVER)
    explained = cdn.explain(world.hosts[RESOLVER].ipv4)
    assert "\nclientele: " in explained and re.search(rf"^>\s+{replica}\s", explained, re.MULTILINE), explained
    assert cdn.origin_requests("/") == asked, "no beacon went to the origin"
    saved = [world.rtt_ms(client, before) - world.rtt_ms(client, replica) for client in CLIENTS]
    report(f"a resolver in Madrid with clients in East Asia went from {before} to {replica}, by beacons alone: "
           f"{min(saved):.0f} to {max(saved):.0f} ms less for them")
