"""Writes tiny databases in MaxMind's format (maxmind.github.io/MaxMind-DB): which IPv4 networks are where."""

import ipaddress
import struct

SEPARATOR = b"\0" * 16
MARKER = b"\xab\xcd\xefMaxMind.com"


def _control(kind, size):
    return bytes([kind << 5 | size])


def _string(text):
    return _control(2, len(text)) + text.encode()


def _double(value):
    return _control(3, 8) + struct.pack("!d", value)


def _unsigned(kind, octets, value):
    return _control(kind, octets) + value.to_bytes(octets, "big")


def _map(fields):
    return _control(7, len(fields)) + b"".join(_string(name) + value for name, value in fields.items())


def mmdb(places):
    """The database, from {network: (latitude, longitude)}."""
    nodes, data = [[None, None]], b""
    for network, (latitude, longitude) in places.items():
        network = ipaddress.ip_network(network)
        bits = f"{int(network.network_address):032b}"[: network.prefixlen]
        node = nodes[0]
        for bit in map(int, bits[:-1]):
            if node[bit] is None:
                node[bit] = len(nodes)
                nodes.append([None, None])
            node = nodes[node[bit]]
        node[int(bits[-1])] = ("data", len(data))
        data += _map({"location": _map({"latitude": _double(latitude), "longitude": _double(longitude)})})

    def record(value):
        if value is None:
            value = len(nodes)
        elif isinstance(value, tuple):
            value = len(nodes) + len(SEPARATOR) + value[1]
        return value.to_bytes(3, "big")

    tree = b"".join(record(value) for node in nodes for value in node)
    metadata = _map({
        "node_count": _unsigned(6, 4, len(nodes)),
        "record_size": _unsigned(5, 2, 24),
        "ip_version": _unsigned(5, 2, 4),
        "database_type": _string("Perigee-Test"),
        "languages": b"\x00\x04",
        "binary_format_major_version": _unsigned(5, 2, 2),
        "binary_format_minor_version": _unsigned(5, 2, 0),
        "build_epoch": b"\x08\x02" + (1_700_000_000).to_bytes(8, "big"),
        "description": _control(7, 0),
    })
    return tree + SEPARATOR + data + MARKER + metadata
