"""aifabric plan: a reconfiguration plan, and what can be done with one; a command a file, loaded when it runs."""


import click

from fabric.cli.lazy import LazyGroup
from fabric.cli.options import CONTEXT

DEFAULT = "make"
# name -> (module, one line of help)
COMMANDS = {
    DEFAULT: ("fabric.cli.planning.make", "FILE.npz, or FROM TO: make a plan (the default)."),
    "show": ("fabric.cli.planning.show", "What a plan does, stage by stage."),
    "check": ("fabric.cli.planning.checking", "Verify a plan anew from its file and the base state alone."),
    "diff": ("fabric.cli.planning.diff", "What one plan changes and another does not."),
    "simulate": ("fabric.cli.planning.simulate", "Replay every stage: throughput over time."),
    "export": ("fabric.cli.planning.export", "Messages that real circuit switches accept, and a runbook."),
    "readback": ("fabric.cli.planning.readback", "Where in a plan the switches stand, from files that they gave."),
    "state": ("fabric.cli.planning.state", "The present state as a file, also from what switches say of themselves."),
    "apply": ("fabric.cli.planning.apply", "Apply stages over NETCONF, read back, undone at a mismatch."),
    "rollback": ("fabric.cli.planning.rollback", "The plan that leads back."),
    "phases": ("fabric.cli.planning.phases", "Does it pay to switch circuits between the phases of a step?"),
}


@click.group("plan", cls=LazyGroup, modules=COMMANDS, default=DEFAULT, context_settings=CONTEXT)
def command() -> None:
    """A reconfiguration plan: fewest circuits moved, in stages that keep a floor of throughput, each with its undoing.

    aifabric plan FILE.npz, or aifabric plan FROM TO with two specs or state files; -o plan.json keeps it.
    """
