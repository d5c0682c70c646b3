"""Asking the running CDN as its clients do: dig through the director, wget at every replica."""

import dataclasses
import ipaddress
import re
import shutil
import subprocess
import time

_DIG_TIMEOUT_S = 3
_DIG_TRIES = 3
_WGET_TIMEOUT_S = 20
_TOOLS = {"dig": "bind9-dnsutils (bind-utils)", "wget": "wget"}


@dataclasses.dataclass(frozen=True)
class Check:
    ok: bool
    text: str


def missing_tools():
    return [f"{tool}: apt-get install {package}" for tool, package in _TOOLS.items() if not shutil.which(tool)]


def dig(fleet, replica):
    """What a client in the replica's own network is answered: any replica of the fleet will do, it is not measured to
    itself."""
    address = ipaddress.ip_address(replica.addresses[0])
    done = subprocess.run(
        ["dig", f"@{fleet.director.address}", "-p", str(fleet.dns_port), fleet.domain, "AAAA" if address.version == 6 else "A",
         f"+subnet={address}/{address.max_prefixlen}", f"+time={_DIG_TIMEOUT_S}", f"+tries={_DIG_TRIES}",
         "+noall", "+answer", "+comments", "+stats"], capture_output=True, text=True)
    return read_dig(done.stdout, {a for r in fleet.replicas for a in r.addresses})


def read_dig(text, addresses):
    """Pure: dig's words as a check; `addresses` are the answers that are right."""
    status = re.search(r"status: (\w+)", text)
    if not status:
        return Check(False, "no answer")
    answers = re.findall(r"\s(?:A|AAAA)\s+(\S+)$", text, re.MULTILINE)
    took = re.search(r"Query time: (\d+) msec", text)
    if status[1] != "NOERROR" or not answers:
        return Check(False, status[1] if status[1] != "NOERROR" else "no address")
    return Check(set(answers) <= addresses, f"{answers[0]} {took[1]} ms" if took else answers[0])


def get(fleet, replica):
    """GET / of the site at one replica."""
    address = replica.addresses[0]
    where = f"[{address}]" if ":" in address else address
    began = time.monotonic()
    done = subprocess.run(
        ["wget", "-q", "-S", "-O", "-", "--tries=1", f"--timeout={_WGET_TIMEOUT_S}", "--max-redirect=0", "--no-proxy",
         f"--header=Host: {fleet.domain}", f"http://{where}:{replica.http_port}/"], capture_output=True)
    return read_wget(done.stderr.decode(errors="replace"), len(done.stdout), time.monotonic() - began)


def read_wget(headers, size, seconds):
    """Pure: wget's words as a check. A redirect or a 404 of the origin is an answer; 5xx and silence are none."""
    status = re.search(r"HTTP/\d\S* (\d{3})", headers)
    if not status:
        return Check(False, "no answer")
    cache = re.search(r"Cache-Status:\s*[^;\n]*;\s*([^;\n]*)", headers, re.IGNORECASE)
    words = [status[1], f"{size} B", f"{seconds * 1000:.0f} ms", *([cache[1].strip()] if cache else [])]
    return Check(int(status[1]) < 500, " ".join(words))
