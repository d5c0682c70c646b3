"""What one host is given beside the programs: fleet file, what that names, keys, and each program's arguments."""

import dataclasses
import hashlib
import io
import pathlib
import tarfile

import textproto
from archive import add_file, compressed
from fleet import DIRECTOR_PORT, FleetError

ROOT = "/opt/perigee"
HARDENING = pathlib.Path(__file__).resolve().parents[2] / "packaging/systemd/hardening"
HOST_SCRIPT = "".join(part.read_text() for part in sorted(pathlib.Path(__file__).with_name("host").glob("*.sh")))

_ETC = f"{ROOT}/current/etc"
_KEYS = f"{ROOT}/current/keys"
_STATE = f"{ROOT}/state"
_CONTROL = (f'control {{ ca_file: "{_KEYS}/ca.pem"  certificate_file: "{_KEYS}/cert.pem"'
            f'  key_file: "{_KEYS}/key.pem" }}\n')

# Paths in the fleet file, by what becomes of them: read from etc, where they are copied; written to state.
_READ = (("origin_ca",), ("zone", "file"), ("dns", "cookies", "secret_file"))
_WRITTEN = (("dns", "state_file"), ("dns", "decision_log"), ("dns", "measurement_log"), ("http", "access_log"), ("cache", "path"))


@dataclasses.dataclass(frozen=True)
class Release:
    id: str
    sha256: str
    archive: bytes
    runtime: str  # its SHA-256


def localize(text):
    """The fleet file as a host needs it, and the files, by their paths in it, that are to stand beside it."""
    fields = textproto.parse(text)
    changes = [(f.start, f.end, "") for f in fields if f.name == "control"]
    files = {}
    for path in _READ:
        for field in _find(fields, path):
            name = pathlib.PurePath(field.value).name
            if files.setdefault(name, field.value) != field.value:
                raise FleetError(f"{field.value} and {files[name]}: two files may not have the same name")
            changes.append((field.value_start, field.end, textproto.quote(f"{_ETC}/{name}")))
    for path in _WRITTEN:
        for field in _find(fields, path):
            if not field.value.startswith("/"):
                changes.append((field.value_start, field.end, textproto.quote(f"{_STATE}/{field.value}")))
    return textproto.splice(text, changes) + _CONTROL, files


def services(fleet, host):
    """The arguments of each program that a host runs."""
    config = ["--config", f"{_ETC}/cdn.textproto"]
    found = {}
    if host.is_director:
        found["dnsserver"] = ["-p", str(fleet.dns_port), "-n", fleet.domain, *config,
                              "--control", f"127.0.0.1:{DIRECTOR_PORT}", "--ns-address", *host.addresses]
    if host.replica:
        # Public addresses may be a gateway's (EC2), so they can't be listened on; keys keep strangers out.
        everywhere = "0.0.0.0" if ":" not in host.address else "[::]"
        found["httpserver"] = ["-p", str(host.replica.http_port), "-o", fleet.origin, *config,
                               "--control", f"{everywhere}:{host.replica.control_port}"]
        found["prober"] = ["--listen", f"{everywhere}:{host.replica.prober_port}", *config,
                           "--scamper", f"{ROOT}/current/runtime/scamper"]
    return found


def make(fleet, host, keys, runtime):
    """`keys`: the files for this host by name; `runtime`: the SHA-256 of the programs that it goes with."""
    text, files = localize(fleet.text)
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
        add_file(tar, "host.sh", HOST_SCRIPT.encode(), 0o755)
        add_file(tar, "etc/cdn.textproto", text.encode(), 0o640)
        for name, path in sorted(files.items()):
            try:
                add_file(tar, f"etc/{name}", (fleet.folder / path).read_bytes(), 0o640)
            except OSError as error:
                raise FleetError(f"{path}, which the fleet file names: {error.strerror}") from None
        for name, arguments in services(fleet, host).items():
            add_file(tar, f"services/{name}", "".join(f"{a}\n" for a in arguments).encode(), 0o644)
            for rights in ("10-all.conf", f"10-{name}.conf"):
                add_file(tar, f"hardening/{name}/{rights}", (HARDENING / rights).read_bytes(), 0o644)
        for name, content in sorted(keys.items()):
            add_file(tar, f"keys/{name}", content, 0o600 if name.endswith("key.pem") else 0o640)
    archive = compressed(raw.getvalue())
    sha256 = hashlib.sha256(archive).hexdigest()
    identity = hashlib.sha256(f"{sha256} {runtime}".encode()).hexdigest()[:12]
    return Release(identity, sha256, archive, runtime)


def _find(fields, path):
    matching = [f for f in fields if f.name == path[0]]
    if len(path) == 1:
        return matching
    return [found for f in matching for found in _find(f.value, path[1:])]
