"""aifabric fail: what breaks, how often, and what it takes with it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fabric.cli.options import (
    CONTEXT,
    Number,
    Output,
    csv_option,
    load_parts,
    one_form,
    output_options,
    parts_option,
    quiet_option,
)

if TYPE_CHECKING:
    from fabric.failures import Answer, Failures


@click.command("fail", context_settings=CONTEXT)
@click.argument("spec")
@click.option(
    "-e", "--element", "elements", multiple=True, metavar="ELEMENT",
    help="What fails: leaf:3, links=0.5%, ocs=1, nic=2, a node; several fail at once. Each class in turn by default.",
)  # fmt: skip
@click.option("--job", type=click.IntRange(min=1), metavar="N", help="Accelerators of a job; all of them by default.")
@click.option("--samples", type=click.IntRange(1, 100_000), default=20, show_default=True, help="Random drawings.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of what is random.")
@click.option(
    "--gap", type=Number(0, 1, min_open=True, max_open=True), metavar="SHARE",
    help="Solve for the best routing to this gap, e.g. 0.01, in place of equal splits.",
)  # fmt: skip
@click.option(
    "--checkpoint-minutes", type=Number(min=0), metavar="MIN", help="Pause of a checkpoint; the catalogue's."
)
@click.option(
    "--host-availability", default="0.99,0.995,0.999", show_default=True, metavar="LIST",
    help="Goodput of a pod's slices where hosts are up so much of the time.",
)  # fmt: skip
@parts_option
@quiet_option
@csv_option
@output_options
def command(
    spec: str,
    elements: tuple[str, ...],
    job: int | None,
    samples: int,
    seed: int,
    gap: float | None,
    checkpoint_minutes: float | None,
    host_availability: str,
    parts: Path | None,
    quiet: bool,
    csv: bool,
    out: Output,
) -> int:
    """What fails in a fabric: accelerators cut off, jobs lost, bandwidth left, events a day, recovery, goodput.

    An element is CLASS:NUMBER (from 0) or CLASS:NAME, CLASS=COUNT, CLASS=SHARE%, or a node as `show` and JSON name it.
    Classes: accelerator, host, nic, link, a technology of links, a tier (scale-up, leaf, spine, core), switch, ocs,
    ocs-port, block.
    """
    from fabric.cli.fail_tables import failures_tables
    from fabric.cli.output import console, emit_csv, emit_json, emit_tables
    from fabric.failures import fail
    from fabric.results import provenance
    from topologies.registry import build

    one_form(out, csv)
    shares = _shares(host_availability)
    catalogue = load_parts(parts)
    found = fail(
        build(spec, catalogue), elements, job=job, samples=samples, seed=seed, gap=gap,
        checkpoint_minutes=checkpoint_minutes, host_availabilities=shares,
    )  # fmt: skip
    if out.json:
        told = {"spec": spec, "elements": list(elements), "job": job, "samples": samples, "gap": gap,
                "checkpoint_minutes": checkpoint_minutes, "host_availability": shares}  # fmt: skip
        emit_json("fail", document(found), provenance(told, catalogue.hash, seed), out)
    elif csv:
        emit_csv([row(each) for each in _answers(found)], out)
    else:
        emit_tables(failures_tables(found, console(out.color).width, quiet), out)
    return 0


def _shares(text: str) -> list[float]:
    try:
        values = [float(word) for word in text.split(",")]
    except ValueError:
        values = [float("nan")]
    if any(not 0 < value <= 1 for value in values):
        raise click.UsageError(
            f"--host-availability '{text}' is no list of shares above 0 up to 1; write it like 0.99,0.999"
        )
    return values


def _answers(found: "Failures") -> "list[Answer]":
    return [*found.classes, *([] if found.asked is None else [found.asked])]


def document(found: "Failures") -> dict[str, Any]:
    """The keys that --json prints beside schema and provenance."""
    kept, topology = found.goodput, found.topology
    return {
        "topology": topology.name,
        "accelerators": len(topology.accelerators),
        "job": found.job,
        "jobs": found.jobs,
        "classes": [row(each) for each in found.classes],
        "asked": None if found.asked is None else row(found.asked),
        "software_per_day": None if found.software is None else _rate(found.software),
        "goodput": None if kept is None else {
            "interruptions_per_day": _rate(kept.per_day), "checkpoint_interval_s": kept.interval_s
            if kept.interval_s < float("inf") else None,
            "effective_share": kept.share, "effective_share_low": kept.low, "effective_share_high": kept.high,
        },
        "slices": [{"host_availability": s.host_availability, "reconfigurable": s.reconfigurable, "fixed": s.fixed}
                   for s in found.slices],
        "estimates": found.estimates,
    }  # fmt: skip


def row(each: "Answer") -> dict[str, Any]:
    """A class of components, or what was asked, as JSON and CSV have it."""
    dead = [(o.dead, o.cut_off, o.share) for o in each.outcomes]
    return {
        "class": each.name,
        "kind": each.kind,
        "count": each.count,
        "outcomes": len(each.outcomes),
        "exact": each.exact,
        "proven_symmetry": each.proven,
        "dead_mean": sum(d * s for d, _, s in dead),
        "dead_worst": max(d for d, _, _ in dead),
        "cut_off_mean": sum(c * s for _, c, s in dead),
        "cut_off_worst": max(c for _, c, _ in dead),
        "jobs_lost_mean": each.jobs.mean,
        "jobs_lost_worst": each.jobs.worst,
        "stops_a_job": each.interrupts,
        **{f"{name}_{end}": value for name, what in MEASURES.items() for end, value in _ends(each, what)},
        "failures_per_day": None if each.per_day is None else _rate(each.per_day),
        "flaps_per_day": None if each.flaps_per_day is None else _rate(each.flaps_per_day),
        "recovery": _way(each.recovery),
        "repair": _way(each.repair),
        "spare_ports": each.spares,
    }


MEASURES = {"all_to_all_splits": "splits", "all_to_all_cuts": "cuts", "all_to_all_best_low": "low",
            "all_to_all_best_high": "high", "all_reduce_cuts": "all_reduce"}  # fmt: skip


def _ends(each: "Answer", what: str) -> list[tuple[str, float | None]]:
    found = each.left(what)
    return [("mean", None if found is None else found.mean), ("worst", None if found is None else found.worst)]


def _rate(events: Any) -> dict[str, Any]:
    return {"value": events.value, "low": events.low, "high": events.high, "sources": events.sources}


def _way(way: Any) -> dict[str, Any]:
    return {"action": way.action, "minutes": way.minutes, "low": way.low, "high": way.high, "source": way.source}
