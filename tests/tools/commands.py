"""Commands that tests run, and those that pages of documentation print."""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TIMEOUT_S = 300


def run(*command, check=True, timeout=TIMEOUT_S, **how):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=timeout, **how)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def blocks(page):
    """What the page shows between ``` and ```."""
    return re.findall(r"^```\n(.*?)^```$", (ROOT / page).read_text(), re.M | re.S)


def examples(page, begins=r""):
    """Each command of the page, behind a `$`, with the lines that it prints there; `begins`: only those."""
    for block in blocks(page):
        for example in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, printed = re.fullmatch(r"((?:[^\n]*\\\n)*[^\n]*)\n(.*)", example, re.S).groups()
            if re.match(begins, command):
                yield pytest.param(command, [line for line in printed.splitlines() if line != "…"], id=command)


def spans(page):
    """What the page's text shows as code, between ` and `, each once."""
    text = re.sub(r"^```\n.*?^```$", "", (ROOT / page).read_text(), flags=re.M | re.S)
    return list(dict.fromkeys(" ".join(span.split()) for span in re.findall(r"`([^`]+)`", text)))


def replace(text, here):
    """With what `here` puts in place of a page's words; in its order."""
    for printed, ours in here.items():
        text = text.replace(printed, ours)
    return text


def shell(command, **how):
    """A line of bash, with tests/tools first on the PATH."""
    path = f"{ROOT / 'tests/tools'}:{os.environ['PATH']}"
    return run("bash", "-c", command, env={**os.environ, "PATH": path}, **how)


def check(command, printed, here={}, **how):
    """Runs the command of a page; the lines of what it says."""
    said = shell(replace(command, here), **how).stdout
    compare(printed, said)
    return said.splitlines()


def compare(printed, said):
    """Each line that a page prints is among what was said; … is anything."""
    lines = [line.strip() for line in said.splitlines()]
    for line in printed:
        pattern = ".*".join(map(re.escape, line.strip().split("…")))
        assert any(re.fullmatch(pattern, each) for each in lines), f"{line!r} is not among {lines}"
