"""aifabric plan apply: stages of a plan on live switches, over NETCONF, read back and undone at the first mismatch."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fabric.cli.options import CONTEXT, parts_option
from fabric.cli.planning.devices import debug_option, json_option, names_option

if TYPE_CHECKING:
    from fabric.planning.plan import Plan

KIND = "polatis-netconf"
PASSWORD = "AIFABRIC_NETCONF_PASSWORD"


@click.command("apply", context_settings=CONTEXT)
@click.argument("plan", type=click.Path(path_type=Path))
@click.option(
    "--netconf",
    "addresses",
    multiple=True,
    required=True,
    metavar="[SWITCH=]HOST[:PORT]",
    help="Where a switch is reached, one for each switch of the plan; without names, in the order of the plan.",
)
@click.option("--user", required=True, help="Whom to log in as.")
@click.option("--known-hosts", type=click.Path(path_type=Path), help="Keys of the switches; ~/.ssh/known_hosts.")
@click.option("--stages", default="1", show_default=True, help="How many of the next stages, or all.")
@names_option
@parts_option
@click.option("--yes", is_flag=True, allow_from_autoenv=False, help="Change live switches; nothing is sent without.")
@json_option
@debug_option
def command(
    plan: Path,
    addresses: tuple[str, ...],
    user: str,
    known_hosts: Path | None,
    stages: str,
    names: Path | None,
    parts: Path | None,
    yes: bool,
    json: bool,
    debug: bool,
) -> int:
    """Apply the next stage of PLAN to live Polatis-type switches over NETCONF.

    Every switch is locked and read first, and must have the fingerprint of one step of the plan; then, switch by
    switch, deletes, adds, and the cross-connects read back. At the first refusal or mismatch nothing more is sent, what
    the stage has changed is undone, and the exit code is 1. Drain the links of the stage before, and undrain after:
    only circuits are moved here. Keys or an agent log in, or the password in AIFABRIC_NETCONF_PASSWORD. Needs ncclient.
    """
    import os
    from contextlib import ExitStack, closing

    from fabric.cli.options import Output, load_parts
    from fabric.cli.output import emit_json
    from fabric.cli.planning.devices import read_names_of
    from fabric.planning.apply import apply_plan
    from fabric.planning.files import read_plan
    from fabric.planning.netconf import Login, NetconfSwitch
    from fabric.results import provenance

    if not yes:
        raise click.UsageError("plan apply moves circuits of live switches; --yes says that you mean it")
    if stages != "all" and not (stages.isascii() and stages.isdigit() and 0 < int(stages) < 10**6):
        raise click.UsageError(f"--stages '{stages}' is neither a number above zero nor all")
    catalogue = load_parts(parts)
    read = read_plan(plan)
    own = read_names_of(read.switches, [KIND], names, catalogue)
    login = Login(user, os.environ.get(PASSWORD), known_hosts)
    with ExitStack() as sessions:
        devices = {
            switch: sessions.enter_context(closing(NetconfSwitch(address, own[switch], login, lock=True)))
            for switch, address in _by_switch(read, addresses).items()
        }
        done = apply_plan(
            read, devices, stages=None if stages == "all" else int(stages), say=lambda text: click.echo(text, err=True)
        )
    answer = {"stages_in_force": done.stages, "stages": len(read.stages), "failed_stage": done.failed,
              "why": done.why or None, "undone": done.undone}  # fmt: skip
    if json:
        told = {"plan": str(plan), "netconf": list(addresses), "stages": stages}
        emit_json("plan-apply", answer, provenance(told, catalogue.hash), Output(True, None, None, debug))
    else:
        if done.failed is not None:
            undone = "it is undone" if done.undone else "it could NOT be undone: look at the switches"
            click.echo(f"stage {done.failed} failed: {done.why}; {undone}")
        click.echo(f"{done.stages} of {len(read.stages)} stages in force")
    return 0 if done.failed is None else 1


def _by_switch(plan: "Plan", addresses: Sequence[str]) -> dict[str, tuple[str, int]]:
    """The address of every switch; a usage error where one is missing, unknown or given twice."""
    from fabric.planning.netconf import parse_address
    from topologies.errors import unknown

    switches = [switch.name for switch in plan.switches]
    parsed = [parse_address(word) for word in addresses]
    if len(parsed) != len(switches):
        raise click.UsageError(f"{len(parsed)} addresses for {len(switches)} switches; give --netconf for each")
    if len({name is None for name, _, _ in parsed}) > 1:
        raise click.UsageError("some addresses name their switch, others do not; name all or none")
    found = {}
    for (name, host, port), switch in zip(parsed, switches, strict=True):
        if name is not None and (name not in switches or name in found):
            raise click.UsageError(
                f"two addresses for {name}" if name in found else unknown("switch of the plan", name, switches)
            )
        found[name or switch] = (host, port)
    if len(set(found.values())) < len(found):
        raise click.UsageError("two switches have one address; each has its own")
    return found
