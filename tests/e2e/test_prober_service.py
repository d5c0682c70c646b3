"""prober as a service: it ends when it is told to, whatever rights it has."""

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

import pytest
from cdn import BIN, wait_until
from local_dns import free_port

USER = pwd.getpwnam("daemon")  # another than scamper's, which is nobody
CAPABILITIES = "net_raw", "sys_chroot", "setuid", "setgid"  # and not kill
END_TIMEOUT_S = 10

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def scampers(folder):
    """The processes that were told to listen in the folder."""
    for entry in pathlib.Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdecimal() and f"{folder}/".encode() in (entry / "cmdline").read_bytes():
                yield int(entry.name)


@contextlib.contextmanager
def started(folder, *through):
    """A prober whose scamper listens; `through`: the command that runs it. The folder goes with it."""
    with open(folder / "log", "w") as log:
        prober = subprocess.Popen([*through, BIN / "prober", "--listen", f"127.0.0.1:{free_port()}"],
                                  env={**os.environ, "RUNTIME_DIRECTORY": str(folder)}, stderr=log)
    try:
        wait_until("scamper listens", lambda: list(folder.glob("*/scamper")))
        yield prober
    finally:
        prober.kill()
        for pid in scampers(folder):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(folder)


@needs_root
def test_it_ends_though_it_may_not_end_scamper():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="perigee-prober-test-"))
    os.chown(folder, USER.pw_uid, USER.pw_gid)
    granted = "-all," + ",".join(f"+{name}" for name in CAPABILITIES)
    powers = ["setpriv", f"--reuid={USER.pw_uid}", f"--regid={USER.pw_gid}", "--clear-groups", f"--inh-caps={granted}",
              f"--ambient-caps={granted}"]
    with started(folder, *powers) as prober:
        prober.send_signal(signal.SIGTERM)
        assert prober.wait(END_TIMEOUT_S) == 0
        assert "CAP_KILL" in (folder / "log").read_text()
        assert list(scampers(folder))


@needs_root
def test_who_ends_it_by_name_leaves_no_scamper_behind():
    """pkill -f reaches the watchdog too, which has the prober's command line, and may reach it first."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="perigee-prober-test-"))
    with started(folder) as prober:
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(prober.pid)], check=True, capture_output=True, text=True)
        (watchdog,) = map(int, children.stdout.split())
        os.kill(watchdog, signal.SIGTERM)
        prober.send_signal(signal.SIGTERM)
        assert prober.wait(END_TIMEOUT_S) == 0
        wait_until("scamper has ended", lambda: not list(scampers(folder)))
