"""The keys of a CDN, in a folder on the operator's machine: `cdnctl keys` makes them, and what is there is used again.

A host's certificate is made anew when its addresses or its role have changed, and when it is about to expire.
"""

import subprocess

OPERATOR = "operator"
_FILES = ("ca.pem", "cert.pem", "key.pem")


def for_hosts(cdnctl, folder, hosts):
    """The files of each host, by its name. The director gets an operator's too, for whoever is root there."""

    def keys(*words):
        done = subprocess.run([cdnctl, "keys", *words, "--keys", folder], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip())

    def files(name):
        return {file: (folder / name / file).read_bytes() for file in _FILES}

    if any(host.name == OPERATOR for host in hosts):
        raise RuntimeError(f"no replica may be named {OPERATOR}: that is whose keys these are in {folder}")
    if not (folder / "ca.pem").exists():
        keys("init")
    for host in hosts:
        addresses = [word for address in host.addresses for word in ("--address", address)]
        keys("issue", host.name, "--role", "director" if host.is_director else "replica", *addresses, "--force")
    keys("issue", OPERATOR, "--role", "operator", "--force")
    keys("renew")
    found = {host.name: files(host.name) for host in hosts}
    for host in hosts:
        if host.is_director:
            found[host.name] |= {f"operator/{file}": content for file, content in files(OPERATOR).items()}
    return found
