"""Which cable a link of a rate and a length takes: passive copper where it reaches, else active copper, else optics."""

from topologies.copper import copper_reach
from topologies.errors import ConfigError, ReachError
from topologies.parts import Cable, Catalogue, Optic

AUTO = "auto"
COPPER = ("dac", "acc", "aec")  # in the order of watts and dollars
OPTICS = "pluggable"
LONG_HAUL = "coherent"


def choose_cable(rate_gbps: float, length_m: float, parts: Catalogue) -> Cable | Optic:
    """The first of dac, acc, aec whose nominal budget closes over that length, else a pluggable optic that reaches.

    Of the optics the default one of the rate, else the one of least reach that suffices, then of least power. A cable
    whose length no source puts into doubt is what a plan may count on: one that only the best ends of the sources'
    ranges would carry is not taken. ReachError where nothing reaches.

    >>> from topologies.parts import catalogue
    >>> [choose_cable(800, m, catalogue()).name for m in (1, 4, 6, 30, 1000)]
    ['dac-800g', 'acc-800g', 'aec-800g', '800g-2xdr4', '800g-2xfr4']
    """
    for technology in COPPER:
        row = _default(technology, rate_gbps, parts)
        if row is not None and carries(row, length_m, parts):
            return row
    usual = _default(OPTICS, rate_gbps, parts)
    if usual is not None and carries(usual, length_m, parts):
        return usual
    optics = [row for row in parts.of_kind(Optic) if _joins_alone(row, rate_gbps) and carries(row, length_m, parts)]
    if not optics:
        raise ReachError(f"no cable of {rate_gbps:g} Gb/s reaches {length_m:g} m; {_longest_optic(rate_gbps, parts)}")
    return min(optics, key=lambda row: (row.reach_m, row.power_typical_w / row.rate_gbps))


def carries(row: Cable | Optic, length_m: float, parts: Catalogue) -> bool:
    """Does it close its loss budget at nominal values; where it has none, is it within its reach?"""
    budget = copper_reach(row, length_m, parts) if isinstance(row, Cable) else None
    if budget is not None:
        return budget.closes
    return row.reach_m is not None and length_m <= row.reach_m


def stays(row: Cable | Optic, length_m: float, parts: Catalogue) -> bool:
    """May a system's own cable stay at a length: does it reach, or is it built so long?

    >>> from topologies.parts import catalogue, part
    >>> [stays(part("xgmi-board", Cable), m, catalogue()) for m in (0.3, 0.6)]
    [True, False]
    """
    built = row.length_m if isinstance(row, Cable) else None
    longest = 0.0 if built is None else row.ranges.get("length_m", (built, built))[1]
    return carries(row, length_m, parts) or length_m <= longest


def longest_m(row: Cable | Optic) -> float | None:
    """The longest that any source gives a cable or an optic; None where none gives any.

    >>> from topologies.parts import part
    >>> longest_m(part("acc-1600g", Cable)), longest_m(part("800g-2xdr4", Optic))
    (4.0, 500)
    """
    return row.ranges["reach_m"][1] if "reach_m" in row.ranges else row.reach_m


def check_cable(row: Cable | Optic, rate_gbps: float, length_m: float, parts: Catalogue, where: str) -> None:
    """Raise ReachError for a cable that cannot carry its rate so far, with the margin in dB where it has a loss budget.

    >>> from topologies.parts import catalogue, part
    >>> check_cable(part("dac-400g", Cable), 400, 30, catalogue(), "technology=dac")
    Traceback (most recent call last):
    topologies.errors.ReachError: technology=dac: margin -140.6 dB: 30 m of dac-400g at 100 Gb/s a lane loses 156.6 dB \
of 16.0 dB, -168.4 to -115.7 dB by the sources' ranges; none is specified or sold above 3 m; technology=pluggable \
reaches
    """
    budget = copper_reach(row, length_m, parts) if isinstance(row, Cable) else None
    if budget is None:
        longest = longest_m(row)
        if longest is not None and length_m > longest:
            short = f"{length_m:g} m of {row.name} exceed its reach of {longest:g} m"
            raise ReachError(f"{where}: {short}; {_instead(rate_gbps, length_m, parts)}")
    elif budget.state == "over":
        why = f"margin {budget.margin_db:+.1f} dB: {budget.why}"
        raise ReachError(f"{where}: {why}; {_instead(rate_gbps, length_m, parts)}")


def _instead(rate_gbps: float, length_m: float, parts: Catalogue) -> str:
    """What would reach."""
    try:
        return f"technology={choose_cable(rate_gbps, length_m, parts).technology} reaches"
    except ReachError:
        return f"nothing in a building reaches {length_m:g} m; give a shorter length"


def _default(technology: str, rate_gbps: float, parts: Catalogue) -> Cable | Optic | None:
    try:
        return parts.default_cable(technology, rate_gbps)
    except ConfigError:
        return None


def _joins_alone(row: Optic, rate_gbps: float) -> bool:
    """Is it a module for two plain ports: retimed, in pairs of fibres, and fast enough?"""
    return row.technology == OPTICS and not row.bidirectional and row.rate_gbps >= rate_gbps


def _longest_optic(rate_gbps: float, parts: Catalogue) -> str:
    rows = [row for row in parts.of_kind(Optic) if _joins_alone(row, rate_gbps)]
    if not rows:
        return "no pluggable optic is so fast; give planes, or add one with --parts FILE"
    far = max(rows, key=lambda row: row.reach_m or 0)
    return f"{far.name} reaches {far.reach_m:g} m, sites are joined by coherent fibre"
