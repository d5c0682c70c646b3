"""The Debian packages made, installed, removed and purged in an overlay of this machine's root: in seconds, and without systemd
and a mirror. test_lifecycle.py has them at work on a clean machine. Needs root."""

import os
import shutil

import pytest
from commands import ROOT, run

BUILD = ROOT / "build/release"
PROGRAMS = ("cdnctl", "dnsserver", "httpserver", "prober")
# $1: a folder of ours; $2: what to do in the copy.
IN_COPY = """
mount --make-rprivate /
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount -t proc proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs tmpfs "$1/root/tmp"
cp "$2"/*.deb "$1/root/tmp"
exec chroot "$1/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 sh -ec "$3"
"""
LIFE = f"""
exec 3>&1 >&2
cd /
ours() {{ find /etc /usr /var -xdev -name '*perigee*'; }}
before=$(ours)
dpkg -i /tmp/*.deb
id perigee >&3
for program in {' '.join(PROGRAMS)}; do $program --version >&3; done
cdnctl config check >&3
systemd-analyze verify --man=no --recursive-errors=no /lib/systemd/system/perigee-*.service /lib/systemd/system/perigee-*.socket
echo "started: $(find /etc/systemd -path '*.wants/perigee-*' -not -name 'perigee-deployed-*')" >&3
bash -c '. /usr/share/bash-completion/completions/cdnctl'
dpkg -r perigee-director perigee-replica perigee-tools
test ! -e /usr/sbin/dnsserver
test -s /etc/perigee/cdn.textproto
dpkg -P perigee-director perigee-replica perigee-tools
echo "left: $(ours | grep -vxF "$before")" >&3
"""


def _unable():
    if os.geteuid() != 0:
        return "needs root, for an overlay"
    if not (BUILD / "CPackConfig.cmake").exists():
        return "not built: scripts/dev build release"
    missing = [package for tool, package in (("dpkg-shlibdeps", "dpkg-dev"), ("file", "file")) if not shutil.which(tool)]
    return f"needs {', '.join(missing)}" if missing else None


@pytest.fixture(scope="module")
def debs(tmp_path_factory):
    if reason := _unable():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    folder = tmp_path_factory.mktemp("debs")
    run("cmake", "--build", BUILD, "--target", "programs", "packaging")
    run("cpack", "-D", f"CPACK_PACKAGE_DIRECTORY={folder}", cwd=BUILD)
    return folder


def test_they_come_and_go(debs, tmp_path):
    done = run("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", IN_COPY, "sh", tmp_path, debs, LIFE)
    user, *versions, checked, started, left = done.stdout.splitlines()
    assert "(perigee)" in user and len(versions) == len(PROGRAMS)
    assert (started, left) == ("started: ", "left: "), done.stdout
