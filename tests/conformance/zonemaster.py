#!/usr/bin/env python3
"""Puts a zone that dnsserver serves to Zonemaster's tests, within a network namespace of its own. See README.md."""

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
PARENTS = ["198.18.0.1", "198.19.0.1"]
SERVERS = ["198.18.1.1", "198.19.1.1"]
TESTS = ["basic", "syntax", "nameserver", "consistency", "delegation", "zone"]
BAD = ("ERROR", "CRITICAL")
START_TIMEOUT_S = 20

HINTS = "".join(f". 3600 NS {name}.root.test.\n{name}.root.test. 3600 A {a}\n" for name, a in zip("ab", PARENTS))
ROOT_ZONE = f"""$ORIGIN .
$TTL 86400
. SOA a.root.test. hostmaster.root.test. 1 14400 3600 1209600 3600
{HINTS}
example.org. NS ns1.example.org.
example.org. NS ns2.example.org.
ns1.example.org. A {SERVERS[0]}
ns2.example.org. A {SERVERS[1]}
"""
ZONE = f"""$ORIGIN example.org.
$TTL 86400
@ SOA ns1 hostmaster 1 14400 3600 1209600 3600
@ NS ns1
@ NS ns2
@ MX 10 mail
@ TXT "v=spf1 mx -all"
ns1 A {SERVERS[0]}
ns2 A {SERVERS[1]}
mail A 198.18.1.25
"""


def run(*command, **how):
    return subprocess.run([str(word) for word in command], check=True, **how)


@contextlib.contextmanager
def dnsserver(folder, addresses, zone, text, control):
    """One dnsserver with one zone file, once it answers."""
    folder.mkdir()
    (folder / "zone").write_text(text)
    (folder / "cdn.textproto").write_text(f"""
        domain: "cdn.example.org"
        replica {{ name: "one" ipv4: "198.18.9.1" }}
        zone {{ name: "{zone}" file: "zone" }}""")
    process = subprocess.Popen(
        [DNSSERVER, "-p", "53", "--listen", *addresses, "--control", f"127.0.0.1:{control}"], cwd=folder)
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        asked = ["dig", f"@{addresses[-1]}", zone, "SOA", "+short", "+tries=1", "+time=1"]
        while not subprocess.run(asked, capture_output=True).stdout.strip().endswith(b" 3600"):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"zonemaster: dnsserver does not answer for {zone}")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(10)


def findings(folder, zone):
    """Zonemaster's lines of NOTICE and above."""
    (folder / "hints").write_text(HINTS)
    command = ["zonemaster-cli", "--no-ipv6", "--hints", folder / "hints", "--level", "NOTICE", "--show-testcase",
               "--progress" if sys.stderr.isatty() else "--no-progress"]
    for test in TESTS:
        command += ["--test", test]
    out = run(*command, zone, stdout=subprocess.PIPE, text=True, env={**os.environ, "LC_ALL": "C"}).stdout
    print(out)
    return out.splitlines()


def main():
    if os.geteuid() != 0:
        sys.exit("zonemaster: needs root, for a network namespace and port 53")
    if shutil.which("zonemaster-cli") is None:
        run(ROOT / "scripts" / "install-dependencies", "zonemaster-cli", "bind9-dnsutils")
    if "--inside" not in sys.argv:
        os.execvp("unshare", ["unshare", "--net", sys.executable, __file__, "--inside"])
    run("ip", "link", "set", "lo", "up")
    for address in PARENTS + SERVERS:
        run("ip", "address", "add", f"{address}/32", "dev", "lo")
    with tempfile.TemporaryDirectory(prefix="perigee-zonemaster-") as name:
        folder = pathlib.Path(name)
        with dnsserver(folder / "parent", PARENTS, ".", ROOT_ZONE, 4303), \
                dnsserver(folder / "child", SERVERS, "example.org", ZONE, 4304):
            lines = findings(folder, "example.org")
    bad = [line for line in lines if any(word in line.split() for word in BAD)]
    print(f"zonemaster: {len(bad)} of {', '.join(BAD)}" + "".join(f"\n  {line}" for line in bad))
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
