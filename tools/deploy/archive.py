"""Archives whose bytes depend on nothing but what is in them, so that a checksum names the content."""

import gzip
import io
import tarfile

_MTIME = 1  # a constant, but not 0: gRPC takes certificates of that time for unreadable
_COMPRESSION = 6  # more costs seconds and saves per cents


def add_file(tar, name, content, mode):
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(content), mode, _MTIME
    tar.addfile(info, io.BytesIO(content))


def add_hard_link(tar, name, target):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = tarfile.LNKTYPE, target, 0o755
    tar.addfile(info)


def compressed(raw):
    return gzip.compress(raw, _COMPRESSION, mtime=0)
