#!/usr/bin/env python3
"""Puts zones that dnsserver serves to Zonemaster's tests, within a network namespace of its own. See README.md."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
DNSSERVER = ROOT / "build" / "release" / "bin" / "dnsserver"
# Of each zone's servers. Within a zone they differ by more than a network, as Zonemaster wants it.
ROOT_SERVERS = [("198.18.0.1", "fd00:0:0:1::1"), ("198.19.0.1", "fd00:0:1:1::1")]
ORG_SERVERS = [("198.18.1.1", "fd00:0:0:2::1"), ("198.19.1.1", "fd00:0:1:2::1")]
CDN_SERVER = ("198.18.2.1", "fd00:0:0:3::1")
QUIET_TESTS = ["connectivity/connectivity01", "connectivity/connectivity02"]  # nothing but errors is told by them
TESTS = ["basic", "syntax", "nameserver", "consistency", "delegation", "zone", *QUIET_TESTS]
# Of a zone with one name server.
LONE_TESTS = [test for test in TESTS if test != "delegation"]
LEVELS = ("NOTICE", "WARNING", "ERROR", "CRITICAL")
BAD = LEVELS[1:]
START_TIMEOUT_S = 20


def addresses(name, server):
    return f"{name} 3600 A {server[0]}\n{name} 3600 AAAA {server[1]}\n"


HINTS = "".join(f". 3600 NS {name}.root.test.\n" + addresses(f"{name}.root.test.", server)
                for name, server in zip("ab", ROOT_SERVERS))
NS1, NS2 = (addresses(f"ns{i + 1}.example.org.", server) for i, server in enumerate(ORG_SERVERS))
ROOT_ZONE = f"""$TTL 3600
. SOA a.root.test. hostmaster.root.test. 1 14400 3600 1209600 3600
{HINTS}
example.org. NS ns1.example.org.
example.org. NS ns2.example.org.
{NS1}{NS2}"""
ORG_ZONE = f"""$TTL 3600
@ SOA ns1 hostmaster 1 14400 3600 1209600 3600
@ NS ns1
@ NS ns2
{NS1}{NS2}
@ MX 10 mail
@ TXT "v=spf1 mx -all"
mail A 198.18.1.25
cdn NS ns1.cdn
{addresses("ns1.cdn", CDN_SERVER)}"""
ZONE_FILES = {"root": ROOT_ZONE, "org": ORG_ZONE}


def run(*command, **how):
    return subprocess.run([str(word) for word in command], check=True, **how)


@contextlib.contextmanager
def dnsserver(folder, servers, zone, fleet, *flags):
    """One dnsserver at the addresses of all these servers, once it answers for the zone."""
    (folder / "cdn.textproto").write_text(f'replica {{ name: "one" ipv4: "198.18.9.1" }}\n{fleet}')
    listen = [address for server in servers for address in server]
    with open(folder / "log", "ab") as log:
        process = subprocess.Popen([DNSSERVER, "-p", "53", "--listen", *listen, "--control", "127.0.0.1:0", *flags],
                                   cwd=folder, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        asked = ["dig", f"@{listen[-1]}", zone, "SOA", "+short", "+tries=1", "+time=1"]
        while not subprocess.run(asked, capture_output=True).stdout.startswith((b"a.", b"ns1.")):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"zonemaster: dnsserver does not answer for {zone}:\n" + (folder / "log").read_text())
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def world(folder):
    """The root, example.org of a zone file, and below it a domain of which dnsserver knows the name alone."""
    with contextlib.ExitStack() as stack:
        def serve(name, servers, zone, fleet, *flags):
            (folder / name).mkdir()
            if text := ZONE_FILES.get(name):
                (folder / name / "zone").write_text(text)
            stack.enter_context(dnsserver(folder / name, servers, zone, fleet, *flags))

        serve("root", ROOT_SERVERS, ".", 'domain: "cdn.test" zone { name: "." file: "zone" }')
        serve("org", ORG_SERVERS, "example.org",
              'domain: "www.example.org" zone { name: "example.org" file: "zone" }')
        serve("cdn", [CDN_SERVER], "cdn.example.org", 'domain: "cdn.example.org"',
              "--ns-address", *CDN_SERVER)
        yield


def findings(hints, zone, tests):
    """Zonemaster's lines of NOTICE and above."""
    command = ["zonemaster-cli", "--hints", hints, "--level", "INFO", "--show-testcase", "--no-progress"]
    for test in tests:
        command += ["--test", test]
    out = run(*command, zone, stdout=subprocess.PIPE, text=True, env={**os.environ, "LC_ALL": "C"}).stdout
    missing = [test for test in tests if test.upper() not in out and test not in QUIET_TESTS]
    if missing:
        sys.exit(f"zonemaster: nothing told of {', '.join(missing)}:\n{out}")
    found = [line for line in out.splitlines() if any(level in line.split()[:2] for level in LEVELS)]
    print(f"{zone}: {', '.join(tests)}: {len(out.splitlines())} lines", *found, sep="\n  ")
    return found


def main():
    if os.geteuid() != 0:
        sys.exit("zonemaster: needs root, for a network namespace and port 53")
    if shutil.which("zonemaster-cli") is None:
        run(ROOT / "scripts" / "install-dependencies", "zonemaster-cli", "bind9-dnsutils")
    if "--inside" not in sys.argv:
        os.execvp("unshare", ["unshare", "--net", sys.executable, __file__, "--inside"])
    run("ip", "link", "set", "lo", "up")
    for v4, v6 in [*ROOT_SERVERS, *ORG_SERVERS, CDN_SERVER]:
        run("ip", "address", "add", f"{v4}/32", "dev", "lo")
        run("ip", "address", "add", f"{v6}/128", "dev", "lo", "nodad")
    with tempfile.TemporaryDirectory(prefix="perigee-zonemaster-") as name:
        folder = pathlib.Path(name)
        (folder / "hints").write_text(HINTS)
        with world(folder):
            lines = findings(folder / "hints", "example.org", TESTS)
            lines += findings(folder / "hints", "cdn.example.org", LONE_TESTS)
    bad = [line for line in lines if line.split()[1] in BAD]
    print(f"zonemaster: {len(bad)} of {', '.join(BAD)}" + "".join(f"\n  {line}" for line in bad))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
