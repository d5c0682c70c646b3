"""Who is in the CDN: the replicas of the fleet file, the director, and what each host is to run.

Everything but `load` is pure.
"""

import dataclasses
import ipaddress
import pathlib
import re
import subprocess

import textproto

DIRECTOR_PORT = 4303
PROBER_PORT = 4301
REPLICA_PORT = 4302
WELL_KNOWN_PORTS = 1024
DNS_PORT = 53

_NAME = re.compile(r"[A-Za-z0-9_-]+")


class FleetError(Exception):
    """What is wrong with the description of the fleet, for the operator."""


@dataclasses.dataclass(frozen=True)
class Replica:
    name: str
    addresses: tuple[str, ...]  # IPv4 before IPv6; the first is where it is controlled
    http_port: int
    prober_port: int
    control_port: int


@dataclasses.dataclass(frozen=True)
class Host:
    name: str
    addresses: tuple[str, ...]
    replica: Replica | None = None
    is_director: bool = False

    @property
    def address(self):
        return self.addresses[0]


@dataclasses.dataclass(frozen=True)
class Fleet:
    text: str  # of the fleet file
    folder: pathlib.Path  # to which its paths are relative
    domain: str
    origin: str
    dns_port: int
    hosts: tuple[Host, ...]  # the director first

    @property
    def director(self):
        return self.hosts[0]

    @property
    def replicas(self):
        return [h.replica for h in self.hosts if h.replica]


def dns_port_for(port):
    """Where dnsserver listens for -p: a port of one's own is for both, but 80 or 443 stand for the well-known ones."""
    return port if port >= WELL_KNOWN_PORTS else DNS_PORT


def text_from_list(words):
    """A fleet file from NAME=ADDRESS,…"""
    lines = []
    for word in filter(None, words.split(",")):
        name, _, address = word.rpartition("=")
        family = _family(address, f"--hosts: {word}")
        lines.append(f"replica {{ name: {textproto.quote(name)} {family}: {textproto.quote(address)} }}")
    if not lines:
        raise FleetError("--hosts: no hosts; it takes NAME=ADDRESS,…")
    return "\n".join(lines) + "\n"


def read(text, folder, options):
    """The fleet of a file's text as `options` (port, dns_port, origin, name, director) complete it."""
    try:
        fields = textproto.parse(text)
    except ValueError as error:
        raise FleetError(f"the fleet file: {error}") from None
    replicas = [_replica(message, options.port) for message in textproto.of(fields, "replica")]
    if not replicas:
        raise FleetError("the fleet file names no replica")
    domain = options.name or textproto.first(fields, "domain")
    origin = options.origin or textproto.first(fields, "origin")
    for flag, value in (("-n", domain), ("-o", origin)):
        if not value or re.search(r"[\s\"]", value):
            raise FleetError(f"{flag} is missing, and the fleet file does not say it" if not value else f"{flag}: {value!r}")
    return Fleet(text=_complete(text, fields, domain, origin), folder=folder, domain=domain, origin=origin,
                 dns_port=options.dns_port or dns_port_for(options.port), hosts=_hosts(replicas, options.director))


def load(options):
    """From --hosts, or from the fleet file, which `cdnctl config check` must approve."""
    if options.hosts:
        return read(text_from_list(options.hosts), pathlib.Path.cwd(), options)
    try:
        text = options.config.read_text()
    except OSError as error:
        raise FleetError(f"{options.config}: {error.strerror}; describe the fleet there (see cdn.example.textproto), "
                         "or name it with --hosts") from None
    fleet = read(text, options.config.resolve().parent, options)
    checked = subprocess.run([options.programs / "cdnctl", "config", "check", "--config", options.config],
                             capture_output=True, text=True)
    if checked.returncode != 0:
        raise FleetError((checked.stderr or checked.stdout).strip())
    return fleet


def _family(address, where):
    try:
        return f"ipv{ipaddress.ip_address(address).version}"
    except ValueError:
        raise FleetError(f"{where}: {address!r} is no IP address") from None


def _replica(message, port):
    def number(name, default):
        return int(textproto.first(message, name, "0"), 0) or default

    name = textproto.first(message, "name")
    addresses = tuple(a for a in (textproto.first(message, "ipv4"), textproto.first(message, "ipv6")) if a)
    if not _NAME.fullmatch(name) or not addresses:
        raise FleetError(f"replica {name!r}: it takes a name of letters, digits, - and _, and an address")
    for address in addresses:
        _family(address, f"replica {name}")
    return Replica(name, addresses, number("http_port", port), number("prober_port", PROBER_PORT),
                   number("control_port", REPLICA_PORT))


def _hosts(replicas, director):
    """The director is a host of its own, or one of the replicas: the one with that address, the first by default."""
    director = director or replicas[0].addresses[0]
    _family(director, "--director")
    hosts = [Host(r.name, r.addresses, r, director in r.addresses) for r in replicas]
    if not any(h.is_director for h in hosts):
        hosts.append(Host("director", (director,), is_director=True))
    for what in ("name", "address"):
        values = [getattr(h, what) for h in hosts]
        if len(set(values)) < len(values):
            raise FleetError(f"two hosts have the same {what}")
    return tuple(sorted(hosts, key=lambda h: not h.is_director))


def _complete(text, fields, domain, origin):
    """With the domain and the origin that the command line gives."""
    changes = [(f.start, f.end, "") for f in fields if f.name in ("domain", "origin")]
    rest = textproto.splice(text, changes)
    return f"domain: {textproto.quote(domain)}\norigin: {textproto.quote(origin)}\n{rest}"
