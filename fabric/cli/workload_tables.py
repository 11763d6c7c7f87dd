"""Tables of `workload`: rows side by side, and each of them by part."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from fabric.cli.layout import Column, laid_out
from fabric.cli.tables import facts_table, known, new_table
from fabric.cli.wall_tables import first_text, walls_facts
from fabric.workloads.comparing import DOMAIN, Answer, places
from fabric.workloads.models.model import Model
from fabric.workloads.replicas import Load, Serving
from fabric.workloads.rows import binds, hides_behind, parts_of, written
from fabric.workloads.steps.splits import Question
from fabric.workloads.training import TrainingStep
from topologies.units import format_number, format_power_w, format_size, format_time_us


def rendered(
    answers: Sequence[Answer], model: Model, asked: Load | Question, width: int, *, explain: bool, quiet: bool
) -> list[Any]:
    """The table of all, what has no answer, with `explain` each by part; then what they stand on."""
    done = [answer for answer in answers if answer.why is None]
    shown = _served(done, model, asked, width) if isinstance(asked, Load) else _trained(done, model, width)
    shown += [Text(f"{_name(a)}: {a.why}", style="bold red") for a in answers if a.why is not None]
    shown += [Text(f"{_name(a)}: does not fit into memory, and is not ranked", style="bold red")
              for a in done if not a.fits]  # fmt: skip
    if len({a.on_sram for a in done if a.ranked}) > 1:
        shown.append(Text("Machines of SRAM are ranked apart: a wafer or a card is no GPU; tokens/J compare.", "dim"))
    if explain:
        for answer in done:
            shown += [Text(), Text(_name(answer), style="bold"), *_explained(answer)]
    if not quiet:
        shown += _notes(done)
    return shown


def _name(answer: Answer) -> str:
    size = answer.values.get(DOMAIN)
    return answer.spec if size is None else f"{answer.spec}, domain {size}"


def _column(head: str, name: str, cells: Sequence[str | Text], leaves: int = 0, left: bool = False) -> Column:
    return Column(head, name, [Text(cell) if isinstance(cell, str) else cell for cell in cells], leaves, left)


def _frame(done: Sequence[Answer], title: str, columns: list[Column], layouts: Sequence[str], width: int) -> list[Any]:
    marks = _column("#", "#", ["-" if place is None else str(place) for place in places(done)])
    names = _column("topology", "topology", [_name(answer) for answer in done], left=True)
    walls = [Text("-") if a.walls is None else first_text(a.walls) for a in done]
    columns = [
        *columns, _column("first wall", "first wall", walls, 3, left=True),
        _column("layout", "layout", layouts, 4, left=True),
    ]  # fmt: skip
    return laid_out(title, marks, names, columns, width)


def _trained(done: Sequence[Answer], model: Model, width: int) -> list[Any]:
    steps = [answer.step for answer in done if answer.step is not None]
    title = f"a step of training, {model.title}"
    columns = [
        _column("accel-\nerators", "accelerators", [_accelerators(s) for s in steps], 1),
        _column("step", "step", [format_time_us(s.step_s * 1e6) for s in steps]),
        _column("tokens/s\nper acc.", "tokens/s per accelerator",
                [format_number(s.tokens_per_s_per_accelerator) for s in steps]),
        _column("MFU", "MFU", [_percent(s.mfu) for s in steps]),
        _column("exposed", "exposed communication", [_percent(s.exposed_share) for s in steps]),
        _column("bubble", "bubble", [_percent(s.bubble_s / s.step_s) for s in steps], 1),
        _column("memory\nGB", "memory in GB", [_memory(s) for s in steps], 1),
        _column("tokens/J\nsite", "tokens/J of the site", [_rate(s.tokens_per_joule) for s in steps], 1),
        _column("tokens/J\nnetwork", "tokens/J of the network", [_rate(s.tokens_per_joule_network) for s in steps], 2),
        _column("network\nshare", "network's share of energy",
                [known(s.network_share, _percent, False) for s in steps], 2),
        _column("binds", "binds", [binds(s) for s in steps], 2, left=True),
    ]  # fmt: skip
    return _frame(done, title, columns, [written(s.parallel) for s in steps], width)


def _served(done: Sequence[Answer], model: Model, load: Load, width: int) -> list[Any]:
    found = [answer.serving for answer in done if answer.serving is not None]
    points = [one.point for one in found]
    title = f"{model.title} served, prompts of {load.input_tokens:,.0f}, answers of {load.output_tokens:,.0f} tokens, "
    title += "at the load of most tokens/s" if load.concurrency is None else f"{load.concurrency:,g} requests at a time"
    title += "" if load.floor is None else f", {load.floor:g} tokens/s a user at least"
    columns = [
        _column("accel-\nerators", "accelerators", [f"{one.inference.accelerators:,}" for one in found], 1),
        _column("tokens/s\nper acc.", "tokens/s per accelerator", [format_number(a.rate or 0.0) for a in done]),
        _column("tokens/s\nper user", "tokens/s per user", [format_number(p.tokens_per_s_per_user) for p in points]),
        _column("first\ntoken", "first token", [format_time_us(p.first_token_s * 1e6) for p in points]),
        _column("users", "users at a time", [format_number(p.users) for p in points], 1),
        _column("tokens/J\nrack", "tokens/J of racks and network", [_rate(p.tokens_per_j_rack) for p in points], 2),
        _column("tokens/J\nsite", "tokens/J of the site", [_rate(p.tokens_per_j_facility) for p in points], 1),
        _column("binds", "binds", [p.wall for p in points], 2, left=True),
    ]
    layouts = [one.inference.laid_out for one in found]
    return _frame(done, title, columns, layouts, width)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _rate(value: float | None) -> str:
    return known(value, lambda v: format_number(v, 3), False)


def _accelerators(step: TrainingStep) -> str:
    """All that are given, and before them those that work where that is not all."""
    used = "" if step.parallel.ranks == step.accelerators else f"{step.parallel.ranks:,} of "
    return f"{used}{step.accelerators:,}"


def _memory(step: TrainingStep) -> str:
    limit = "" if step.memory_limit_bytes is None else f"/{step.memory_limit_bytes / 1e9:.0f}"
    return f"{step.memory.total / 1e9:.1f}{limit}"


def _explained(answer: Answer) -> list[Any]:
    """One row by part."""
    shown: list[Any] = []
    if answer.step is not None:
        shown = [_times(answer.step), Text(), _exchanges(answer.step), Text(), facts_table(_facts(answer.step))]
    elif answer.serving is not None:
        shown = [_shares(answer.serving), Text(), _curve(answer.serving), Text(), *_front(answer.serving),
                 facts_table(_serving_facts(answer.serving))]  # fmt: skip
    return shown if answer.walls is None else [*shown, facts_table(walls_facts(answer.walls))]


def _times(step: TrainingStep) -> Table:
    table = new_table("time of a step by part")
    table.add_column("part")
    for head in ("time", "share", "alone"):
        table.add_column(head, justify="right")
    table.add_column("hides behind")
    for part, seconds in parts_of(step):
        wire = step.wire_s.get(part.removeprefix("exposed "), None)
        alone = "" if wire is None else format_time_us(wire * 1e6)
        behind = hides_behind(step.parallel).get(part.removeprefix("exposed "), "")
        table.add_row(part, format_time_us(seconds * 1e6), _percent(seconds / step.step_s), alone, behind)
    table.add_row("step", format_time_us(step.step_s * 1e6), _percent(1.0), "", "")
    return table


def _exchanges(step: TrainingStep) -> Table:
    table = new_table("communication of a step")
    for head in ("of", "collective"):
        table.add_column(head)
    for head in ("ranks", "size", "times", "one"):
        table.add_column(head, justify="right")
    table.add_column("algorithm")
    for wire in step.exchanges:
        e = wire.exchange
        table.add_row(e.dimension, e.collective, f"{e.ranks:,}", format_size(e.size_bytes), f"{e.count:,.0f}",
                      format_time_us(wire.one_s * 1e6), wire.algorithm)  # fmt: skip
    return table


def _facts(step: TrainingStep) -> list[tuple[str, Any]]:
    held, c = step.memory, step.compute
    kinds = {"weights": held.weights, "gradients": held.gradients, "optimizer": held.optimizer,
             "activations": held.activations}  # fmt: skip
    work = {"dense products": c.gemm_s, "experts": c.experts_s, "attention": c.attention_s, "vectors": c.vector_s,
            "launches": c.launch_s}  # fmt: skip
    return [
        ("binds", binds(step)),
        ("micro-batch", ", ".join(f"{k} {format_time_us(v * 1e6)}" for k, v in work.items() if v)),
        ("optimizer", format_time_us(c.update_s * 1e6)),
        ("memory", ", ".join(f"{k} {v / 1e9:.1f} GB" for k, v in kinds.items()) + f"; {_memory(step)} GB"),
        ("tokens/s", format_number(step.tokens_per_s)),
        ("power", f"network {known(step.network_power_w, format_power_w, False)}, "
                  f"site {known(step.facility_power_w, format_power_w, False)}"),
    ]  # fmt: skip


def _shares(found: Serving) -> Table:
    table = new_table("time of a token by part")
    table.add_column("part")
    table.add_column("share", justify="right")
    table.add_column("time", justify="right")
    for part, share in sorted(found.point.shares.items(), key=lambda pair: -pair[1]):
        name = "prefill of others" if part == "prefill" else part
        table.add_row(name, _percent(share), format_time_us(share * found.point.token_s * 1e6))
    table.add_row("token", _percent(1.0), format_time_us(found.point.token_s * 1e6))
    return table


def _front(found: Serving) -> list[Any]:
    """What no layout at no load beats in both, where several were tried."""
    if found.fitting < 2:
        return []
    table = new_table("best of all layouts by speed of a user")
    for head in ("tokens/s/user", "tokens/s/acc.", "requests", "first token"):
        table.add_column(head, justify="right")
    table.add_column("layout")
    for layout, p in found.front:
        table.add_row(format_number(p.tokens_per_s_per_user), format_number(p.tokens_per_s_per_accelerator),
                      format_number(p.concurrency), format_time_us(p.first_token_s * 1e6), str(layout))  # fmt: skip
    return [table, Text()]


def _curve(found: Serving) -> Table:
    """What of a replica's requests runs has a column where some wait."""
    points = found.inference.points
    columns = {
        "requests": [format_number(p.concurrency) for p in points],
        "running": [format_number(p.running) for p in points],
        "tokens/s\na user": [format_number(p.tokens_per_s_per_user) for p in points],
        "tokens/s\nper acc.": [format_number(p.tokens_per_s_per_accelerator) for p in points],
        "first\ntoken": [format_time_us(p.first_token_s * 1e6) for p in points],
        "worst\ntoken": [format_time_us(p.worst_token_s * 1e6) for p in points],
    }  # fmt: skip
    if columns["running"] == columns["requests"]:
        del columns["running"]
    table = new_table("by load of a replica")
    for head in columns:
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("binds", overflow="fold")
    for cells in zip(*columns.values(), (p.wall for p in points), strict=True):
        table.add_row(*cells)
    return table


def _serving_facts(found: Serving) -> list[tuple[str, Any]]:
    served, point = found.inference, found.point
    low, high = (format_time_us(s * 1e6) for s in (point.token_low_s, point.token_high_s))
    fit = f", {served.batch_limit:,} requests fit a replica" if served.batch_limit else ""
    load = f"{format_number(point.users)} users on {_many(served.replicas - served.prefill_replicas, 'replica')}"
    if served.prefill_replicas:
        load += f" that decode, {_many(served.prefill_replicas, 'replica')} that prefill"
    facts = [
        ("load", load),
        ("binds", point.wall),
        ("a token takes", format_time_us(point.token_s * 1e6) + (f" ({low} to {high})" if low != high else "")),
        ("memory", f"weights {served.weights_gb:.1f} GB an accelerator, cache in {served.cache} "
                   f"{served.cache_bytes_per_token:,.0f} B a token{fit}"),
        ("prefill", f"{format_time_us(served.prefill_s * 1e6)} of one prompt"),
        ("stack", served.stack),
    ]  # fmt: skip
    if point.hidden_s:
        hidden = format_time_us(point.hidden_s * 1e6)
        facts.append(("hidden", f"{hidden} of exchanges behind the other micro-batch, net of its reading of weights"))
    if point.tokens_per_j_facility is not None:
        rack, site = _rate(point.tokens_per_j_rack), _rate(point.tokens_per_j_facility)
        facts.append(("energy", f"{rack} tokens/J of racks and network, {site} of the site, of what is provisioned"))
    if served.transfer_s is not None:
        pairs = min(served.prefill_replicas, served.replicas - served.prefill_replicas)
        busy = point.tokens_per_s / served.output_tokens * served.transfer_s / pairs
        one = format_time_us(served.transfer_s * 1e6)
        facts.append(("transfer", f"{one} of a prompt's cache, {_percent(busy)} of the time at this load"))
    return facts


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _notes(done: Sequence[Answer]) -> list[Any]:
    """What answers stand on, each line once, with whose it is where not all have it."""
    lines: dict[str, list[str]] = {}
    for answer in done:
        for line in answer.said:
            lines.setdefault(line, []).append(_name(answer))
    shown: list[Any] = [Text(), Text("stands on:", style="dim")] if lines else []
    for line, names in lines.items():
        whose = "" if len(names) == len(done) else f"{'; '.join(names)}: "
        shown.append(Text(f"  {whose}{line}", style="dim"))
    return shown
