#!/usr/bin/env python3
"""Puts httpserver to http-cache-tests and compares each test's result with what is expected. See README.md."""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).parent
HTTPSERVER = ROOT / "build" / "release" / "bin" / "httpserver"
EXPECTED = HERE / "http_cache.expected"
SUITE = "http-cache-tests@0.4.5"
SUITE_SHA512 = ("0e3bb037d9d46572d35bec1abf52d1112099355c65f12b21c0ecb8cf5a71b966"
                "d6b79fdacbab0cf5043595e6c16833ba3f520c0682ba99d7fe3ee54ffd034bf0")
START_TIMEOUT_S = 20
INSTALL_TIMEOUT_S = 120
RUN_TIMEOUT_S = 280
NOT_INSTALLED = 77  # the exit status: the suite could not be fetched
PASSED = ("pass", "yes")


def npm(folder, *command):
    """npm's output; from its own cache when that has everything."""
    try:
        done = subprocess.run(["npm", *command, "--ignore-scripts", "--prefer-offline", "--no-update-notifier"], cwd=folder,
                              text=True, capture_output=True, timeout=INSTALL_TIMEOUT_S)
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        not_installed(str(error))
    if done.returncode != 0:
        not_installed(done.stderr)
    return done.stdout


def not_installed(why):
    print(f"http-cache: npm could not fetch the suite (scripts/install-dependencies brings npm; the registry must be "
          f"reachable once):\n{why}", file=sys.stderr)
    sys.exit(NOT_INSTALLED)


def install(folder):
    """The pinned suite without what its web pages depend on, and the one package that its client needs."""
    for name in ("package.json", "package-lock.json", "run.mjs"):
        shutil.copy(HERE / "http_cache" / name, folder)
    npm(folder, "ci", "--no-audit", "--no-fund")
    archive = folder / npm(folder, "pack", SUITE).split()[-1]
    if hashlib.sha512(archive.read_bytes()).hexdigest() != SUITE_SHA512:
        sys.exit(f"http-cache: {SUITE} is not the package that it was: check it, and SUITE_SHA512")
    with tarfile.open(archive) as files:
        files.extractall(folder / "node_modules" / "http-cache-tests")
    return folder / "node_modules" / "http-cache-tests" / "package"


@contextlib.contextmanager
def running(command, **how):
    process = subprocess.Popen([str(word) for word in command], **how)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(15)


@contextlib.contextmanager
def origin(suite, folder):
    """The suite's own server; yields its port."""
    env = {**os.environ, "npm_config_protocol": "http", "npm_config_port": "0", "npm_config_pidfile": str(folder / "pid")}
    with open(folder / "origin", "ab") as log, running(["node", suite / "server" / "server.mjs"], env=env, stdout=log):
        yield wait_for("the suite's server", folder / "origin", lambda said: re.search(r"://\S*:(\d+)/", said))


def wait_for(who, log, found):
    """The first group of what is found in a log, once it is there."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while not (match := found(log.read_text())):
        if time.monotonic() > deadline:
            sys.exit(f"http-cache: {who} does not start:\n{log.read_text()}")
        time.sleep(0.05)
    return match[1]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def httpserver(program, folder, origin_port, flags):
    """One httpserver with a cache of its own; yields its URL once it answers."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    command = [program, "-p", port, "-o", f"127.0.0.1:{origin_port}", "--listen", "127.0.0.1", "--control", "127.0.0.1:0",
               "--cache", folder / "cache.sqlite", *flags]
    with open(folder / "log", "ab") as log, running(command, stdout=log, stderr=log) as process:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not answers(base):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit("http-cache: httpserver does not answer:\n" + (folder / "log").read_text())
            time.sleep(0.1)
        yield base


def answers(base):
    try:
        with urllib.request.urlopen(f"{base}/README.md", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def run_suite(folder, suite, base, ids):
    env = {**os.environ, "PERIGEE_SUITE": str(suite), "PERIGEE_BASE": base}
    done = subprocess.run(["node", "--no-warnings", folder / "run.mjs", *ids], env=env, text=True, timeout=RUN_TIMEOUT_S,
                          stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def verdict(results, test):
    """The suite's own judgement: what depends on a test that failed tells nothing."""
    entry = results[test]
    if any(verdict(results, other) not in PASSED for other in entry["depends_on"]):
        return "dependency"
    if entry["result"] is True:
        return "yes" if entry["kind"] == "check" else "pass"
    # A fetch behind an answer is a "retry" to the suite when it comes before the test's next request: a matter of luck.
    if entry["result"][0] == "Setup" and entry["result"][1] != "retry":
        return "setup"
    return "no" if entry["kind"] == "check" else "fail"


def verdicts(results):
    return {test: (entry["kind"], verdict(results, test)) for test, entry in results.items()}


def read_expected():
    lines = [line.split() for line in EXPECTED.read_text().splitlines() if line and not line.startswith("#")]
    return {test: (kind, result) for kind, result, test in lines}


def write_expected(found):
    head = "# Written by scripts/dev http-cache --write: kind, result, test. docs/http-caching.md tells why what fails does.\n"
    lines = sorted(f"{kind:8} {result:10} {test}\n" for test, (kind, result) in found.items())
    EXPECTED.write_text(head + "".join(lines))


def score(found):
    for kind in ("required", "optimal", "check"):
        of_kind = [result for other, result in found.values() if other == kind]
        print(f"http-cache: {kind}: {sum(result in PASSED for result in of_kind)} of {len(of_kind)}")


def differing(found, expected):
    return sorted(test for test in found.keys() | expected.keys() if found.get(test) != expected.get(test))


def tell(test, found, expected, results):
    result = results.get(test, {}).get("result")
    why = f": {result[1]}" if isinstance(result, list) else ""
    was, now = (" ".join(side.get(test, ("absent",))) for side in (expected, found))
    print(f"  {test}: expected {was}, found {now}{why}")


def main():
    options = argparse.ArgumentParser(prog="http-cache")
    options.add_argument("--write", action="store_true", help="make what is found the expectation")
    options.add_argument("--program", default=HTTPSERVER, help="another httpserver [build/release/bin/httpserver]")
    options.add_argument("--show", action="store_true", help="print every test that does not pass")
    options.add_argument("--flag", action="append", default=[], help="a further flag of httpserver, such as --flag=--threads=1")
    options.add_argument("test", nargs="*", help="run these tests alone, compare nothing, print what they say")
    asked = options.parse_args()
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="perigee-http-cache-")))
        suite = install(folder)
        origin_port = stack.enter_context(origin(suite, folder))
        base = stack.enter_context(httpserver(asked.program, folder, origin_port, asked.flag))
        results = run_suite(folder, suite, base, asked.test)
        if asked.test:
            print(json.dumps(results, indent=2))
            return
        expected = {} if asked.write else read_expected()
        # Many tests count seconds: on a machine that was busy with something else, they get a second chance.
        again = [] if asked.write else differing(verdicts(results), expected)
        again = [test for test in again if test in results]
        if again:
            results.update(run_suite(folder, suite, base, again))
    found = verdicts(results)
    score(found)
    if asked.show:
        for test in sorted(found):
            if found[test][1] not in PASSED:
                tell(test, found, {}, results)
    if asked.write:
        write_expected(found)
        return
    wrong = differing(found, expected)
    print(f"http-cache: {len(wrong)} tests of {len(found)} differ from {EXPECTED.relative_to(ROOT)}")
    for test in wrong:
        tell(test, found, expected, results)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
