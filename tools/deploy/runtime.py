"""One archive of all programs, with every library that they load and the loader itself, for any Linux of this machine's
type, whatever its glibc.

  bin/NAME   the program            lib/…   its libraries, and what they load
  run/NAME   the loader, by a link of the program's name     scamper   starts scamper through it
"""

import dataclasses
import hashlib
import io
import os
import pathlib
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile

from archive import add_file, add_hard_link, compressed

PROGRAMS = ("cdnctl", "dnsserver", "httpserver", "prober")
_SCAMPER = """#!/bin/sh
here=$(dirname "$0")
exec "$here/run/scamper" --inhibit-cache --library-path "$here/lib" --argv0 scamper "$here/bin/scamper" "$@"
"""


class RuntimeMissing(Exception):
    """What the operator's machine lacks, and what to do."""


@dataclasses.dataclass(frozen=True)
class Runtime:
    archive: pathlib.Path
    sha256: str
    machine: str

    @property
    def size_mb(self):
        return self.archive.stat().st_size / 1e6


def build(programs, cache):
    """The archive of the programs in a folder; kept in the folder `cache` for as long as none of its parts changes."""
    sources = _sources(programs)
    libraries, loader = _closure(sources.values())
    parts = [*sources.values(), *libraries, loader]
    stamps = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in parts]
    archive = cache / f"runtime-{hashlib.sha256(repr((stamps, _SCAMPER)).encode()).hexdigest()[:16]}.tar.gz"
    if not archive.exists():
        cache.mkdir(parents=True, exist_ok=True)
        for old in cache.glob("runtime-*"):
            old.unlink()
        partial = archive.with_suffix(".partial")
        partial.write_bytes(_pack(sources, libraries, loader))
        partial.replace(archive)
    return Runtime(archive, hashlib.sha256(archive.read_bytes()).hexdigest(), platform.machine())


def _sources(programs):
    sources = {name: programs / name for name in PROGRAMS}
    missing = [name for name, path in sources.items() if not path.exists()]
    if missing:
        raise RuntimeMissing(f"not built: {', '.join(missing)}; run: scripts/dev build release")
    scamper = shutil.which("scamper", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    if not scamper:
        raise RuntimeMissing("scamper is not installed here, and the hosts get this machine's: apt-get install scamper")
    return sources | {"scamper": pathlib.Path(scamper)}


def _closure(programs):
    """All shared libraries of the programs, and the loader that they ask for, as ldd finds them."""
    libraries, loaders = set(), set()
    for program in programs:
        listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        if lost := re.findall(r"(\S+) => not found", listing):
            raise RuntimeMissing(f"{program} needs {', '.join(lost)}, which are not on this machine")
        libraries |= set(re.findall(r"=> (/\S+)", listing))
        loaders |= set(re.findall(r"^\s*(/\S+) \(", listing, re.MULTILINE))
    if len(loaders) != 1:
        raise RuntimeMissing(f"the programs do not agree on a loader: {sorted(loaders)}")
    return [pathlib.Path(p) for p in sorted(libraries)], pathlib.Path(loaders.pop())


def _pack(sources, libraries, loader):
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name, path in sorted(sources.items()):
            add_file(tar, f"bin/{name}", _stripped(path), 0o755)
        for library in libraries:
            add_file(tar, f"lib/{library.name}", library.read_bytes(), 0o755)
        first, *others = sorted(sources)
        add_file(tar, f"run/{first}", loader.read_bytes(), 0o755)
        for name in others:
            add_hard_link(tar, f"run/{name}", f"run/{first}")
        add_file(tar, "scamper", _SCAMPER.encode(), 0o755)
    return compressed(raw.getvalue())


def _stripped(path):
    """Without symbols for debuggers, where this machine can do that: half the size."""
    if not shutil.which("strip"):
        return path.read_bytes()
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(["strip", "-o", out.name, path], check=True)
        return pathlib.Path(out.name).read_bytes()
