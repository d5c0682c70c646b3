"""Clients that answer nothing are sent to the replica that the last hop before them is nearest to."""

import concurrent.futures
import signal
import socket

import cdn as perigee
import pytest
from in_host import python_in
from test_spoofed_flood import probes_on_the_wires
from test_steering import HOLD_MS

HIDDEN = ("client-milan", "client-warsaw", "client-miami")
ROUTERS, LAST_HOP_MS = 8, 4
# An echo, three ports, and what looks for the last hop: of a stranger, and of a client whose last hop is known.
MOST_PACKETS, KNOWN_PACKETS = 1 + 3 + 10, 1 + 3 + 3
WATCH_S = 5


@pytest.fixture
def hidden(cdn, world):
    """Clients that nobody has measured before, neither director nor probers."""
    for client in HIDDEN:
        world.set("probes", client, "block")
        world.set("routers", client, str(ROUTERS))
        world.set("last_hop", client, f"{LAST_HOP_MS}ms")
    start_anew(cdn, world)
    yield HIDDEN
    for client in HIDDEN:
        world.set("probes", client, "allow")
        world.set("routers", client, "0")
        world.set("routers", client, "answer")
        world.set("last_hop", client, "0ms")
    start_anew(cdn, world)


def start_anew(cdn, world):
    for replica in world.with_role("replica"):
        cdn.kill("prober", replica.name, signal.SIGTERM)
        cdn.start_prober(replica)
    cdn.forget_clients()


def packets_to(client, wires):
    network = socket.inet_aton(client.ipv4)[:3].hex()
    return [wire["packets"].get(network, 0) for wire in wires.values()]


def watch(cdn, world, during):
    """What `during` returns, and the probes that left each replica meanwhile and a little longer."""
    replicas = [replica.name for replica in world.with_role("replica")]
    fleet = [address for host in world.hosts.values() if host.role != "client" for address in (host.ipv4, host.ipv6) if address]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        watching = pool.submit(python_in, cdn.director.name, probes_on_the_wires, replicas, fleet, WATCH_S)
        result = during()
        return result, watching.result()


def test_a_hidden_client_is_at_its_nearest_replica_once_its_last_hops_are_known(cdn, world, hidden, report):
    for client in hidden:
        (_, took), wires = watch(cdn, world, lambda client=client: cdn.ask_director(client))
        assert took < HOLD_MS + perigee.SLACK_MS
        best, rtts = world.nearest(client)
        replica, _ = cdn.ask_director(client)
        assert rtts[replica] <= rtts[best] + perigee.NEAR_MS, cdn.explain(world.hosts[client].ipv4)
        packets = packets_to(world.hosts[client], wires)
        assert all(0 < sent <= MOST_PACKETS for sent in packets), packets

        explained = cdn.explain(world.hosts[client].ipv4)
        assert "least-floor: " in explained
        row = next(line for line in explained.splitlines() if line.startswith(">")).split()
        assert row[1] == best and row[3] == "last-hop", explained
        floor = float(row[2].removeprefix(">="))
        assert abs(floor - (rtts[best] - LAST_HOP_MS)) < perigee.SLACK_MS and floor <= rtts[best], explained

    cdn.forget_clients()  # the probers remember where the last hop was
    (replica, took), wires = watch(cdn, world, lambda: cdn.ask_director(hidden[0]))
    assert replica == world.nearest(hidden[0])[0] and took < HOLD_MS, "with the first answer"
    report(f"a hidden client whose last hop the probers knew was given its nearest replica after {took:.0f} ms")
    packets = packets_to(world.hosts[hidden[0]], wires)
    assert all(0 < sent <= KNOWN_PACKETS for sent in packets), packets


def test_behind_silent_routers_a_hidden_client_is_answered_when_the_hold_ends(cdn, world, hidden):
    client = hidden[0]
    world.set("routers", client, "silent")
    (replica, took), wires = watch(cdn, world, lambda: cdn.ask_director(client))
    assert replica in world.hosts
    assert took < HOLD_MS + perigee.SLACK_MS
    packets = packets_to(world.hosts[client], wires)
    assert all(0 < sent <= MOST_PACKETS for sent in packets), packets
    explained = cdn.explain(world.hosts[client].ipv4)
    assert explained.count(" silent ") == len(packets), "each prober says so by its own deadline"
