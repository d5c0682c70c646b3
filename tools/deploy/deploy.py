"""deployCDN: programs, configuration and keys to every host. What runs goes on; runCDN changes over to it."""

import keys
import plan
import release
import runtime as runtimes
from operation import Operation


def deploy(fleet, ssh, options):
    runtime = runtimes.build(options.programs, options.cache)
    operation = Operation(fleet, ssh)
    made = keys.for_hosts(options.programs / "cdnctl", options.keys, fleet.hosts)  # before any host is touched
    releases = {h.name: release.make(fleet, h, made[h.name], runtime.sha256) for h in fleet.hosts}

    def on_host(remote):
        deploy_to(remote, runtime, releases[remote.host.name], operation.progress, options.dry_run)

    operation.on_all(on_host)
    return operation.report("Would be deployed" if options.dry_run else "Deployed")


def deploy_to(remote, runtime, wanted, progress, dry_run):
    name = remote.host.name
    progress.say(name, "looking")
    facts = remote.facts()
    if refusal := plan.refusal(facts, runtime.machine):
        raise RuntimeError(refusal)
    steps = plan.deploy_steps(facts, wanted)
    if dry_run:
        progress.done(name, describe(steps, facts, runtime, wanted))
        return
    if "copy" in steps:
        progress.say(name, f"copying {runtime.size_mb:.0f} MB")
        remote.receive(runtime)
    if "install" in steps:
        progress.say(name, "installing")
        remote.install(wanted)
    progress.done(name, f"release {wanted.id}" if steps else f"release {wanted.id}, as it was")


def describe(steps, facts, runtime, wanted):
    if not steps:
        return f"nothing: release {wanted.id} is there"
    copy = [f"copy {runtime.size_mb:.0f} MB of programs"] if "copy" in steps else []
    install = [f"release {wanted.id} in place of {facts.current}" if facts.current else f"release {wanted.id}, the first"]
    return ", ".join(copy + install)


def rollback(fleet, ssh, options):
    """The previous release becomes the current one everywhere, and the other way round."""
    operation = Operation(fleet, ssh)

    def on_host(remote):
        name, facts = remote.host.name, remote.facts()
        if not facts.previous:
            raise RuntimeError("there is no previous release")
        if not options.dry_run:
            remote.rollback()
        operation.progress.done(name, f"release {facts.previous} in place of {facts.current}")

    operation.on_all(on_host)
    return operation.report("Rolled back")
