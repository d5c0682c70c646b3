"""DNS messages by the byte: what a test sends may be as wrong as it likes, what comes back is read strictly."""

import contextlib
import dataclasses
import re
import socket
import struct

A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, SRV, DNAME, OPT, DS, HTTPS, ANY, CAA = (
    1, 2, 5, 6, 12, 15, 16, 28, 33, 39, 41, 43, 65, 255, 257)
IN, CHAOS = 1, 3
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS, BADCOOKIE = 0, 1, 2, 3, 4, 5, 16, 23
QR, AA, TC, RD, RA, Z, AD, CD = 0x8000, 0x400, 0x200, 0x100, 0x80, 0x40, 0x20, 0x10
NSID, CLIENT_SUBNET, EXPIRE, COOKIE, KEEPALIVE, PADDING = 3, 8, 9, 10, 11, 12
DO = 0x8000
TIMEOUT_S = 3


def name(text):
    """A name on the wire; a label may hold any octet as \\DDD."""
    out = b""
    for label in text.rstrip(".").split(".") if text.rstrip(".") else []:
        octets = re.sub(rb"\\(\d{3})", lambda m: bytes([int(m[1])]), label.encode())
        out += bytes([len(octets)]) + octets
    return out + b"\0"


def option(code, value=b""):
    return struct.pack("!HH", code, len(value)) + value


def client_subnet(network, length, scope=0):
    """The option for an address in text, cut to the octets that its prefix needs."""
    family = 2 if ":" in network else 1
    octets = socket.inet_pton(socket.AF_INET6 if family == 2 else socket.AF_INET, network)
    return option(CLIENT_SUBNET, struct.pack("!HBB", family, length, scope) + octets[: (length + 7) // 8])


def opt(payload=1232, version=0, flags=0, options=b"", rcode=0):
    return b"\0" + struct.pack("!HHBBHH", OPT, payload, rcode, version, flags, len(options)) + options


def question(qname, qtype, qclass=IN):
    return name(qname) + struct.pack("!HH", qtype, qclass)


def query(qname, qtype, qclass=IN, *, id=0x1234, flags=0, opcode=0, edns=None):
    """One question; `edns` is an OPT record as `opt` makes it."""
    header = struct.pack("!6H", id, flags | opcode << 11, 1, 0, 0, 0 if edns is None else 1)
    return header + question(qname, qtype, qclass) + (edns or b"")


@dataclasses.dataclass(frozen=True)
class Record:
    owner: str
    type: int
    rr_class: int
    ttl: int
    rdata: bytes  # names within it are expanded

    @property
    def text(self):
        """Of an A, AAAA, or a type whose data is a name."""
        if self.type == A:
            return socket.inet_ntop(socket.AF_INET, self.rdata)
        if self.type == AAAA:
            return socket.inet_ntop(socket.AF_INET6, self.rdata)
        return read_name(self.rdata, 0)[0]


@dataclasses.dataclass(frozen=True)
class Message:
    id: int
    flags: int
    questions: list
    answer: list
    authority: list
    additional: list  # without OPT
    opt: Record | None
    raw: bytes

    @property
    def opcode(self):
        return self.flags >> 11 & 15

    @property
    def rcode(self):
        high = self.opt.ttl >> 24 if self.opt else 0
        return high << 4 | self.flags & 15

    @property
    def edns_version(self):
        return self.opt.ttl >> 16 & 255

    @property
    def edns_flags(self):
        return self.opt.ttl & 0xFFFF

    @property
    def options(self):
        """By code; a code that comes twice is an error."""
        found, data = {}, self.opt.rdata if self.opt else b""
        while data:
            code, length = struct.unpack_from("!HH", data)
            assert code not in found and len(data) >= 4 + length
            found[code], data = data[4 : 4 + length], data[4 + length :]
        return found

    def has(self, flag):
        return bool(self.flags & flag)

    def of(self, rr_type, section="answer"):
        return [r for r in getattr(self, section) if r.type == rr_type]


def read_name(message, at):
    """A name in text, and where it ends; every pointer must point backwards."""
    labels, end, limit = [], None, at
    while True:
        length = message[at]
        if length >= 0xC0:
            target = struct.unpack_from("!H", message, at)[0] & 0x3FFF
            assert target < limit, "a compression pointer that does not point backwards"
            end, at, limit = end or at + 2, target, target
        elif length == 0:
            return ".".join(labels) + ".", end or at + 1
        else:
            assert length < 64
            labels.append(message[at + 1 : at + 1 + length].decode("latin-1"))
            at += 1 + length


def _expanded(message, rr_type, at, size):
    """Record data with its names uncompressed: only those of RFC 1035's types may be compressed (RFC 3597 §4)."""
    before = {NS: 0, CNAME: 0, PTR: 0, SOA: 0, MX: 2}.get(rr_type)
    if before is None:
        return message[at : at + size]
    out, position = message[at : at + before], at + before
    for _ in range(2 if rr_type == SOA else 1):
        target, position = read_name(message, position)
        out += name(target)
    return out + message[position : at + size]


def _read_record(message, at):
    owner, at = read_name(message, at)
    rr_type, rr_class, ttl, size = struct.unpack_from("!HHIH", message, at)
    at += 10
    assert at + size <= len(message), "record data beyond the end"
    return Record(owner, rr_type, rr_class, ttl, _expanded(message, rr_type, at, size)), at + size


def parse(message):
    id, flags, *counts = struct.unpack_from("!6H", message)
    at, questions, sections, found_opt = 12, [], [], []
    for _ in range(counts[0]):
        qname, at = read_name(message, at)
        questions.append((qname, *struct.unpack_from("!HH", message, at)))
        at += 4
    for count in counts[1:]:
        records = []
        for _ in range(count):
            record, at = _read_record(message, at)
            (found_opt if record.type == OPT else records).append(record)
        sections.append(records)
    assert at == len(message), "octets behind the last record"
    assert len(found_opt) <= 1
    return Message(id, flags, questions, *sections, found_opt[0] if found_opt else None, message)


def udp(port, message, source="127.0.0.1", timeout=TIMEOUT_S):
    """The answer to one datagram, None when there is none in time."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind((source, 0))
        s.connect(("127.0.0.1", port))
        s.settimeout(timeout)
        s.send(message)
        try:
            return parse(s.recv(65535))
        except TimeoutError:
            return None


def free_port():
    """One that is free for UDP and TCP alike."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp, \
                socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                udp.bind(tcp.getsockname())
                return tcp.getsockname()[1]


class Tcp:
    """One connection, over which many queries may go."""

    def __init__(self, port, source="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_S, (source, 0))
        self._stream = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stream.close()
        self.socket.close()

    def send(self, *messages):
        """In one write, so that they are pipelined."""
        self.socket.sendall(b"".join(struct.pack("!H", len(m)) + m for m in messages))

    def receive(self):
        """The next answer; None at the end of the connection."""
        prefix = self._stream.read(2)
        return parse(self._stream.read(struct.unpack("!H", prefix)[0])) if len(prefix) == 2 else None

    def ask(self, message):
        self.send(message)
        return self.receive()
