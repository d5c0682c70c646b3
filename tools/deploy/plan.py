"""Pure: what is to be done on a host, given what is there."""

import re

_OLDEST_KERNEL = (5, 3)  # pidfd_open(2)


def refusal(facts, runtime_machine):
    """Why the programs can't run on this host; None when they can."""
    if facts.machine != runtime_machine:
        return f"it is {facts.machine}, and the programs were built for {runtime_machine}: deploy from a machine of its type"
    version = tuple(int(n) for n in re.findall(r"\d+", facts.kernel)[:2])
    if version < _OLDEST_KERNEL:
        return f"its kernel is {facts.kernel}; {'.'.join(map(str, _OLDEST_KERNEL))} is the oldest that will do"
    if facts.missing:
        return f"it lacks {', '.join(facts.missing)}"
    return None


def deploy_steps(facts, release):
    """What deploying a release takes: "copy" the programs, "install" the release; nothing when it is there."""
    steps = [] if release.runtime in facts.runtimes else ["copy"]
    return steps if facts.current == release.id else [*steps, "install"]


def run_step(facts):
    """What running the deployed release takes: "deploy" it first, "start", "exchange" what runs, or nothing: None."""
    if not facts.current:
        return "deploy"
    states = facts.services.values()
    if any(state == "running" and release != facts.current for state, release in states):
        return "exchange"
    return "start" if any(state != "running" for state, _ in states) else None
