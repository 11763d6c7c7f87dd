"""aifabric plan FILE.npz | FROM TO: make a plan."""

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from fabric.cli.options import CONTEXT, Output, load_parts, output_options, parts_option, svg_option, verbose_option


class Share(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """0.9 or 90%."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        try:
            share = float(text[:-1]) / 100 if text.endswith("%") else float(text)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            self.fail(f"'{value}' is not a share; give 0.9 or 90%", param, ctx)
        return share


class Window(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """Two times with a slash between."""

    name = "start/end"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            start, end = (datetime.fromisoformat(part) for part in str(value).split("/"))
            fits = start < end
        except (ValueError, TypeError):
            fits = False
        if not fits:
            self.fail(f"'{value}' is no window; give START/END, e.g. 2026-11-30T22:00/2026-12-01T02:00", param, ctx)
        return start, end


@click.command("make", context_settings=CONTEXT)
@click.argument("source", metavar="FILE.npz | FROM TO | SPEC --demand FILE | SPEC --repair FAULTS")
@click.argument("target", required=False, metavar="")
@click.option("--floor", type=Share(), help="Share of the throughput before that every stage keeps; 0.9, or the best.")
@click.option("--floor-of", type=click.Choice(["throughput", "capacity"]), default="throughput", show_default=True,
              help="What the floor is a share of: the demand's throughput, or the capacity of each block.")  # fmt: skip
@click.option("--effort", type=click.Choice(["low", "normal", "high"]), default="normal", show_default=True,
              help="Work put into moving few circuits.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the search.")
@click.option("--one-more-lost", is_flag=True, help="The floor holds with any further circuit switch lost (N-1).")
@click.option("--max-switches", type=click.IntRange(min=1), help="Circuit switches that a stage may touch.")
@click.option("--one-domain", is_flag=True, help="A stage touches one failure domain.")
@click.option("--pin", multiple=True, metavar="BLOCK", help="A block whose circuits stay; may be repeated.")
@click.option("--window", type=Window(), multiple=True, help="A maintenance window; may be repeated.")
@click.option("--adds-first", is_flag=True, help="Put up what idle ports take before anything is taken down.")
@click.option("--failing", type=Share(), default=0.0, help="Share of new links expected to fail to qualify, e.g. 2%.")
@click.option("--demand", metavar="FILE", help="Gb/s between blocks (.csv, .npy), or a collective such as all-to-all; "
              "without TO the target is engineered for it.")  # fmt: skip
@click.option("--slack", type=click.FloatRange(min=0), help="Links that a pair may be off the engineered fractions, so "
              "that fewer move; 1 by default.")  # fmt: skip
@click.option("--direct", is_flag=True, help="Engineer for direct links alone, without transit.")
@click.option("--curve/--no-curve", default=True, help="Circuits moved against throughput gained, of an engineered "
              "target.", show_default=True)  # fmt: skip
@svg_option("Draw that curve into FILE.")
@click.option("--repair", metavar="FAULTS", help="What to do about ocs=3, port=5:A17, link=4:17-40, cube=9 (or "
              "several with commas), ranked.")  # fmt: skip
@click.option("--option", "choice", type=click.IntRange(min=1), help="Make the plan of this option of --repair.")
@click.option("--losses", type=click.Path(path_type=Path), metavar="FILE",
              help="dB from port to port of the switches (.csv, .npz): avoid pairs that lose too much.")  # fmt: skip
@click.option("--loss-limit", type=click.FloatRange(min=0), metavar="DB",
              help="With --losses: the most that a pair may lose, besides what the modules allow.")  # fmt: skip
@parts_option
@verbose_option("List every cross-connect.")
@output_options
def command(
    source: str,
    target: str | None,
    floor: float | None,
    floor_of: str,
    effort: str,
    seed: int,
    one_more_lost: bool,
    max_switches: int | None,
    one_domain: bool,
    pin: tuple[str, ...],
    window: tuple[Any, ...],
    adds_first: bool,
    failing: float,
    demand: str | None,
    slack: float | None,
    direct: bool,
    curve: bool,
    svg: Path | None,
    repair: str | None,
    choice: int | None,
    losses: Path | None,
    loss_limit: float | None,
    parts: Path | None,
    verbose: bool,
    out: Output,
) -> None:
    """Make a plan from FILE.npz (arrays state, target, north_ports, south_ports), or from one spec or state file to
    another, or from a spec to a target that is engineered for a demand or repairs what has broken. -o FILE.json writes
    the plan file that the other commands read."""
    from dataclasses import replace

    from fabric.cli.planning.engineered import draw_curve
    from fabric.cli.planning.text import emit_plan, plan_lines
    from fabric.planning.planner import Options, plan
    from fabric.planning.stages import Rules

    if loss_limit is not None and losses is None:
        raise click.UsageError("--loss-limit says what a pair of ports may lose; give --losses FILE, what it does lose")
    rules = Rules(one_more_lost=one_more_lost, most_switches=max_switches, one_domain=one_domain, failing=failing,
                  adds_first=adds_first, by_capacity=floor_of == "capacity")  # fmt: skip
    options = Options(floor=floor, effort=effort, seed=seed, rules=rules, pinned=pin, windows=window,
                      losses=losses, loss_limit_db=loss_limit)  # fmt: skip
    catalogue = load_parts(parts)
    told: dict[str, Any] = {"from": source, "to": target, "floor": floor, "effort": effort}
    own = demand is not None and target is None and not source.lower().endswith(".npz")
    if repair is not None and (target or demand):
        raise click.UsageError("--repair starts from one SPEC and today's links; leave TO and --demand out")
    if not own and (slack is not None or direct or svg):
        raise click.UsageError("--slack, --direct and --svg go with a target that is engineered; give SPEC --demand")
    if svg and not curve:
        raise click.UsageError("--svg draws the curve; leave --no-curve out")
    if choice is not None and repair is None:
        raise click.UsageError("--option names a choice of --repair; give both")
    if repair is not None:
        from fabric.cli.planning.repairing import repaired

        made = repaired(source, repair, choice, options, catalogue, out, told)
        if made is None:
            return
    elif demand is not None and own:
        from fabric.planning.engineering import plan_demand

        made = plan_demand(source, demand, slack=1.0 if slack is None else slack, direct=direct, with_curve=curve,
                           options=options, parts=catalogue)  # fmt: skip
        told |= {"demand": demand, "slack": slack, "direct": direct}
        if svg is not None:
            draw_curve(made.engineered, svg)
    else:
        if demand is not None:
            from fabric.planning.engineering import wanted_demand
            from fabric.planning.states import read_base

            ports = read_base(source, catalogue, target)
            options = replace(options, demand=wanted_demand(source, demand, ports, catalogue))
            told["demand"] = demand
        made = plan(source, target, options=options, parts=catalogue)
    emit_plan(made, plan_lines(made, verbose), out, told, catalogue.hash)
