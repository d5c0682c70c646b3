"""Runs Python inside an emulated host: `python_in(cdn, host, function, …)` calls the function there.

A namespace belongs to a process, so the function runs in a forked child that has entered the host; what it
returns comes back as JSON.
"""

import ctypes
import json
import os
import traceback

CLONE_NEWNET = 0x40000000


def python_in(host, function, *arguments):
    read_fd, write_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            with open(f"/run/netns/pg-{host}") as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"setns pg-{host}")
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
        raise RuntimeError(f"in {host}: {answer['error']}")
    return answer["ok"]
