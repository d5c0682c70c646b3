"""Runs Python inside an emulated host: `python_in(host, function, …)` calls the function there; or in a network of its
own, without any: `python_in_own_network(addresses, function, …)`.

A namespace belongs to a process, so the function runs in a forked child that has entered it; what it returns comes back as
JSON.
"""

import ctypes
import json
import os
import subprocess
import traceback

CLONE_NEWNET = 0x40000000


def _call(number, *arguments):
    if number(*arguments) != 0:
        raise OSError(ctypes.get_errno(), number.__name__)


def python_in(host, function, *arguments):
    def enter():
        with open(f"/run/netns/pg-{host}") as namespace:
            _call(ctypes.CDLL(None, use_errno=True).setns, namespace.fileno(), CLONE_NEWNET)

    return _in_child(enter, f"in {host}", function, arguments)


def python_in_own_network(addresses, function, *arguments):
    """`addresses` are its host's own, beside loopback."""

    def enter():
        _call(ctypes.CDLL(None, use_errno=True).unshare, CLONE_NEWNET)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for address in addresses:
            subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)

    return _in_child(enter, "in a network of its own", function, arguments)


def _in_child(enter, where, function, arguments):
    read_fd, write_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            enter()
            answer = {"ok": function(*arguments)}
        except BaseException:  # the parent must hear of everything
            answer = {"error": traceback.format_exc()}
        with os.fdopen(write_fd, "w") as out:
            json.dump(answer, out)
        os._exit(0)
    os.close(write_fd)
    with os.fdopen(read_fd) as answers:
        text = answers.read()
    os.waitpid(pid, 0)
    answer = json.loads(text)
    if "error" in answer:
        raise RuntimeError(f"{where}: {answer['error']}")
    return answer["ok"]
