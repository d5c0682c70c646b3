#!/usr/bin/python3
"""Follows the README on a bare Debian: a root of its own by debootstrap, the last commit, and what the README prints, in its order.

Needs root, a Debian mirror, and half an hour for compiling and testing; --prebuilt takes build/release along, so that only what has
changed since is compiled. What the README says to do by hand on several hosts is followed by tests/e2e/test_readme.py and
test_deploy.py, which are part of its ./scripts/test; --quick runs these two in place of all.
"""

import argparse
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/tools"))
from commands import blocks, run  # noqa: E402

CACHE = ROOT / "build/readme-test"
BASE, MACHINE = CACHE / "bookworm", CACHE / "machine"
COMMAND_TIMEOUT_S = 3600
# In the machine's own mount and process namespaces, which end with the command.
ENTER = """
mount --make-rprivate /
mount --bind "$0" "$0"
mount -t proc proc "$0/proc"
mount --rbind /dev "$0/dev"
mount --rbind /sys "$0/sys"
mount -t tmpfs tmpfs "$0/run"
cd "$0"
pivot_root . mnt
umount -l /mnt
cd "$PROJECT"
exec bash -ec "$1"
"""
QUICK = "./scripts/install-dependencies && /usr/bin/python3 -m pytest -q -p no:cacheprovider tests/e2e/test_readme.py tests/e2e/test_deploy.py"
# The table's columns that are the same each time, and those that are milliseconds of this run.
TIMES = slice(6, 10)


def make_machine():
    """Debian as debootstrap leaves it, and the project's last commit."""
    if not BASE.exists():
        new = CACHE / "bookworm.new"
        run("rm", "-rf", new)
        new.mkdir(parents=True)
        run("debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", new)
        new.rename(BASE)
    run("rm", "-rf", "--one-file-system", MACHINE)
    run("cp", "-a", BASE, MACHINE)
    run("cp", "-L", "/etc/resolv.conf", MACHINE / "etc/resolv.conf")
    (MACHINE / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {platform.node()}\n")
    run("git", "clone", "-q", "--no-hardlinks", ROOT, f"{MACHINE}{ROOT}")


def renew_machine():
    """The one that is there, with the last commit."""
    run("git", "-C", f"{MACHINE}{ROOT}", "pull", "-q", "--ff-only", ROOT, "HEAD")


def take_build():
    """With the times of the files from which it was made, as far as they are still the same: ninja compiles the others."""
    project = pathlib.Path(f"{MACHINE}{ROOT}")
    run("mkdir", "-p", project / "build")
    run("cp", "-a", ROOT / "build/release", project / "build")
    for name in run("git", "ls-files", cwd=project).stdout.splitlines():
        here, there = ROOT / name, project / name
        if here.is_file() and here.read_bytes() == there.read_bytes():
            shutil.copystat(here, there)


def inside(command, answers=""):
    """Runs a line of bash there, in the project's folder; shows it, and returns what it prints."""
    print(f"\n\033[1m$ {command}\033[0m", flush=True)
    began = time.monotonic()
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "TERM": "dumb", "PROJECT": str(ROOT)}
    environment |= {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    process = subprocess.Popen(
        ["timeout", "--signal=KILL", str(COMMAND_TIMEOUT_S), "unshare", "--mount", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "bash", "-ec",
         ENTER, MACHINE, command],
        env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write(answers)
    process.stdin.close()
    said = []
    for line in process.stdout:
        print(line, end="", flush=True)
        said.append(line.rstrip("\n"))
    status = process.wait()
    print(f"  {time.monotonic() - began:.0f} s, exit status {status}", flush=True)
    if status != 0:
        raise SystemExit(f"the README does not work as printed: {command}")
    return said


def stable(line):
    """A row of the table without what is different each time."""
    cells = re.split(r" +", line.strip())
    del cells[TIMES]
    return cells


def compare_table(printed, said):
    rows = [stable(line) for line in said]
    for line in printed:
        if line == "…":
            continue
        if "clients at their nearest" in line:
            # Between two that are as near one probe may decide otherwise; the demo has said whether all is right.
            counted = line.partition(" of ")[2].partition(" (")[0]
            assert any(f" of {counted}" in each for each in said), line
        else:
            assert stable(line) in rows, line


def main():
    parser = argparse.ArgumentParser(prog="scripts/dev readme", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prebuilt", action="store_true", help="with what is in build/release")
    parser.add_argument("--again", action="store_true", help="on the machine that a run left which failed")
    parser.add_argument("--quick", action="store_true", help="of ./scripts/test only what follows the README")
    options = parser.parse_args()
    began = time.monotonic()
    renew_machine() if options.again and MACHINE.exists() else make_machine()
    if options.prebuilt:
        take_build()
    demo, both, *_ = blocks("README.md")
    command, *table = demo.removeprefix("$ ").splitlines()
    compare_table(table, inside(command))
    for command in both.splitlines()[1:]:
        inside(QUICK if options.quick else command)
    [packages] = [block for block in blocks("README.md") if "cpack" in block]
    inside("; ".join(re.split(r" {3,}", line)[0] for line in packages.splitlines()), answers="y\n")
    inside("cd /etc/perigee; cdnctl config check; httpserver --version; prober --version")
    run("rm", "-rf", "--one-file-system", MACHINE)
    print(f"\nThe README works as printed, after {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
