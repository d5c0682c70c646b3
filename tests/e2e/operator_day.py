"""The operator of a CDN on rented machines: a fleet in the emulated world, the operator's folder, and the three commands."""

import concurrent.futures
import os
import re
import shlex
import signal
import subprocess

from cdn import ROOT
from commands import blocks, compare, replace
from machine import Machine, make_ssh_key

DOMAIN = "cdn.operator.test"
DIRECTOR = "client-new-york"
ORIGIN = "client-dallas"
OPERATOR = "client-montreal"
CLIENT = "client-paris"
COMMAND_TIMEOUT_S = 300
# They print the three commands, or some of them, each the same.
PAGES = ("README.md", "docs/deploying.md", "docs/ec2.md", "docs/security.md")


def printed(program):
    """The line by which the pages start it, `--dry-run` aside."""
    lines = [re.sub(" +", " ", line) for page in PAGES for block in blocks(page)
             for line in re.findall(rf"^(?:\$ )?(\./{program} .*)$", block, re.M) if "--dry-run" not in line]
    assert len(lines) > 1 and len(set(lines)) == 1, lines
    return lines[0]


class Operator:
    """`replicas`: hosts of the world by the replicas' names; `systemd`: the hosts that have it; `user`: who logs in. The
    commands run in the host OPERATOR."""

    def __init__(self, world, folder, replicas, systemd=(), user="root"):
        self.world, self.folder, self.replicas, self.user = world, folder, replicas, user
        make_ssh_key(folder / "login")
        names = [DIRECTOR, *replicas.values()]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            booted = pool.map(lambda n: Machine(world, n, folder / n, folder / "login.pub", n in systemd), names)
            self.machines = dict(zip(names, booted))
        (folder / "known_hosts").write_text("".join(m.known_host for m in self.machines.values()))
        (folder / "site").mkdir()
        (folder / "site" / "index.html").write_text("the operator's site\n")
        self.origin = subprocess.Popen(
            world.command(ORIGIN, "python3", "-m", "http.server", "80", "--directory", folder / "site"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        self.describe()

    def describe(self, extra=""):
        """Writes the fleet file."""
        lines = [f'replica {{ name: "{name}" ipv4: "{self.machines[host].address}" }}' for name, host in self.replicas.items()]
        lines.append('probe_policy { allow_special: "198.18.0.0/15" }')
        lines.append('dns { state_file: "map.sqlite" }  # survives')
        (self.folder / "cdn.textproto").write_text("\n".join([*lines, extra]) + "\n")

    def replica(self, name):
        return self.machines[self.replicas[name]]

    def here(self):
        """Ours, for what the pages print."""
        known = self.folder / "known_hosts"
        first, second, *_ = (self.machines[host].address for host in self.replicas.values())
        return {
            "192.0.2.10": first, "192.0.2.20": second,
            "http://origin.example.org": f"http://{self.world.hosts[ORIGIN].ipv4}", "cdn.example.org": DOMAIN,
            "192.0.2.1": self.machines[DIRECTOR].address, "198.51.100.7": self.world.hosts[CLIENT].ipv4,
            "./": f"{ROOT}/", "-u admin -i key.pem": f"-u {self.user} -i login --known-hosts {known}",
            "ssh -i key.pem admin@": f"ssh -i login -o UserKnownHostsFile={known} {self.user}@",
        }

    def as_here(self, text):
        return replace(text, self.here())

    def command(self, program, *flags):
        return self.world.command(OPERATOR, *shlex.split(self.as_here(printed(program))), *flags)

    def do(self, program, *flags, expect=0):
        done = subprocess.run(self.command(program, *flags), cwd=self.folder, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S)
        assert done.returncode == expect, f"{program} {flags}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def follow(self, command, shown):
        """Runs the command of a page; it prints what the page shows. What it printed."""
        done = self.world.run(OPERATOR, *shlex.split(self.as_here(command)), cwd=self.folder, timeout=COMMAND_TIMEOUT_S)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        compare(map(self.as_here, shown), done.stdout)
        return done.stdout

    def interrupt(self, program, *flags, when):
        """Ctrl-C as soon as the command says `when`; what it has said then, and its exit status."""
        # In the background of a shell that is no terminal's, whoever runs us has it ignored.
        heeding = ["env", "--default-signal=INT"]
        process = subprocess.Popen([*heeding, *self.command(program, *flags)], cwd=self.folder, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True, start_new_session=True)
        said = ""
        while when not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        os.killpg(process.pid, signal.SIGINT)
        said += process.communicate(timeout=COMMAND_TIMEOUT_S)[0]
        return said, process.returncode

    def dig(self, client=CLIENT):
        out = self.world.run(client, "dig", f"@{self.machines[DIRECTOR].address}", DOMAIN, "+short", "+tries=1")
        return out.stdout.split()

    def releases(self):
        return {n: m.run("readlink /opt/perigee/current").strip() for n, m in self.machines.items()}

    def end(self):
        for machine in self.machines.values():
            machine.stop()
        self.origin.terminate()
        self.origin.wait()
