"""What goes into the packages is in step with the programs: man pages, completion, units."""

import shlex
import shutil
import subprocess
import sys

import pytest
from cdn import BIN, ROOT

PACKAGING = ROOT / "packaging"
sys.path[:0] = [str(PACKAGING), str(PACKAGING / "man")]
import program_help  # noqa: E402
import write  # noqa: E402

FLEET = """# replica { name: "commented-out" }
domain: "cdn.example.org"
replica { name: "dublin" ipv4: "192.0.2.10" }
replica {
  ipv4: "192.0.2.20"
  name: "tokyo"
}
zone { name: "example.org" }
"""
PROGRAMS = ("dnsserver", "httpserver", "prober", "cdnctl")
if not all((BIN / name).exists() for name in PROGRAMS):
    pytest.skip("not built", allow_module_level=True)
# By the words that are typed: ("cdnctl", "config", "check").
PAGES = {(name, *path): found for name in PROGRAMS for path, found in program_help.tree(BIN / name).items()}


@pytest.mark.parametrize("page", write.pages(), ids=lambda page: page.name)
def test_man_pages_say_what_help_says(page):
    assert page.read_text() == write.renewed(page, BIN / page.stem), "run: scripts/dev man"


def test_man_pages_name_every_flag_and_command():
    for (program, *path), found in PAGES.items():
        page = next(page for page in write.pages() if page.stem == program).read_text()
        for word in [*found.flags(), *found.subcommands()]:
            assert write.escape(word) in page, f"{program} {path}: {word}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where one would type: with the programs on the PATH and a fleet file."""
    path = tmp_path_factory.mktemp("completion")
    (path / "cdn.textproto").write_text(FLEET)
    (path / "other.textproto").write_text('replica { name: "sydney" ipv4: "192.0.2.30" }\n')
    (path / "perigee.bash").write_text(
        (PACKAGING / "completion/perigee.bash").read_text().replace("/etc/perigee/cdn.textproto", f"{path}/other.textproto"))
    (path / "elsewhere").mkdir()
    return path


def complete(folder, *words, where="."):
    """What bash offers for the last word; its COMP_WORDS has an = of --flag=value as a word of its own."""
    script = f"""
      PATH={shlex.quote(str(BIN))}:$PATH
      source {shlex.quote(str(folder / "perigee.bash"))}
      COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}
      _perigee && printf '%s\\n' "${{COMPREPLY[@]}}\""""
    done = subprocess.run(["bash", "-c", script], cwd=folder / where, capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("path", PAGES, ids=" ".join)
def test_completion_knows_every_flag_and_command(folder, path):
    offered = complete(folder, *path, "")
    assert set(PAGES[path].flags()) | set(PAGES[path].subcommands()) <= set(offered)


@pytest.mark.parametrize("words, offered", [
    (["httpserver", "--access-log-f"], ["--access-log-format"]),
    (["dnsserver", "--log-level", ""], ["debug", "info", "warning", "error", "off"]),
    (["dnsserver", "--log-level", "=", "w"], ["warning"]),
    (["dnsserver", "--log-level", "="], ["debug", "info", "warning", "error", "off"]),
    (["httpserver", "--eviction", "lfu-a"], ["lfu-aged", "lfu-admission"]),
    (["httpserver", "--user", "nobod"], ["nobody"]),
    (["cdnctl", "und"], ["undrain"]),
    (["cdnctl", "config", "ch"], ["check"]),
    (["cdnctl", "purge", "--dir"], ["--director"]),
    (["cdnctl", "drain", "d"], ["dublin"]),
    (["cdnctl", "stats", "--replica", ""], ["dublin", "tokyo"]),
    (["cdnctl", "--config", "other.textproto", "drain", "s"], ["sydney"]),
    (["cdnctl", "--config", "=", "other.textproto", "drain", "s"], ["sydney"]),
    (["cdnctl", "--config", "missing", "drain", "d"], []),
    (["cdnctl", "no-such", "--conf"], ["--config"]),
], ids=" ".join)
def test_completion_knows_values(folder, words, offered):
    assert complete(folder, *words) == offered


def test_completion_without_a_fleet_file_here_takes_the_hosts(folder):
    assert complete(folder, "cdnctl", "drain", "s", where="elsewhere") == ["sydney"]


def test_each_program_is_completed():
    script = f"source {PACKAGING}/completion/perigee.bash; complete -p {' '.join(PROGRAMS)}"
    assert subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout.count("_perigee ") == 4


SERVICES = sorted((PACKAGING / "systemd").glob("*.service"))


@pytest.mark.parametrize("unit", [*SERVICES, *(PACKAGING / "systemd").glob("*.socket")], ids=lambda unit: unit.name)
def test_units_are_right(tmp_path, unit):
    for each in (PACKAGING / "systemd").glob("*.*"):
        (tmp_path / each.name).write_text(each.read_text().replace("/usr/sbin/", f"{BIN}/"))
    for service in SERVICES:
        (tmp_path / f"{service.name}.d").mkdir()
        for rights in ("10-all.conf", f"10-{service.stem.removeprefix('perigee-')}.conf"):
            shutil.copy(PACKAGING / "systemd/hardening" / rights, tmp_path / f"{service.name}.d")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", tmp_path / unit.name],
                          capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_default_fleet_file_is_right():
    done = subprocess.run([BIN / "cdnctl", "--config", PACKAGING / "config/cdn.textproto", "config", "check"],
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


def test_control_scripts_are_shell():
    for script in (PACKAGING / "debian").glob("*/p*"):
        assert subprocess.run(["sh", "-n", script]).returncode == 0, script
