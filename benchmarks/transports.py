"""Fit the constants of transports.toml to measured collectives, and say how well they predict what was left out.

`python -m benchmarks.transports FILE.csv [--write] [--left-out OUT.csv]`: robustly, on log error (soft L1 at 5 %), one
family at a time. `--write` puts the fitted values into the catalogue. `--left-out` refits without each system, and
without each generation of links, whose constants then come from the others, and writes what each row is predicted to
be without its system, for benchmarks.intervals.
"""

import argparse
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from fabric.collectives import collective
from fabric.measuring.machines import Machine as Matched
from fabric.measuring.machines import NoMachineError, machine_of
from fabric.measuring.reading import Measurement, read_measured
from fabric.timing import Assumptions, Plan, candidates, work_of
from fabric.transports import Work, among, parse_transport, pricing
from topologies.library_kinds import DomainTransport, Fitted, NetworkTransport, PeerTransport
from topologies.parts import Catalogue, catalogue
from topologies.registry import build

FILE = Path(__file__).parents[1] / "topologies" / "catalogue" / "transports.toml"
LARGE = 16 * 2**20
PULL = 0.05  # towards the value before, as one row in log would: what no row tells stays
CEILING = {"share": 1.0, "copy_share": 30.0, "exchange_copy_share": 30.0, "join": 4.0}
ALONE = ("direct-transport", "striped-transport")  # kinds of rows that nothing can stand in for
PUBLISHED = {"launch_us": 6.6, "hop_us": 0.6}  # NCCL's own, src/graph/tuning.cc: count as one generation more
PUBLISHED_PEERS = {  # NCCL's own on PCIe: 12 of 15.75 GB/s, half of that where a ring turns, LL half again
    "launch_us": 6.6, "hop_us": 1.0, "floor_us": 8.4, "step_floor_us": 5.7, "pair_share": 0.76, "share": 0.38,
    "fall": 0.0, "copy_share": 1e3, "ll_pair_share": 0.38, "ll_share": 0.19,
}  # fmt: skip

Key = tuple[str, str]
Values = dict[Key, float]


@dataclass(frozen=True, eq=False)
class Group:
    """Rows of one collective on one machine: sizes and times, and what the library's algorithms do there."""

    matched: Matched
    system: str
    rows: tuple[Measurement, ...]
    size: NDArray[np.float64]
    measured_us: NDArray[np.float64]
    plans: tuple[Plan, ...]
    works: tuple[Work, ...]

    @property
    def names(self) -> set[str]:
        """Rows of the catalogue that price this machine."""
        topology = self.plans[0].topology
        transport = parse_transport(self.matched.transport, topology.catalogue)
        found = pricing(transport, among(topology, None), topology.name, topology.catalogue)
        assert found is not None
        rows: list[Fitted | None] = [found.library, found.harness, found.peer, found.direct, found.striped]
        rows += [] if found.constants is None else [found.constants.domain, found.constants.network]
        return {row.name for row in rows if row is not None}

    def predict_us(self, parts: Catalogue) -> NDArray[np.float64]:
        """The library's choice at each size under the constants of a catalogue."""
        topology = self.plans[0].topology
        transport = parse_transport(self.matched.transport, parts)
        found = pricing(transport, among(topology, None), topology.name, parts)
        assert found is not None
        best = np.full(len(self.size), np.inf)
        for plan, work in zip(self.plans, self.works, strict=True):
            raw = (plan.latency_s + plan.per_byte_s * self.size) * 1e6
            fastest = np.min([time(self.size) for time in found.times(work).values()], axis=0)
            best = np.minimum(best, np.maximum(raw, fastest))
        return best


def read_groups(path: Path) -> list[Group]:
    """The rows of a file by machine and collective; those that no rule serves are left out."""
    rows: dict[tuple[str, ...], list[tuple[Measurement, float]]] = defaultdict(list)
    machines: dict[tuple[str, ...], Matched] = {}
    for row in read_measured(path)[0]:
        try:
            matched = machine_of(row)
        except NoMachineError:
            continue
        time_us = row.measured_us(matched.ranks)
        if time_us is not None:
            key = (matched.spec, matched.transport, row.system, row.collective)
            machines[key] = matched
            rows[key].append((row, time_us))
    groups = []
    for key, held in rows.items():
        matched, system, pattern = machines[key], key[2], key[3]
        topology = build(matched.spec)
        asked = collective(pattern, len(topology.accelerators))
        plans = tuple(candidates(topology, asked, Assumptions(transport=matched.transport)))
        if plans[0].pricing is not None:
            kept = [row for row, _ in held]
            size = np.array([row.size_bytes for row in kept], np.float64)
            times = np.array([time for _, time in held])
            groups.append(Group(matched, system, tuple(kept), size, times, plans, tuple(map(work_of, plans))))
    return groups


def fitted_keys(parts: Catalogue) -> list[Key]:
    """Every constant that is fitted, by row and key."""
    return [(row.name, key) for row in parts.values() if isinstance(row, Fitted) for key in row.fitted]


def with_values(parts: Catalogue, values: Mapping[Key, float]) -> Catalogue:
    """The catalogue with other constants."""
    changed: dict[str, dict[str, Any]] = defaultdict(dict)
    for (name, key), value in values.items():
        changed[name][key] = value
    return Catalogue({**parts, **{name: replace(parts[name], **new) for name, new in changed.items()}}, parts.hash)


FAMILIES: tuple[Callable[[Group], bool], ...] = (
    lambda g: g.matched.domains == 1 and any(n.startswith(("nccl-nvlink", "ici")) for n in g.names),
    lambda g: any(n.startswith("nccl-pcie") for n in g.names),
    lambda g: g.matched.domains > 1,
)


def fit(groups: Sequence[Group], parts: Catalogue) -> Catalogue:
    """Constants that explain the rows best, family after family: a later one keeps what an earlier one fitted."""
    done: set[Key] = set()
    for belongs in FAMILIES:
        held = [group for group in groups if belongs(group)]
        names = set().union(*(group.names for group in held))
        keys = [key for key in fitted_keys(parts) if key[0] in names and key not in done]
        keys = [key for key in keys if _matters(held, parts, key)]
        if held and keys:
            parts = _fit(held, parts, keys)
            done |= set(keys)
    return parts


def _matters(groups: Sequence[Group], parts: Catalogue, key: Key) -> bool:
    """Does a constant change any prediction?"""
    other = with_values(parts, {key: 1.02 * getattr(parts[key[0]], key[1])})
    return any(not np.array_equal(g.predict_us(parts), g.predict_us(other)) for g in groups if key[0] in g.names)


def _fit(groups: Sequence[Group], parts: Catalogue, keys: Sequence[Key]) -> Catalogue:
    start = np.log([getattr(parts[name], key) for name, key in keys])
    measured = [np.log(group.measured_us) for group in groups]
    names = [group.names for group in groups]

    def residuals(x: NDArray[np.float64]) -> NDArray[np.float64]:
        there = with_values(parts, dict(zip(keys, np.exp(x).tolist(), strict=True)))
        errors = [np.log(g.predict_us(there)) - m for g, m in zip(groups, measured, strict=True)]
        return np.concatenate([*errors, PULL * (x - start)])

    def jacobian(x: NDArray[np.float64]) -> NDArray[np.float64]:
        """By differences, of the groups that a constant prices alone."""
        there = with_values(parts, dict(zip(keys, np.exp(x).tolist(), strict=True)))
        base = [np.log(g.predict_us(there)) for g in groups]
        step = 1e-5
        columns = []
        for i, (name, key) in enumerate(keys):
            moved = with_values(there, {(name, key): float(np.exp(x[i] + step))})
            column = [
                (np.log(g.predict_us(moved)) - b) / step if name in held else np.zeros(len(b))
                for g, b, held in zip(groups, base, names, strict=True)
            ]
            pull = np.zeros(len(keys))
            pull[i] = PULL
            columns.append(np.concatenate([*column, pull]))
        return np.array(columns).T

    most = np.log([CEILING.get(key, np.inf) for _, key in keys])
    found = least_squares(
        residuals, np.minimum(start, most - 1e-9), jac=jacobian, bounds=(-np.inf, most), loss="soft_l1", f_scale=0.05,
        max_nfev=60,
    )  # fmt: skip
    return with_values(parts, dict(zip(keys, np.exp(found.x).tolist(), strict=True)))


def errors(groups: Iterable[Group], parts: Catalogue) -> list[tuple[str, float, float]]:
    """System, size and relative error of every row."""
    return [
        (group.system, size, error)
        for group in groups
        for size, error in zip(group.size, group.predict_us(parts) / group.measured_us - 1, strict=True)
    ]


def told(label: str, rows: Sequence[tuple[str, float, float]]) -> None:
    """One line: median, 90th percentile and signed median of the absolute error, large and small."""
    line = []
    for band, keep in (("large", True), ("small", False)):
        e = np.array([error for _, size, error in rows if (size >= LARGE) == keep])
        if len(e):
            over = f"{np.median(abs(e)):6.1%} {np.quantile(abs(e), 0.9):6.1%} {np.median(e):+6.1%}"
            line.append(f"{band} {len(e):5} {over}")
    print(f"{label:44.44} {'   '.join(line)}")


def over_systems(rows: Sequence[tuple[str, float, float]]) -> None:
    """The median of the systems' medians."""
    for band, keep in (("large", True), ("small", False)):
        by: dict[str, list[float]] = defaultdict(list)
        for system, size, error in rows:
            if (size >= LARGE) == keep:
                by[system].append(abs(error))
        print(f"  {band}: median over {len(by)} systems {np.median([np.median(e) for e in by.values()]):.1%}")


def inherited(parts: Catalogue, groups: Sequence[Group]) -> Catalogue:
    """Constants of rows that no group prices: of a domain, rates as of the nearest generation and latencies as the mean
    of all and of NCCL's own; of PCIe NCCL's own; of a network the median of the others."""
    used = set().union(*(group.names for group in groups))
    changed: dict[str, Fitted] = {}
    for row in parts.values():
        if row.name in used or not isinstance(row, DomainTransport | PeerTransport | NetworkTransport):
            continue
        others = [other for other in parts.of_kind(type(row)) if other.name in used]
        made = {key: _from_others(row, key, others) for key in row.fitted}
        changed[row.name] = replace(row, **made)  # type: ignore[arg-type]
    return Catalogue({**parts, **changed}, parts.hash)


def _from_others(row: Fitted, key: str, others: Sequence[Fitted]) -> float | None:
    known = [float(value) for other in others if (value := getattr(other, key)) is not None]
    if isinstance(row, PeerTransport):
        return PUBLISHED_PEERS[key]
    if not known:
        return None
    if isinstance(row, NetworkTransport):
        return float(np.median(known))
    if key.endswith("_us"):
        own = [*known, *([PUBLISHED[key]] if key in PUBLISHED else [])]
        return float(np.exp(np.mean(np.log(own)))) if min(own) > 0 else float(np.mean(own))
    nearest = min(
        (other for other in others if getattr(other, key) is not None),
        key=lambda other: (abs(int(other.name[-1]) - int(row.name[-1])), int(other.name[-1]) > int(row.name[-1])),
    )
    return float(getattr(nearest, key))


def left_out(groups: Sequence[Group], parts: Catalogue, path: Path) -> None:
    """Errors of rows whose system, or generation of links, was left out of the fit; the former's times into a file."""
    lines = ["row,predicted_us"]
    for what, of in (("system", lambda g: g.system), ("generation", _generation)):
        every: list[tuple[str, float, float]] = []
        relatives: list[tuple[str, float, float]] = []
        for label in dict.fromkeys(map(of, groups)):
            if label is None:
                continue
            kept = [group for group in groups if of(group) != label]
            out = [group for group in groups if of(group) == label]
            used = set().union(*(group.names for group in kept))
            if any(parts[name].kind in ALONE for group in out for name in group.names - used):
                print(f"{what} left out: {label}: nothing else of its kind")
                continue
            there = inherited(fit(kept, parts), kept)
            found = errors(out, there)
            if what == "system":
                for group in out:
                    times = zip(group.rows, group.predict_us(there).tolist(), strict=True)
                    lines += [f"{row.row},{time:.6g}" for row, time in times]
            told(f"{what} left out: {label}", found)
            every += found
            relatives += found if all(g.names <= used for g in out) else []
        told(f"{what} left out, all", every)
        told(f"{what} left out, a relative remains", relatives)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _generation(group: Group) -> str | None:
    return next((name for name in sorted(group.names) if name.startswith(("nccl-nvlink", "nccl-pcie"))), None)


def write(parts: Catalogue) -> None:
    """Put the fitted values into the catalogue's file, to three digits."""
    text = FILE.read_text(encoding="utf-8")
    for name, key in fitted_keys(parts):
        start = text.index(f'name = "{name}"\n')
        end = text.find("[[part]]", start)
        end = len(text) if end < 0 else end
        block = re.sub(rf"(?m)^{key} = .*$", f"{key} = {getattr(parts[name], key):.4g}", text[start:end], count=1)
        text = text[:start] + block + text[end:]
    FILE.write_text(text, encoding="utf-8")


def main() -> None:
    """The fit, its errors, and what was asked for besides."""
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("measured", type=Path)
    given.add_argument("--write", action="store_true")
    given.add_argument("--left-out", type=Path, metavar="OUT.csv")
    asked = given.parse_args()
    groups = read_groups(asked.measured)
    parts = catalogue()
    told("as the catalogue stands", errors(groups, parts))
    parts = fit(groups, parts)
    found = errors(groups, parts)
    told(f"fitted, {len(fitted_keys(parts))} constants", found)
    over_systems(found)
    for system in dict.fromkeys(group.system for group in groups):
        told(f"  {system}", [row for row in found if row[0] == system])
    if asked.write:
        write(parts)
    if asked.left_out:
        left_out(groups, parts, asked.left_out)


if __name__ == "__main__":
    main()
