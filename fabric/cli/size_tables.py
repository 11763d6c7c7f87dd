"""What fits, for the eye: one row a fabric, then for each what is in, what is out, and what one more would take."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.padding import Padding
from rich.text import Text

from fabric.cli.layout import Column, laid_out
from fabric.cli.tables import warning
from topologies.units import format_number, format_power_w, format_time_us, format_usd

if TYPE_CHECKING:
    from fabric.sizing import Relief, Sized, Sizes
    from fabric.sizing.search import Candidate

INDENT = (0, 0, 0, 2)
LISTED = 3  # parts without a price that are named without -v


def rendered(found: "Sizes", width: int, quiet: bool, verbose: bool) -> list[Any]:
    """Everything that `size` prints."""
    answered = [row for row in found.rows if row.weight is not None]
    shown: list[Any] = [Text(f"what fits {_limits_text(found)}", style="bold"), Text()]
    if answered:
        shown += [*_table(found, answered, width), Text()]
    for row in found.rows:
        if row.error is not None:
            shown += [warning(f"no answer: {row.spec}: {row.error}"), Text()]
        else:
            shown += [Text(row.spec, style="bold"), *_lines(row, found, verbose), Text()]
    if not quiet:
        shown += [Text(line, style="dim") for line in _notes(found)]
    return shown


def _limits_text(found: "Sizes") -> str:
    limits = found.limits
    said = []
    if limits.facility_w is not None:
        known = [limits.pue, *(row.weight.pue for row in found.rows if row.weight is not None)]
        pue = next((f" at PUE {value:g}" for value in known if value is not None), "")
        said.append(f"{format_power_w(limits.facility_w)} at the meter{pue}, {limits.draw} draw")
    said += [] if limits.usd is None else [format_usd(limits.usd)]
    said += [] if limits.racks is None else [f"{limits.racks:,} racks"]
    return "within " + ", ".join(said)


def _table(found: "Sizes", rows: "Sequence[Sized]", width: int) -> list[Any]:
    def column(head: str, name: str, cells: Sequence[str], leaves: int = 0, left: bool = False) -> Column:
        return Column(head, name, [Text(cell) for cell in cells], leaves, left)

    made = [row.inventory for row in rows]
    weights = [row.weight for row in rows]
    before = [row.before_network for row in rows]
    marks = column("#", "#", ["-" if row.rank is None else str(row.rank) for row in rows])
    names = column("fabric", "fabric", [row.spec for row in rows], left=True)
    columns = [
        column("acc.", "accelerators", [f"{row.accelerators:,}" for row in rows]),
        column("racks", "racks", ["-" if w is None or w.racks is None else f"{w.racks:,}" for w in weights]),
        column("racks\nalone", "racks alone, before any network", [
            "-" if b is None else f"{b['racks']:,}" for b in before], 1),
        column("site\npower", "site power", ["-" if w is None or w.facility_w is None else format_power_w(w.facility_w)
                                             for w in weights]),
        column("of it\nnetwork", "of it network, outside the racks", [
            "-" if w is None or w.network_w is None else format_power_w(w.network_w) for w in weights], 2),
        column("capex", "capex", ["-" if w is None else _usd(w.usd.value, w.unpriced) for w in weights]),
        column("binds", "binds", [", ".join(row.binding) or "nothing" for row in rows], left=True),
        column("switches", "switches", ["-" if m is None else f"{m.switches:,}" for m in made], 1),
        column("OCS", "OCS, circuit switches", [
            "-" if m is None else format_number(m.circuit_switches) for m in made], 1),
        column("modules", "modules", ["-" if m is None else f"{m.modules:,}" for m in made], 1),
    ]  # fmt: skip
    if found.unit != "accelerators":
        values = ["-" if row.objective is None else format_number(row.objective) for row in rows]
        head = found.unit if any(row.worked for row in rows) else f"{found.objective}\n{found.unit}"
        columns.insert(1, column(head, f"{found.objective}, {found.unit}", values))
        columns[2:2] = _worked_columns(rows)
    title = f"by {found.objective}" + ("" if len(rows) < 2 else ", most first")
    return laid_out(title, marks, names, columns, width)


def _worked_columns(rows: "Sequence[Sized]") -> list[Column]:
    """What a workload comes to a joule, a dollar and a user."""
    found = [row.worked for row in rows if row.worked is not None]
    if not found:
        return []

    def column(head: str, name: str, key: str, leaves: int, marks: Sequence[str] = ("",) * len(rows)) -> Column:
        values = [None if row.worked is None else getattr(row.worked, key) for row in rows]
        cells = ["-" if v is None else f"{mark}{format_number(v, 3)}" for v, mark in zip(values, marks, strict=True)]
        return Column(head, name, [Text(cell) for cell in cells], leaves)

    most = ["<" if row.weight is not None and row.weight.unpriced else "" for row in rows]
    columns = [
        column("tokens/J", "tokens/J", "tokens_per_joule", 0),
        column("tokens/s\nper M$", "tokens/s per M$", "tokens_per_s_per_musd", 1, most),
    ]
    if found[0].tokens_per_s_per_user is not None:
        columns.append(column("tokens/s\nper user", "tokens/s per user", "tokens_per_s_per_user", 1))
    return columns


def _worked_line(row: "Sized") -> list[str]:
    """The layout of a workload, and what binds its step."""
    run = row.worked
    if run is None:
        return []
    first = "" if run.first_token_s is None else f", first token after {format_time_us(run.first_token_s * 1e6)}"
    said = f"workload: {run.layout}, {format_number(run.tokens_per_s_per_accelerator)} tokens/s an accelerator{first}; "
    return [said + f"{run.binds} binds its step" + (f", first wall {run.first_wall}" if run.first_wall else "")]


def _usd(value: float, unpriced: Sequence[str]) -> str:
    """Dollars; ">" where parts without a price come on top."""
    if not value:
        return "-"
    return (">" if unpriced else "") + format_usd(value)


def _lines(row: "Sized", found: "Sizes", verbose: bool) -> list[Any]:
    """What is in and what is out, what one more takes, what was searched, what is left out."""
    said = [f"last in: {_edge(row.inside)}" if row.inside is not None else "nothing fits, not even the smallest"]
    said.append("first out: none up to the end of the search" if row.outside is None else f"first out: {_out(row)}")
    each = [text for relief in row.limits if (text := _price(relief))]
    said += [f"one more accelerator takes {', '.join(each)}"] if each else []
    said += [text for relief in row.limits if row.inside is not None and (text := _relief(relief))]
    said += _worked_line(row)
    if row.inventory is not None:
        tiers = ", ".join(f"{number:,} {tier}" for tier, number in row.inventory.switches_by_tier.items())
        said += [f"switches: {tiers}"] if tiers else []
    said.append(f"searched: {row.grows}; built {len(row.built):,} of them, each weighed whole")
    said += [f"less is taken by {', '.join(row.dips)} than by a smaller one: halving may miss some"] if row.dips else []
    if row.weight is not None and row.weight.unpriced:
        missing = row.weight.unpriced if verbose else row.weight.unpriced[:LISTED]
        more = len(row.weight.unpriced) - len(missing)
        said.append(f"no price, in no sum: {', '.join(missing)}" + (f" and {more} more (-v)" if more else ""))
    if verbose:
        said.append(f"built: {', '.join(candidate.name for candidate in row.built)}")
        said += [f"stands on: {line}" for line in (row.weight.estimates if row.weight is not None else ())]
    return [Padding(Text(line, style="dim" if i > 1 else ""), INDENT) for i, line in enumerate(said)]


def _edge(candidate: "Candidate") -> str:
    assert candidate.weight is not None
    return f"{candidate.name}: {', '.join(_taken(candidate))}"


def _taken(candidate: "Candidate") -> list[str]:
    """What a candidate takes, in words."""
    weight = candidate.weight
    assert weight is not None
    said = [f"{weight.accelerators:,} accelerators"]
    said += [] if weight.racks is None else [f"{weight.racks:,} rack{'s' * (weight.racks > 1)}"]
    said += [] if weight.facility_w is None else [_amount(weight.facility_w, "W")]
    return said + ([_usd(weight.usd.value, weight.unpriced)] if weight.usd.value else [])


def _out(row: "Sized") -> str:
    assert row.outside is not None
    if row.outside.why is not None:
        return f"{row.outside.name} cannot be built: {row.outside.why}"
    over = [
        f"{r.limit} by {_amount(r.short, r.unit)}" for r in row.limits if r.limit in row.outside.over and r.short
    ]
    return f"{_edge(row.outside)}; over {', '.join(over)}"


def _amount(value: float, unit: str) -> str:
    if unit == "W":
        shown = format_power_w(value).split(" ")
        return f"{format_number(value / {'MW': 1e6, 'kW': 1e3, 'W': 1.0}[shown[1]], 5)} {shown[1]}"
    return format_usd(value) if unit == "$" else f"{format_number(value, 9)} {unit}"


def _price(relief: "Relief") -> str | None:
    """What one more accelerator takes of a limit; racks and the end of the search go by themselves."""
    if relief.per_accelerator is None or relief.limit == "search":
        return None
    if relief.unit == "racks":
        return f"{format_number(relief.per_accelerator, 3)} racks"
    return _amount(relief.per_accelerator, relief.unit)


def _relief(relief: "Relief") -> str | None:
    """What more of a binding limit admits, or how much of another is left."""
    if relief.limit == "search" and not relief.gains:
        return None
    if relief.gains and relief.short is not None:
        return f"{_amount(relief.short, relief.unit)} more of {relief.limit} admit {relief.gains:,} accelerators"
    if relief.used is None:
        return f"{relief.limit}: nothing is known of it"
    left = f"{relief.limit}: {_amount(relief.given - relief.used, relief.unit)} left"
    return left if relief.room is None else f"{left}, room for {relief.room:,} accelerators at that price"


def _notes(found: "Sizes") -> list[str]:
    """How to read it."""
    said = ["racks are those of accelerators, and racks alone what the power feeds before any network outside them"]
    said.append("power: nameplates of racks and network x PUE, which holds pumps and coolant distribution, once")
    if any(row.worked is not None for row in found.rows):
        said.append(f"tokens/J: over those watts, {found.limits.draw} draw; tokens/s per M$: over all that has a price")
        said += _stands_on(found)
    if found.limits.usd is not None or any(row.weight is not None and row.weight.unpriced for row in found.rows):
        said.append("> what has no price is listed and in no sum: a budget then holds less than is said")
    return said


def _stands_on(found: "Sizes") -> list[str]:
    """What the workload's answers stand on, each line once, with whose it is where not all have it."""
    whose: dict[str, list[str]] = {}
    rows = [row for row in found.rows if row.worked is not None]
    for row in rows:
        assert row.worked is not None
        for line in row.worked.estimates:
            whose.setdefault(line, []).append(row.spec)
    return [
        f"workload: {'' if len(specs) == len(rows) else ', '.join(specs) + ': '}{line}" for line, specs in whose.items()
    ]
