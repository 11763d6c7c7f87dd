"""Repair: what can be done about a lost port, circuit switch or cube, ranked, with leaving it as the first choice."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fabric.planning.demand import Matrix
from fabric.planning.losses import Losses, losses_of, read_losses
from fabric.planning.plan import Plan
from fabric.planning.planner import Options, plan_change
from fabric.planning.pods import Pod, changes, usable_chips
from fabric.planning.ports import Ports, ports_of_layer
from fabric.planning.spares import replug
from fabric.planning.state import by_blocks
from fabric.planning.target import block_links, carried, circuits_of, rounded, scaled
from fabric.planning.wiring import lower_bound
from topologies.circuits import SIDE_A, CircuitLayer
from topologies.errors import ConfigError, InfeasibleError, unknown
from topologies.parts import Catalogue, catalogue

KINDS = ("ocs", "port", "link", "cube")
_PORT = re.compile(r"(?:ocs-)?(\d{1,6}):([AaBb])(\d{1,6})")
_LINK = re.compile(r"(?:ocs-)?(\d{1,6}):[Aa]?(\d{1,6})-[ABab]?(\d{1,6})")
_NUMBER = re.compile(r"(?:ocs-|cube-)?(\d{1,6})")
GAP = 0.002  # of the throughputs
GAIN = 1e-6  # of the demand, below which circuits are not mapped
LISTED = 8  # dark cross-connects named
MOST_SPARES = 8  # cubes offered for a lost one; all cost the same


@dataclass(frozen=True, slots=True)
class Faults:
    """What is lost: whole switches, ports (switch, side, port), cross-connects (switch and two ports), cubes."""

    switches: tuple[int, ...] = ()
    ports: tuple[tuple[int, int, int], ...] = ()
    links: tuple[tuple[int, int, int], ...] = ()
    cubes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Option:
    """One choice. `throughput` is the certified share of the demand that is carried after it, `chips` those in whole
    slices of a pod; `fibres` are moved by hand, which takes as long as it takes: `minutes` are those of a plan's
    stages. `plan` leads there where the option is one of circuits alone, `layer` is the state after it where moved
    fibres or cubes make that."""

    title: str
    down: int
    up: int
    throughput: float | None
    chips: int | None = None
    fibres: int = 0
    minutes: float | None = None
    notes: tuple[str, ...] = ()
    plan: Plan | None = field(default=None, repr=False)
    layer: CircuitLayer | None = field(default=None, repr=False)

    def document(self) -> dict[str, Any]:
        """The keys of an option in `plan --repair --json`."""
        keys = ("title", "down", "up", "throughput", "chips", "fibres", "minutes")
        return {**{key: getattr(self, key) for key in keys}, "notes": list(self.notes)}


def read_faults(text: str) -> Faults:
    """Faults written as `ocs=3,port=5:A17,link=4:17-40,cube=9`: a whole switch; a port of a switch; a cross-connect,
    either of whose ports may be the dead one; a cube of a pod.

    >>> read_faults("ocs=3,link=4:17-40")
    Faults(switches=(3,), ports=(), links=((4, 17, 40),), cubes=())
    """
    found: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    for term in text.split(","):
        kind, equals, value = (part.strip() for part in term.partition("="))
        if kind not in KINDS or not equals:
            raise ConfigError(unknown("fault", kind, KINDS, "write ocs=3, port=5:A17, link=4:17-40 or cube=9"))
        pattern, form = {"port": (_PORT, "5:A17"), "link": (_LINK, "4:17-40")}.get(kind, (_NUMBER, "3"))
        match = pattern.fullmatch(value)
        if match is None:
            raise ConfigError(f"fault '{term.strip()}' cannot be read; write {kind}={form}")
        a, *rest = match.groups()
        if kind == "port":
            found[kind].append((int(a), "AB".index(rest[0].upper()), int(rest[1])))
        elif kind == "link":
            found[kind].append((int(a), int(rest[0]), int(rest[1])))
        else:
            found[kind].append(int(a))
    return Faults(*(tuple(dict.fromkeys(found[kind])) for kind in KINDS))


def dead_ports(layer: CircuitLayer, faults: Faults) -> NDArray[np.int32]:
    """int32[F, 3]: the ports that faults make unusable; ConfigError where a fault names what is not there."""
    rows: list[tuple[int, ...]] = []
    reached = {tuple(row) for row in layer.strands[:, :3].tolist()}
    for k in [*faults.switches, *(row[0] for row in (*faults.ports, *faults.links))]:
        if k >= layer.devices:
            raise ConfigError(f"there is no ocs-{k}; the fabric has ocs-0 to ocs-{layer.devices - 1}")
    for k in faults.switches:
        rows += layer.strands[layer.strands[:, 0] == k][:, :3].tolist()
    for port in faults.ports:
        if port not in reached:
            raise ConfigError(f"no fibre leads to port {'AB'[port[1]]}{port[2]} of ocs-{port[0]}; name a used one")
        rows.append(port)
    up = {tuple(row) for row in layer.state.tolist()}
    for k, a, b in faults.links:
        if (k, a, b) not in up and not (layer.model(k).any_to_any and (k, b, a) in up):
            raise ConfigError(f"ocs-{k} has no cross-connect {a}-{b}; name one that is up")
        rows += [(k, SIDE_A, a), (k, int(layer.last_side[k]), b)]
    return np.unique(np.array(rows, np.int32).reshape(-1, 3), axis=0)


def repair(
    layer: CircuitLayer,
    faults: Faults,
    *,
    options: Options = Options(),  # noqa: B008
    domains: Sequence[int] | None = None,
    parts: Catalogue | None = None,
) -> list[Option]:
    """Options for a mesh of blocks, option 0 to leave it; the demand is what is wired today unless `options` say.

    The others: fibres of dead ports moved to free ports of the same switch by hand; the links that the ports left over
    can still make, with the fewest circuits moved (within one link a pair of what is best); the same levelled to the
    nearest whole links. Both are only counted, not mapped to switches, where they carry no more than leaving it.
    Ranked by throughput, then by circuits taken down.

    >>> from topologies.registry import build
    >>> layer = build("jupiter:blocks=4,uplinks=12").circuits
    >>> [(o.title, o.up, round(o.throughput, 3)) for o in repair(layer, read_faults("port=0:A0"))[:2]]
    [('leave it', 0, 0.917), ('move 1 fibre to free ports of the same switch', 1, 1.0)]
    """
    if faults.cubes:
        raise ConfigError("a cube is part of a TPU pod; this fabric has blocks, whose ports and switches can be lost")
    whole = by_blocks(layer)
    today = ports_of_layer(whole, domains=domains)
    wanted = today.links(today.counts()) * today.pair_rates() if options.demand is None else options.demand
    asked = replace(options, demand=wanted)
    dead = dead_ports(whole, faults)
    broken = whole.with_failed(dead)
    ports = ports_of_layer(broken, domains=domains)
    left = _left(ports, wanted, len(whole.state) - len(broken.state))
    others, known = [], None
    if options.losses is not None:
        measured = read_losses(options.losses, today.wiring.switches)
        known = losses_of(measured, today, parts or catalogue(), layer=whole, limit_db=options.loss_limit_db)
    moved = _by_hand(whole, dead, known) if not faults.switches else None
    if moved is not None:
        after, fibres = moved
        kept = ports_of_layer(after, domains=domains)
        what = f"move {fibres} fibre{'s' if fibres > 1 else ''} to free ports of the same switch"
        others.append(
            Option(title=what, down=0, up=len(after.state) - len(broken.state), fibres=fibres, layer=after,
                   throughput=_carried(kept, wanted), notes=("by hand",))
        )  # fmt: skip
    first = _dark(whole, broken)
    levelled = _levelled(ports, wanted, left.throughput or 0.0, asked, first, parts or catalogue())
    if not levelled:
        left = replace(left, notes=(*left.notes, "no other links can be made of the ports that are left"))
    others += levelled
    return [left, *sorted(others, key=lambda one: (-round(one.throughput or 0, 6), one.down, one.fibres))]


def _left(ports: Ports, wanted: Matrix, lost: int) -> Option:
    note = f"{lost:,} cross-connects are lost; rerouting takes up what the rest can carry"
    return Option(title="leave it", down=0, up=0, throughput=_carried(ports, wanted), minutes=0.0, notes=(note,))


def _carried(ports: Ports, wanted: Matrix) -> float:
    return carried(ports.links(ports.counts()), wanted, ports)[0]


def _by_hand(
    whole: CircuitLayer, dead: NDArray[np.int32], losses: Losses | None = None
) -> tuple[CircuitLayer, int] | None:
    """The layer with the strands of dead ports on free ports of the same side, and how many; None without enough."""
    try:
        after, moved = replug(whole, dead, losses)
    except InfeasibleError:
        return None
    return after, len(moved)


def _dark(whole: CircuitLayer, broken: CircuitLayer) -> str:
    """What still stands on dead ports and must go before a plan that starts from what is left."""
    gone = sorted({tuple(row) for row in whole.state.tolist()} - {tuple(row) for row in broken.state.tolist()})
    shown = ", ".join(f"ocs-{k} {a}-{b}" for k, a, b in gone[:LISTED])
    return f"delete what is dark first: {shown}{', ...' if len(gone) > LISTED else ''}"


def _levelled(
    ports: Ports, wanted: Matrix, left: float, asked: Options, first: str, parts: Catalogue
) -> list[Option]:
    """What the ports that are left can do; planned only where it carries more than leaving them."""
    now, own, found = ports.links(ports.counts()), block_links(ports), []
    share = wanted / ports.pair_rates()
    fraction = scaled(np.maximum(share, share.T), own)
    seen = {now.tobytes()}
    for slack, title in ((1.0, "make the links that ports left over can"), (0.5, "level all links again")):
        links = rounded(fraction, own, now, slack, seed=asked.seed)
        if links.tobytes() in seen:
            continue
        seen.add(links.tobytes())
        throughput = carried(links, wanted, ports)[0]
        made, notes = None, [f"throughput of a feasible routing, to {GAP:.1%}"]
        if throughput <= left + GAIN:
            notes.append("carries no more than leaving it; not mapped to switches, circuits are a lower bound")
        else:
            try:
                made = plan_change(ports, circuits_of(ports, links), None, asked, parts)
                notes.append(first)
            except InfeasibleError as error:
                notes.append(f"{error}; circuits are a lower bound")
        each = ports.lanes * (2 if ports.paired else 1)
        found.append(
            Option(
                title=title,
                down=lower_bound(now, links) * each if made is None else made.summary["down"],
                up=lower_bound(links, now) * each if made is None else made.summary["up"],
                throughput=throughput,
                minutes=None if made is None else made.summary["minutes"],
                notes=tuple(notes),
                plan=made,
            )
        )
    return found


def repair_pod(
    pod: Pod,
    faults: Faults,
    *,
    options: Options = Options(),  # noqa: B008
    parts: Catalogue | None = None,
) -> list[Option]:
    """Options for slices of a TPU pod, option 0 to leave it: for a lost cube each spare one in its place, the nearest
    in number first (all move as many circuits, and the slice keeps its shape); for ports, fibres to free ports.

    ConfigError for a cube that the pod has not.

    >>> from fabric.planning.pods import read_pod
    >>> options = repair_pod(read_pod("tpu-pod:slice=8x8x8"), read_faults("cube=3"))
    >>> [(o.title, o.down, o.up, o.chips) for o in options[:2]]
    [('leave it', 0, 0, 0), ('put cube 8 in the place of cube 3', 96, 96, 512)]
    """
    for cube in faults.cubes:
        if cube >= pod.cubes:
            raise ConfigError(f"there is no cube {cube}; the pod has cubes 0 to {pod.cubes - 1}")
    layer = pod.layer()
    dead = dead_ports(layer, faults)
    broken = layer.with_failed(dead)
    hit = Pod(pod.slices, pod.lost | set(faults.cubes))
    chips = sum(one.chips for one in hit.slices if _whole(one.cubes, layer, broken) and not hit.lost & set(one.cubes))
    found = [_pod_left(pod, hit, len(layer.state) - len(broken.state), chips)]
    if faults.cubes and not len(dead):
        found += _swaps(pod, hit, faults.cubes, options, parts or catalogue())
    moved = _by_hand(layer, dead) if len(dead) and not faults.cubes and not faults.switches else None
    if moved is not None:
        after, fibres = moved
        found.append(
            Option(title=f"move {fibres} fibre{'s' if fibres > 1 else ''} to free ports of the same switch", down=0,
                   up=len(after.state) - len(broken.state), throughput=None, chips=pod.chips, fibres=fibres,
                   layer=after, notes=("by hand",))
        )  # fmt: skip
    return found


def _whole(cubes: Sequence[int], layer: CircuitLayer, broken: CircuitLayer) -> bool:
    """Does a slice keep all of its circuits?"""
    gone = {tuple(row) for row in layer.state.tolist()} - {tuple(row) for row in broken.state.tolist()}
    own, pod = set(cubes), len(layer.blocks)
    return not any(a % pod in own or b % pod in own for _, a, b in gone)


def _pod_left(pod: Pod, hit: Pod, lost: int, chips: int) -> Option:
    down = [one for one in pod.slices if hit.lost & set(one.cubes)]
    waiting, plural = sum(one.chips for one in down), "s" if len(down) > 1 else ""
    notes = [f"{waiting:,} chips of {len(down)} slice{plural} wait for the cube"] if down else []
    if lost:
        notes.append(f"{lost:,} cross-connects are lost; slices with a gap run on only where routing goes round it")
    return Option(title="leave it", down=0, up=0, throughput=None, chips=chips, minutes=0.0, notes=tuple(notes))


def _swaps(pod: Pod, hit: Pod, lost: Sequence[int], options: Options, parts: Catalogue) -> list[Option]:
    """A spare cube for each lost one that a slice uses."""
    used = [cube for cube in lost if any(cube in one.cubes for one in pod.slices)]
    spares = hit.spares
    if not used:
        return []
    if len(spares) < len(used):
        return []
    found: list[Option] = []
    near = sorted(spares, key=lambda spare: (abs(spare - used[0]), spare))
    before = ports_of_layer(pod.layer())
    for first in near[:MOST_SPARES] if len(used) == 1 else near[:1]:
        chosen = [first, *(spare for spare in near if spare != first)][: len(used)]
        after = Pod(pod.slices, pod.lost | (set(lost) - set(used)))
        for cube, spare in zip(used, chosen, strict=True):
            after = after.swapped(cube, spare)
        down, up = changes(pod.layer(), after.layer())
        names = ", ".join(f"cube {spare} in the place of cube {cube}" for cube, spare in zip(used, chosen, strict=True))
        during = usable_chips(hit, after)[1]
        made = plan_change(before, None, ports_of_layer(after.layer()).circuits, options, parts)
        found.append(
            Option(title=f"put {names}", down=down, up=up, throughput=None, chips=after.chips, layer=after.layer(),
                   minutes=made.summary["minutes"], plan=made,
                   notes=(f"{during:,} chips in slices that no change touches",))
        )  # fmt: skip
    return found
