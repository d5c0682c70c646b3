"""A hundred thousand strangers that do not exist ask at once. What leaves the probers is counted on their wires."""

import concurrent.futures
import ctypes
import select
import socket
import struct
import time

import cdn as perigee
import dns_raw as dns
from in_host import CLONE_NEWNET, python_in

SOURCES = 100_000
PER_SECOND = 10_000
FLOOD_S = SOURCES / PER_SECOND
# probe_policy's defaults: probe packets a second of one prober, over all clients and for one network (/24, /56). A second's
# worth may come at once.
BUDGET, PREFIX_BUDGET = 1000, 20
# How long probing may go on behind the flood: a measurement's deadline.
AFTERWARDS_S = 4
KNOWN = "client-new-york"
FLOODER = "client-seoul"
TRACE_PORTS = range(33434, 33535)
ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 3, 0x0800, 0x86DD
SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_RCVBUFFORCE, SO_TIMESTAMPNS = 33, 35


def test_a_flood_of_spoofed_sources_causes_no_more_probes_than_the_budgets_allow(cdn, world, report):
    cdn.forget_clients()
    cdn.ask_director(KNOWN)
    perigee.wait_until("it is known", lambda: cdn.ask_director(KNOWN)[1] < perigee.SLACK_MS)
    before, _ = cdn.ask_director(KNOWN)
    replicas = [replica.name for replica in world.with_role("replica")]
    fleet = [address for host in world.hosts.values() if host.role != "client" for address in (host.ipv4, host.ipv6) if address]
    # Children of their own, all before the first of them is heard: no process is started while they run.
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        watch = pool.submit(python_in, cdn.director.name, probes_on_the_wires, replicas, fleet, FLOOD_S + AFTERWARDS_S)
        client = pool.submit(python_in, KNOWN, ask_again_and_again, cdn.director.ipv4, FLOOD_S)
        flood = pool.submit(python_in, FLOODER, send_spoofed, cdn.director.ipv4, cdn.director.ipv6)
        wires, answers, flooded_s = watch.result(), client.result(), flood.result()

    answered = sorted(ms for _, ms in answers if ms is not None)
    half, tail = (answered[int(share * len(answered))] - world.rtt_ms(KNOWN, "director") for share in (0.5, 0.99))
    cdn.forget_clients()  # what is left to measure would be in the way of those who come next
    report(f"{SOURCES} spoofed queries in {flooded_s:.1f} s; probe packets of each prober in as many seconds: "
           + ", ".join(f"{name} {sum(wires[name]['packets'].values())} in {wires[name]['seconds']:.1f}" for name in replicas)
           + f"; a known client was answered {len(answered)} of {len(answers)} times, p50 {half:.1f} ms, p99 {tail:.1f} ms")
    assert {cdn.replica_at(address) for address, ms in answers if ms is not None} == {before}
    assert len(answered) >= 0.99 * len(answers)
    assert half < perigee.SLACK_MS
    for name in replicas:
        packets, seconds = wires[name]["packets"], wires[name]["seconds"] + 1  # what may come at once
        assert 0 < sum(packets.values()) <= BUDGET * seconds, name
        assert max(packets.values()) <= PREFIX_BUDGET * seconds, name


def ask_again_and_again(director, seconds):
    """A known client's queries: the address in each answer, and the milliseconds that it took; neither when it got none."""
    answers = []
    end = time.monotonic() + seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.connect((director, 53))
        asker.settimeout(1)
        while time.monotonic() < end:
            started = time.monotonic()
            asker.send(dns.query(perigee.DOMAIN, dns.A, id=len(answers)))
            try:
                while (message := dns.parse(asker.recv(2048))).id != len(answers):
                    pass
                answers.append((message.of(dns.A)[0].text, (time.monotonic() - started) * 1000))
            except TimeoutError:
                answers.append((None, None))
            time.sleep(0.02)
    return answers


def send_spoofed(v4, v6):
    """Sends one query from each source to the director's addresses; returns how long that took."""
    senders = [(socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW), address)
               for family, address in ((socket.AF_INET, v4), (socket.AF_INET6, v6))]
    started = time.monotonic()
    for number in range(SOURCES):
        query = dns.query(perigee.DOMAIN, dns.A, id=number & 0xffff)
        sender, address = senders[number % 2]
        sender.sendto((spoofed_v4, spoofed_v6)[number % 2](number // 2, address, query), (address, 0))
        ahead = started + (number + 1) / PER_SECOND - time.monotonic()
        if ahead > 0.005:
            time.sleep(ahead)
    return time.monotonic() - started


def spoofed_v4(number, destination, payload):
    """From 198.19.0.0/16: many sources in few networks, for the budget of each."""
    source = bytes([198, 19]) + struct.pack("!H", number & 0xffff)
    udp = struct.pack("!4H", 1024 + number % 60_000, 53, 8 + len(payload), 0)
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp) + len(payload), 0, 0, 64, socket.IPPROTO_UDP, 0, source,
                       socket.inet_aton(destination)) + udp + payload


def spoofed_v6(number, destination, payload):
    """Each from a /56 of its own, for the budget of all."""
    source = bytes([0xfd, 0xaa, 0, 0]) + struct.pack("!I", number << 8) + bytes(7) + b"\1"
    addresses = source + socket.inet_pton(socket.AF_INET6, destination)
    length = 8 + len(payload)
    udp = [1024 + number % 60_000, 53, length, 0]
    summed = addresses + struct.pack("!II4H", length, socket.IPPROTO_UDP, *udp) + payload + bytes(len(payload) % 2)
    total = sum(struct.unpack(f"!{len(summed) // 2}H", summed))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    udp[3] = ~total & 0xffff or 0xffff
    return struct.pack("!IHBB", 6 << 28, length, socket.IPPROTO_UDP, 64) + addresses + struct.pack("!4H", *udp) + payload


def probes_on_the_wires(replicas, fleet, seconds):
    """Echo requests, SYNs and a trace's datagrams that leave each replica for anybody but the fleet, by the network that they go to, and the time
    from the first to the last, by the kernel's clock: this process may come late."""
    libc = ctypes.CDLL(None, use_errno=True)
    wires = {}
    for name in replicas:
        with open(f"/run/netns/pg-{name}") as namespace:
            if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 23)
        wire.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        wires[wire] = (name, {}, [])
    of_the_fleet = {socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address) for address in fleet}
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        for wire in select.select(list(wires), [], [], left)[0]:
            packet, [(_, _, time_sent)], _, (_, protocol, kind, _, _) = wire.recvmsg(128, socket.CMSG_SPACE(16))
            if kind != socket.PACKET_OUTGOING or protocol not in (ETH_P_IP, ETH_P_IPV6):
                continue
            if (destination := probed(packet)) and destination not in of_the_fleet:
                _, packets, times = wires[wire]
                network = destination[:3 if len(destination) == 4 else 7].hex()
                packets[network] = packets.get(network, 0) + 1
                seconds_sent, nanoseconds = struct.unpack("qq", time_sent)
                times[1:] = [seconds_sent + nanoseconds / 1e9]  # the first stays
    for wire in wires:
        _, dropped = struct.unpack("II", wire.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        if dropped:
            raise RuntimeError(f"{dropped} packets were not looked at")
    return {name: {"packets": packets, "seconds": times[-1] - times[0]} for name, packets, times in wires.values()}


def probed(packet):
    """Where to a packet goes, when it is a probe: an echo request, a SYN, or a datagram to a traceroute's ports."""
    v6 = packet[0] >> 4 == 6
    protocol, head = (packet[6], 40) if v6 else (packet[9], (packet[0] & 15) * 4)
    destination = packet[24:40] if v6 else packet[16:20]
    echo = (protocol, packet[head]) in ((socket.IPPROTO_ICMP, 8), (socket.IPPROTO_ICMPV6, 128))
    syn = protocol == socket.IPPROTO_TCP and packet[head + 13] & 0x12 == 2
    trace = protocol == socket.IPPROTO_UDP and int.from_bytes(packet[head + 2:head + 4], "big") in TRACE_PORTS
    return destination if echo or syn or trace else None
