"""What a copper cable loses on its way, and whether that leaves its receiver enough to read."""

from dataclasses import dataclass

from topologies.errors import ReachError
from topologies.parts import Cable, Catalogue, CopperMode, Twinax

MARGINAL_DB = 1.0
ROUNDING_DB = 1e-9


@dataclass(frozen=True, slots=True)
class Reach:
    """A copper cable's loss against what its mode allows, both with the range that the sources leave.

    `spread_db` is how far the margin may lie below and above its nominal value; `sold_m` the longest that is specified
    or sold.
    """

    cable: str
    length_m: float
    lane_gbps: float
    loss_db: float
    allowance_db: float
    estimated: bool
    sold_m: float | None = None
    spread_db: tuple[float, float] = (0.0, 0.0)

    @property
    def margin_db(self) -> float:
        """Allowance less loss, both nominal."""
        return self.allowance_db - self.loss_db

    @property
    def bounds_db(self) -> tuple[float, float]:
        """The margin at the worst and at the best ends of the sources' ranges."""
        return self.margin_db - self.spread_db[0], self.margin_db + self.spread_db[1]

    @property
    def state(self) -> str:
        """ok: 1 dB and more is left at nominal values. over: nothing is left even where every source is at its best
        end, or the cable is longer than anything specified or sold. marginal: between them, the sources decide.

        >>> Reach("c", 3.0, 200, 28.5, 13.2, True).state, Reach("c", 3.0, 200, 28.5, 13.2, True, None, (9, 16)).state
        ('over', 'marginal')
        """
        if self.bounds_db[1] < -ROUNDING_DB or (self.sold_m is not None and self.length_m > self.sold_m + 1e-9):
            return "over"
        return "ok" if self.margin_db >= MARGINAL_DB else "marginal"

    @property
    def closes(self) -> bool:
        """Does the nominal budget close: what a plan may count on."""
        return self.state != "over" and self.margin_db >= -ROUNDING_DB

    @property
    def why(self) -> str:
        """The budget in words."""
        low, high = self.bounds_db
        return (
            f"{self.length_m:g} m of {self.cable} at {self.lane_gbps:g} Gb/s a lane loses {self.loss_db:.1f} dB "
            f"of {self.allowance_db:.1f} dB"
            + (f", {low:+.1f} to {high:+.1f} dB by the sources' ranges" if self.spread_db != (0.0, 0.0) else "")
            + (f"; none is specified or sold above {self.sold_m:g} m" if self.sold_m is not None else "")
        )


def copper_reach(cable: Cable, length_m: float, parts: Catalogue) -> Reach | None:
    """Budget of one copper cable: allowance of its mode less length times loss per metre of its gauge at Nyquist.

    The loss model is the catalogue's (skin effect and foam dielectric, fitted to what is sold); None for a board, or a
    cable whose gauge or mode nobody states. ReachError where the catalogue has no loss at that frequency.

    >>> from topologies.parts import catalogue, part
    >>> round(copper_reach(part("nvlink5-cartridge", Cable), 1.0, catalogue()).margin_db, 1)
    3.7
    """
    if cable.copper_mode is None or cable.gauge_awg is None:
        return None
    mode = parts.part(cable.copper_mode, CopperMode)
    reach = _longest(cable)
    sold = min((m for m in (mode.max_length_m, reach) if m is not None), default=None)
    return copper_budget(cable.name, mode, parts.part(f"twinax-{cable.gauge_awg}awg", Twinax), length_m, sold)


def copper_budget(name: str, mode: CopperMode, wire: Twinax, length_m: float, sold_m: float | None = None) -> Reach:
    """Budget of a length of wire in a mode; the spread from the ranges of the mode's allowance and the wire's loss.

    >>> from topologies.parts import part
    >>> ck, awg30 = part("passive-100g", CopperMode), part("twinax-30awg", Twinax)
    >>> copper_budget("mine", ck, awg30, 2.0).state, copper_budget("mine", ck, awg30, 3.0).state
    ('marginal', 'over')
    """
    key = f"{mode.nyquist_ghz:g}"
    loss = wire.loss_db_per_m.get(key)
    if loss is None:
        raise ReachError(
            f"{wire.name} has no loss at {mode.nyquist_ghz:g} GHz; it has {', '.join(wire.loss_db_per_m)} GHz"
        )
    low, high = mode.ranges.get("allowance_db", (mode.allowance_db, mode.allowance_db))
    less, more = loss - wire.loss_db_per_m_low.get(key, loss), wire.loss_db_per_m_high.get(key, loss) - loss
    spread = (mode.allowance_db - low + more * length_m, high - mode.allowance_db + less * length_m)
    lost, guess = loss * length_m, bool(mode.estimates)
    return Reach(name, length_m, mode.lane_gbps, lost, mode.allowance_db, guess, sold_m, spread)


def _longest(cable: Cable) -> float | None:
    return cable.ranges["reach_m"][1] if "reach_m" in cable.ranges else cable.reach_m
