"""The CA of a CDN and a certificate for each of its hosts, in a folder on the operator's machine.

What is there is used again; a host's certificate is made anew when its addresses have changed or it is about to expire.
"""

import os
import pathlib
import subprocess
import tempfile

_CA_DAYS = 3650
_DAYS = 365
_RENEW_SECONDS = 60 * 24 * 3600
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def for_host(folder, host):
    """The files that a host gets, by name: ca.pem, cert.pem, key.pem. Makes the CA when there is none."""
    _make_ca(folder)
    own = folder / host.name
    names = ",".join(f"IP:{address}" for address in (*host.addresses, "127.0.0.1"))
    if not _still_good(own, names, folder / "ca.pem"):
        _make_certificate(folder, own, host.name, names)
    return {"ca.pem": (folder / "ca.pem").read_bytes(), **{n: (own / n).read_bytes() for n in ("cert.pem", "key.pem")}}


def _openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr.strip()}")


def _fresh(folder):
    """A folder for nobody else beside it, so that what is there is always whole."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(dir=folder)


def _make_ca(folder):
    if (folder / "ca.pem").exists():
        return
    with _fresh(folder) as new:
        new = pathlib.Path(new)
        _openssl("req", "-x509", *_KEY, "-days", _CA_DAYS, "-subj", "/CN=Perigee CA", "-keyout", new / "ca.key", "-out", new / "ca.pem")
        for name in ("ca.key", "ca.pem"):
            os.replace(new / name, folder / name)


def _still_good(own, names, ca):
    if not all((own / n).exists() for n in ("cert.pem", "key.pem", "names")) or (own / "names").read_text() != names:
        return False
    return all(subprocess.run(["openssl", *map(str, check)], capture_output=True).returncode == 0 for check in (
        ("x509", "-in", own / "cert.pem", "-noout", "-checkend", _RENEW_SECONDS),
        ("verify", "-CAfile", ca, own / "cert.pem"),
    ))


def _make_certificate(folder, own, name, names):
    with _fresh(own) as new:
        new = pathlib.Path(new)
        _openssl("req", *_KEY, "-subj", f"/CN={name}", "-keyout", new / "key.pem", "-out", new / "request.pem")
        (new / "extensions").write_text(f"subjectAltName={names}\n")
        _openssl("x509", "-req", "-in", new / "request.pem", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key",
                 "-CAcreateserial", "-days", _DAYS, "-extfile", new / "extensions", "-out", new / "cert.pem")
        (new / "names").write_text(names)
        for file in ("key.pem", "cert.pem", "names"):
            os.replace(new / file, own / file)
