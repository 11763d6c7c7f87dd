"""Quantities as people write them: "400 Gb/s", "1GiB", "3 m"; floats inside, the unit in the name."""

import math
import re
from fractions import Fraction

from topologies.errors import ConfigError

_QUANTITY = re.compile(r"\s*([+-]?(?:\d{1,30}\.?\d{0,30}|\.\d{1,30})(?:[eE][+-]?\d{1,2})?)\s*([^\d\s].*?)?\s*$")

_BYTES = {"": 1.0, "b": 1.0}
for _power, _letter in enumerate("kmgtp", start=1):
    _BYTES |= {f"{_letter}b": 1e3**_power, f"{_letter}ib": 1024.0**_power, _letter: 1024.0**_power}
_RATES_GBPS = {
    "": 1.0, "gb/s": 1.0, "gbps": 1.0, "gbit/s": 1.0, "g": 1.0,
    "tb/s": 1e3, "tbps": 1e3, "tbit/s": 1e3, "t": 1e3,
    "mb/s": 1e-3, "mbps": 1e-3, "mbit/s": 1e-3,
}  # fmt: skip
_WATTS = {"": 1.0, "w": 1.0, "kw": 1e3, "mw": 1e6, "gw": 1e9}

_DOLLARS = {"": 1.0, "usd": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9}


def _parse(text: str, units: dict[str, float], what: str, example: str) -> Fraction:
    match = _QUANTITY.match(text)
    unit = (match.group(2) or "").lower() if match else ""
    if match is None or unit not in units:
        raise ConfigError(f"{what} '{text}' cannot be read; write it like {example}")
    return Fraction(match.group(1)) * Fraction(units[unit])


def parse_size_bytes(text: str | float) -> int:
    """Bytes of a message size; KiB, MiB, GiB are powers of 1024, KB, MB, GB powers of 1000, K, M, G mean KiB, MiB, GiB.

    Raises ConfigError for what cannot be read, is not a whole number of bytes, or is below one byte.

    >>> parse_size_bytes("1GiB"), parse_size_bytes("8 MB"), parse_size_bytes(512)
    (1073741824, 8000000, 512)
    """
    value = _parse(str(text), _BYTES, "size", "1GiB, 8MB or 512")
    if value < 1:
        raise ConfigError(f"size '{text}' is below one byte; write it like 1GiB, 8MB or 512")
    if value > 2**62:
        raise ConfigError(f"size '{text}' is above 4 EiB; write it like 1GiB, 8MB or 512")
    if value != int(value):
        raise ConfigError(f"size '{text}' is not a whole number of bytes; write it like 1GiB, 8MB or 512")
    return int(value)


def parse_rate_gbps(text: str | float) -> float:
    """Gb/s of a link rate, one direction; a bare number is Gb/s. "GB/s" (bytes) is taken by its capital B.

    >>> parse_rate_gbps("400 Gb/s"), parse_rate_gbps("1.6 Tb/s"), parse_rate_gbps("50 GB/s"), parse_rate_gbps(200)
    (400.0, 1600.0, 400.0, 200.0)
    """
    given = str(text).strip()
    bytes_per_s = re.search(r"[TGMtgm]B(/[sS]|[pP][sS])$", given) is not None
    rate = float(_parse(given, _RATES_GBPS, "rate", "400, 400Gb/s or 1.6Tb/s") * (8 if bytes_per_s else 1))
    if rate <= 0:
        raise ConfigError(f"rate '{text}' is not above zero; write it like 400, 400Gb/s or 1.6Tb/s")
    return rate


def parse_length_m(text: str | float) -> float:
    """Metres of a length; a bare number is metres.

    >>> parse_length_m("3 m"), parse_length_m("50cm"), parse_length_m(2)
    (3.0, 0.5, 2.0)
    """
    return float(_parse(str(text), {"": 1.0, "m": 1.0, "cm": 0.01, "km": 1e3}, "length", "3, 3m or 0.5km"))


def parse_power_w(text: str | float) -> float:
    """Watts; a bare number is watts, "MW" are megawatts.

    >>> parse_power_w("4MW"), parse_power_w("132 kW"), parse_power_w(900)
    (4000000.0, 132000.0, 900.0)
    """
    power = float(_parse(str(text), _WATTS, "power", "4MW, 132kW or 900"))
    if power <= 0:
        raise ConfigError(f"power '{text}' is not above zero; write it like 4MW, 132kW or 900")
    return power


def parse_usd(text: str | float) -> float:
    """Dollars; a bare number is dollars, the sign stands before or after.

    >>> parse_usd("200M$"), parse_usd("$1.5B"), parse_usd("40 k$"), parse_usd(900)
    (200000000.0, 1500000000.0, 40000.0, 900.0)
    """
    given = str(text).strip()
    bare = given.removeprefix("$") if given.startswith("$") else given.removesuffix("$")
    dollars = float(_parse(bare, _DOLLARS, "dollars", "200M$, $1.5B or 40k$"))
    if dollars <= 0:
        raise ConfigError(f"dollars '{text}' are not above zero; write them like 200M$, $1.5B or 40k$")
    return dollars


def _scaled(value: float, units: list[tuple[float, str]], digits: int) -> str:
    size = float(f"{abs(value):.{digits - 1}e}")  # rounded first, so that 999.96 W is 1 kW
    scale, unit = next((pair for pair in units if size >= pair[0]), units[-1])
    return f"{_plain(value / scale, digits)} {unit}"


def _plain(value: float, digits: int) -> str:
    """Significant digits without an exponent: 1296, 51.2, 0.992."""
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_size(size_bytes: float) -> str:
    """A size with a binary unit.

    >>> format_size(2**30), format_size(1536)
    ('1 GiB', '1.5 KiB')
    """
    units = [(1024.0**4, "TiB"), (1024.0**3, "GiB"), (1024.0**2, "MiB"), (1024.0, "KiB"), (0.0, "B")]
    return _scaled(size_bytes, [(s or 1.0, u) for s, u in units], 4)


def format_time_us(time_us: float) -> str:
    """A time with the unit that reads best.

    >>> format_time_us(5327.4), format_time_us(0.79), format_time_us(2.5e6)
    ('5.327 ms', '790 ns', '2.5 s')
    """
    return _scaled(time_us, [(1e6, "s"), (1e3, "ms"), (1.0, "us"), (1e-3, "ns")], 4)


def format_power_w(power_w: float) -> str:
    """
    >>> format_power_w(23_328), format_power_w(0.1), format_power_w(1.23e6)
    ('23.3 kW', '0.1 W', '1.23 MW')
    """
    return _scaled(power_w, [(1e6, "MW"), (1e3, "kW"), (1.0, "W")], 3)


def format_usd(usd: float) -> str:
    """
    >>> format_usd(218_000), format_usd(77_900_000.0)
    ('218 k$', '77.9 M$')
    """
    return _scaled(usd, [(1e9, "G$"), (1e6, "M$"), (1e3, "k$"), (1.0, "$")], 3)


def format_number(value: float, digits: int = 4) -> str:
    """A plain number with so many significant digits and thousands separated.

    >>> format_number(65536), format_number(0.99218), format_number(130000.0)
    ('65,536', '0.9922', '130,000')
    """
    return _plain(value, digits)
