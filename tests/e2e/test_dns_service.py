"""dnsserver as a service: giving up root, sockets passed to it, what the service manager hears."""

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile

import dns_raw as dns
import pytest
from cdn import BIN, wait_until
from local_dns import CLIENT, DOMAIN, LocalDns, free_port

USER = pwd.getpwnam("nobody")
FLEET = """dns {
  metrics_listen: "METRICS" state_file: "state.sqlite" decision_log: "decisions.log"
  cookies { secret_file: "cookies" } }"""
STATE = 'dns { state_file: "state.sqlite" }'
MAX_NICENESS = 19
PORT_TRIES = 20
SECRET = "00112233445566778899aabbccddeeff\n"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def folder():
    """One that the user can reach and owns; pytest's are root's alone."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="perigee-service-"))
    os.chown(path, USER.pw_uid, USER.pw_gid)
    yield path
    shutil.rmtree(path)


def threads(pid):
    """Each thread's lines of status, by name."""
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        yield dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)


def assert_answers(server):
    assert server.ask(DOMAIN, dns.SOA).of(dns.SOA)
    with server.tcp() as tcp:
        assert tcp.ask(dns.query(DOMAIN, dns.SOA)).of(dns.SOA)


def reload_and_wait(server, word="reloaded"):
    seen = server.log().count(word)
    server.signal_reload()
    wait_until(word, lambda: server.log().count(word) > seen)


def as_user(folder, *flags, **how):
    return LocalDns(folder, FLEET, files={"cookies": SECRET}, flags=["--user", USER.pw_name, *flags], **how)


# Giving up root.


@needs_root
def test_every_thread_has_given_up_root(folder):
    with as_user(folder) as server:
        assert_answers(server)
        status = list(threads(server.process.pid))
        assert len(status) > 3, "UDP, TCP, control, metrics"
        for thread in status:
            assert thread["Uid"].split() == [str(USER.pw_uid)] * 4, thread
            assert thread["Gid"].split() == [str(USER.pw_gid)] * 4, thread
            assert thread["NoNewPrivs"] == "1", thread
            for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                assert int(thread[capabilities], 16) == 0, thread
        assert "0" not in status[0]["Groups"].split()


# Who waits for whom.


def of_each_thread(server, what):
    return [what(int(task.name)) for task in pathlib.Path(f"/proc/{server.process.pid}/task").iterdir()]


def niceness(thread):
    return os.getpriority(os.PRIO_PROCESS, thread)


@needs_root
def test_what_measures_waits_for_what_answers(folder):
    with as_user(folder, "--threads", "2") as server:
        assert_answers(server)
        front = os.getpriority(os.PRIO_PROCESS, 0)
        back = min(front + 10, MAX_NICENESS)
        # In front: the main thread, two for UDP, one for TCP.
        assert sorted(of_each_thread(server, niceness))[:5] == [front] * 4 + [back]


def in_realtime(server):
    with server:
        assert_answers(server)
        return of_each_thread(server, os.sched_getscheduler).count(os.SCHED_FIFO)


@needs_root
def test_udp_goes_first_unless_told_not_to(folder):
    assert in_realtime(LocalDns(folder, flags=["--threads", "2"])) == 2
    assert in_realtime(LocalDns(folder, flags=["--threads", "2", "--no-realtime"])) == 0


@needs_root
def test_udp_goes_first_as_another_user_when_its_limit_lets_it(folder):
    may = subprocess.run(["prlimit", "--rtprio=1:1", "true"], check=False, capture_output=True).returncode == 0
    server = as_user(folder, "--threads", "2")
    assert in_realtime(server) == (2 if may else 0)
    assert may or "LimitRTPRIO=1" in server.log()


@needs_root
def test_a_privileged_port_is_served_by_that_user(folder):
    server = as_user(folder)
    server.port, server.listen = 53, ["--listen", "127.53.53.53"]
    with server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(dns.TIMEOUT_S)
        s.sendto(dns.query(DOMAIN, dns.SOA), ("127.53.53.53", 53))
        assert dns.parse(s.recv(4096)).of(dns.SOA)


@needs_root
def test_a_metrics_port_that_only_root_may_open_is_named(folder):
    if int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) <= 999:
        pytest.skip("this machine lets everybody open it")
    server = LocalDns(folder, 'dns { metrics_listen: "127.0.0.1:999" }', flags=["--user", USER.pw_name])
    with pytest.raises(RuntimeError, match="cannot serve metrics on 127.0.0.1:999: .*from 1024 on"):
        server.start()


@needs_root
def test_reload_state_and_logs_work_for_that_user(folder):
    with as_user(folder, probers=True) as server:
        server.wait_known()
        (folder / "decisions.log").rename(folder / "decisions.log.1")
        server.write("cdn.textproto", server.fleet_text + '\nzone { name: "other.example" file: "other.zone" }\n')
        server.write("other.zone", "@ 60 SOA ns1 host 1 2 3 4 5\n@ 60 NS ns1\nns1 60 A 192.0.2.1\n")
        reload_and_wait(server)
        assert server.ask("other.example", dns.SOA).of(dns.SOA)
        server.ask(DOMAIN, dns.A)
        wait_until("the new decision log is written", server.decisions)
        assert server.end() == 0
        for name in ("state.sqlite", "decisions.log"):
            assert (folder / name).stat().st_uid == USER.pw_uid
        server.start()
        assert "measured-best" in server.cdnctl("explain", CLIENT).stdout, "known from the state file"


@needs_root
@pytest.mark.parametrize("name", ["cdn.textproto", "cookies"])
def test_what_that_user_cannot_read_is_named(folder, name):
    server = as_user(folder)
    (folder / name).chmod(0o600)
    with pytest.raises(RuntimeError, match=rf'{name}" can.t be read|can.t read ".*{name}"'):
        server.start()
    (folder / name).chmod(0o644)
    with server:
        (folder / name).chmod(0o600)
        reload_and_wait(server, "reload refused")
        assert name in server.log().splitlines()[-1]
        assert_answers(server)


@needs_root
def test_a_state_file_that_root_left_is_named(folder):
    with LocalDns(folder, STATE) as server:
        assert server.end() == 0
    with pytest.raises(RuntimeError, match='state file: can.t write ".*state.sqlite".*chown'):
        LocalDns(folder, STATE, flags=["--user", USER.pw_name]).start()


@needs_root
def test_a_folder_where_no_state_file_can_be_made_is_named(folder):
    os.chown(folder, 0, 0)
    folder.chmod(0o755)
    server = LocalDns(folder, STATE, flags=["--user", USER.pw_name])
    with pytest.raises(RuntimeError, match="its folder must exist and be writable"):
        server.start()


@pytest.mark.parametrize("flags, message", [
    (["--user", "no-such-user"], "--user: no user"),
    (["--user", "root"], "--user: root"),
    (["--group", "daemon"], "requires --user"),
])
def test_users_that_will_not_do(folder, flags, message):
    server = LocalDns(folder, flags=flags)
    with pytest.raises(RuntimeError, match=message):
        server.start()
    assert server.process.returncode == 2


# Sockets that are passed.


class Activated(LocalDns):
    """As systemd starts it: `sockets` from fd 3 on, and their number and the pid in the environment."""

    listen = []

    def __init__(self, folder, sockets, port, **how):
        super().__init__(folder, **how)
        self.port, self.pass_fds = port, [s.fileno() for s in sockets]

    def command(self):
        # By way of numbers that none of them has.
        spare = range(60, 60 + len(self.pass_fds))
        moves = [f"exec {to}<&{fd}" for fd, to in zip(self.pass_fds, spare)]
        moves += [f"exec {3 + i}<&{to} {to}<&-" for i, to in enumerate(spare)]
        script = "; ".join([*moves, f"export LISTEN_FDS={len(spare)} LISTEN_PID=$$", 'exec "$@"'])
        return ["bash", "-c", script, "activated", *super().command()]


def passed(kind, address, port, family=socket.AF_INET):
    """As systemd makes them: not blocking."""
    s = socket.socket(family, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind((address, port))
    if kind == socket.SOCK_STREAM:
        s.listen(16)
    s.setblocking(False)
    return s


def both(address, family=socket.AF_INET):
    for port in [free_port() for _ in range(PORT_TRIES)]:
        # A connection of somebody else's may have the port of the other protocol.
        with contextlib.suppress(OSError):
            return port, [passed(kind, address, port, family) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)]
    raise RuntimeError("no port is free for UDP and TCP")


def test_passed_sockets_are_served_and_survive(folder):
    port, sockets = both("127.0.0.1")
    server = Activated(folder, sockets, port)
    with server:
        assert_answers(server)
        assert server.end() == 0
    # What waits in the socket meanwhile is answered by the next process.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(dns.TIMEOUT_S)
        client.sendto(dns.query(DOMAIN, dns.SOA), ("127.0.0.1", port))
        with server:
            assert dns.parse(client.recv(4096)).of(dns.SOA)
            assert_answers(server)


def test_a_dual_stack_pair_serves_both_families(folder):
    port, sockets = both("::", socket.AF_INET6)
    with Activated(folder, sockets, port) as server:
        assert_answers(server)
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
            client.settimeout(dns.TIMEOUT_S)
            client.sendto(dns.query(DOMAIN, dns.SOA), ("::1", port))
            answer, source = client.recvfrom(4096)
            assert source[0] == "::1" and dns.parse(answer).of(dns.SOA)


def test_an_idle_passed_socket_costs_nothing(folder):
    port, sockets = both("127.0.0.1")
    with Activated(folder, sockets, port) as server:
        assert_answers(server)

        def ticks():
            return sum(map(int, pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().split()[13:15]))

        before = ticks()
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(2)
        assert ticks() - before < 50, "of 200 a core: it spins"


@needs_root
def test_passed_sockets_go_with_another_user(folder):
    port, sockets = both("127.0.0.1")
    with Activated(folder, sockets, port, flags=["--user", USER.pw_name]) as server:
        assert_answers(server)
        assert all(thread["Uid"].split()[0] == str(USER.pw_uid) for thread in threads(server.process.pid))


def test_a_passed_socket_of_a_wrong_kind_is_named(folder):
    left, _right = socket.socketpair()
    with pytest.raises(RuntimeError, match=r"the passed socket \(fd 3.*is a unix socket"):
        Activated(folder, [left], 5353).start()


def test_a_passed_socket_that_nothing_asks_for_is_named(folder):
    port, sockets = both("127.0.0.1")
    with pytest.raises(RuntimeError, match=rf"UDP 127\.0\.0\.1:{port} \(fd 3.*-p and --listen"):
        Activated(folder, sockets, port, flags=["--listen", "127.0.0.2"]).start()


# What the service manager hears.


@pytest.fixture
def manager(folder, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.settimeout(10)
        s.bind(str(folder / "notify"))
        (folder / "notify").chmod(0o777)
        monkeypatch.setenv("NOTIFY_SOCKET", str(folder / "notify"))
        yield s


def hear(manager):
    return dict(line.split("=", 1) for line in manager.recv(4096).decode().splitlines())


@needs_root
def test_the_manager_hears_of_ready_reload_and_stop(folder, manager):
    with as_user(folder) as server:
        assert hear(manager)["READY"] == "1"
        assert_answers(server)
        server.signal_reload()
        reloading = hear(manager)
        assert reloading["RELOADING"] == "1" and int(reloading["MONOTONIC_USEC"]) > 0
        assert hear(manager)["READY"] == "1"
        server.write("cdn.textproto", "nonsense")
        server.signal_reload()
        assert hear(manager)["RELOADING"] == "1"
        refused = hear(manager)
        assert refused["READY"] == "1" and "cdn.textproto:1" in refused["STATUS"]
        server.process.send_signal(signal.SIGTERM)
        assert hear(manager)["STOPPING"] == "1"
        assert server.process.wait(10) == 0


def test_the_watchdog_hears_that_it_is_alive(folder, manager, monkeypatch):
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    with LocalDns(folder):
        assert hear(manager)["READY"] == "1"
        for _ in range(3):
            assert hear(manager) == {"WATCHDOG": "1"}


@needs_root
def test_httpserver_does_the_same(folder, manager):
    process = subprocess.Popen([BIN / "httpserver", "-p", str(free_port()), "--listen", "127.0.0.1", "-o",
                                "http://127.0.0.1:1", "--control", "127.0.0.1:0", "--cache", folder / "cache.sqlite",
                                "--user", USER.pw_name])
    try:
        assert hear(manager)["READY"] == "1"
        for thread in threads(process.pid):
            assert thread["Uid"].split() == [str(USER.pw_uid)] * 4 and thread["NoNewPrivs"] == "1", thread
            assert int(thread["CapPrm"], 16) == 0, thread
        assert (folder / "cache.sqlite").stat().st_uid == USER.pw_uid
        process.terminate()
        assert hear(manager)["STOPPING"] == "1"
        assert process.wait(15) == 0
    finally:
        process.kill()
