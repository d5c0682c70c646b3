"""deployCDN, runCDN and stopCDN: the command lines. Python 3.9 or newer, its standard library, and the system's ssh."""

import argparse
import pathlib
import sys
import textwrap

import deploy
import fleet
import run
import stop
from runtime import RuntimeMissing
from ssh import Ssh

PROJECT = pathlib.Path(__file__).resolve().parents[2]

_WIDTH = 100
_ABOUT = {
    "deploy": "Copies the programs, their configuration and their keys to every host. What runs there goes on running; "
              "runCDN changes over to it. Repeating it is safe, and copies only what is not there.",
    "run": "Starts what is deployed, or changes over to it, one replica after the other, failing no request; then tests "
           "every replica with dig and wget.",
    "stop": "Ends what runCDN has started, gracefully, and nothing else.",
}
_EXAMPLES = """
The hosts are those of ./cdn.textproto (see cdn.example.textproto) or of --hosts. Each needs sshd, and root or sudo without
a password; Debian, Ubuntu or Amazon Linux on this machine's type of processor. Exit status: 0, 1 when it failed on a
host, 2 when something is wrong here. The three commands take the same flags:

  ./deployCDN -p 80 -o http://origin.example.org -n cdn.example.org -u admin -i key.pem --director 192.0.2.1
  ./runCDN    -p 80 -o http://origin.example.org -n cdn.example.org -u admin -i key.pem --director 192.0.2.1
  ./stopCDN   -p 80 -o http://origin.example.org -n cdn.example.org -u admin -i key.pem --director 192.0.2.1
"""


def _parser(command):
    parser = argparse.ArgumentParser(f"{command}CDN", description=textwrap.fill(_ABOUT[command], _WIDTH), epilog=_EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    add = parser.add_argument
    add("-p", "--port", type=_port, default=80,
        help="where the replicas serve HTTP, but for those whose http_port the fleet file gives [80]. From 1024 on also where "
             "dnsserver answers; below, that is 53")
    add("-o", "--origin", help="where the replicas fetch from, such as http://origin.example.org [the fleet file's origin]")
    add("-n", "--name", help="the name that clients look up, such as cdn.example.org [the fleet file's domain]")
    add("-u", "--username", help="whom to log in as [what ssh says]")
    add("-i", "--keyfile", type=pathlib.Path, help="the private key to log in with [what ssh says]")
    add("--config", type=pathlib.Path, default=pathlib.Path("cdn.textproto"), help="the fleet file [cdn.textproto]")
    add("--hosts", help="the replicas, NAME=ADDRESS,… in place of a fleet file")
    add("--director", help="the address of the host that runs dnsserver, a replica's or another [the first replica's]")
    add("--dns-port", type=_port, help="where dnsserver answers, whatever -p says")
    add("--ssh-port", type=_port, help="[what ssh says]")
    add("--known-hosts", type=pathlib.Path, help="the file with the hosts' keys [what ssh says]")
    add("--accept-new-host-keys", action="store_true", help="trust a host that is met for the first time, and remember its key")
    add("--dry-run", action="store_true", help="look at every host, say what would be done, and do nothing")
    if command == "deploy":
        add("--rollback", action="store_true", help="back to the release before, on every host; runCDN changes over to it")
        add("--keys", type=pathlib.Path, default=pathlib.Path("cdn-keys"),
            help="the folder of the CA and the hosts' certificates; made when it is not there, and to be kept safe [cdn-keys]")
    return parser


def _port(text):
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 1 to 65535")
    return int(text)


def main(command, arguments):
    options = _parser(command).parse_args(arguments)
    options.programs = PROJECT / "build" / "release" / "bin"
    options.cache = PROJECT / "build" / "deploy"
    action = {"deploy": deploy.deploy, "run": run.run, "stop": stop.stop}[command]
    if getattr(options, "rollback", False):
        action = deploy.rollback
    try:
        described = fleet.load(options)
        ssh = Ssh(options)
        try:
            return action(described, ssh, options)
        finally:
            ssh.close()
    except (fleet.FleetError, RuntimeMissing, RuntimeError) as error:
        print(f"{command}CDN: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\n{command}CDN: interrupted; the same command goes on from here", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
