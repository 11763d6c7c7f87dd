"""aifabric plan SPEC --repair: ranked options, or the plan of one of them."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fabric.cli.options import Output
    from fabric.planning.plan import Plan
    from fabric.planning.planner import Options
    from topologies.parts import Catalogue


def repaired(
    source: str,
    faults: str,
    choice: int | None,
    options: "Options",
    parts: "Catalogue",
    out: "Output",
    told: dict[str, Any],
) -> "Plan | None":
    """Print the options and give None, or give the plan of the chosen one; ConfigError where it has none."""
    from fabric.cli.options import one_form
    from fabric.cli.output import emit_json, emit_tables
    from fabric.cli.planning.engineered import repair_lines
    from fabric.planning.engineering import plan_repair
    from fabric.planning.repair import read_faults
    from fabric.results import provenance
    from topologies.errors import ConfigError

    found = plan_repair(source, read_faults(faults), options=options, parts=parts)
    told["repair"] = faults
    if choice is None:
        one_form(out)
        if out.json:
            rows = {"options": [option.document() for option in found]}
            emit_json("plan-repair", rows, provenance(told, parts.hash, options.seed), out)
        else:
            emit_tables(repair_lines(found), out)
        return None
    if choice >= len(found):
        raise ConfigError(f"there is no option {choice}; options are 0 to {len(found) - 1}")
    made = found[choice].plan
    if made is None:
        raise ConfigError(f"option {choice} ('{found[choice].title}') is no plan of cross-connects; choose another")
    told["option"] = choice
    return made
