"""Part kinds as frozen dataclasses, and the catalogue that holds them: every row has a source."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from topologies.errors import ConfigError, closest

_FOLDER = Path(__file__).with_name("catalogue")
_CONFIDENCES = ("high", "medium", "low")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A catalogue row: nameplate values with the unit in the key, ranges, sources, and the method of each estimate."""

    name: str
    title: str
    source: str
    year: int
    confidence: str
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    estimates: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The kind as the catalogue spells it: cable, optic, switch, ..."""
        return _KIND_OF[type(self)]

    def values(self) -> Iterator[tuple[str, Any]]:
        """(field, value) of what is known about the part beyond its name, in the order of its kind."""
        for spec in fields(self)[len(fields(Part)) :]:
            value = getattr(self, spec.name)
            if value is not None:
                yield spec.name, value

    def known(self, key: str) -> Any:
        """A value that the question cannot do without; ConfigError names the part and the key where it is absent."""
        value = getattr(self, key)
        if value is None:
            raise ConfigError(f"part '{self.name}' has no {key}; add it with --parts FILE")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Cable(Part):
    """A copper or active cable, a fibre cable with its ends, or traces on a board."""

    technology: str
    medium: str
    rate_gbps: float
    lane_gbps: float
    power_w_per_end: float | None = None
    propagation_ns_per_m: float
    phy_latency_ns: float
    gauge_awg: int | None = None
    copper_mode: str | None = None
    reach_m: float | None = None
    length_m: float | None = None
    price_usd: float | None = None
    links_per_module: int | None = None
    modules_per_end: int | None = None
    assemblies_per_link: int = 1
    default_for_gbps: tuple[float, ...] = ()
    mtbf_h: float | None = None
    fit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Optic(Part):
    """A transceiver or optical engine; two of them and a fibre make a link, one and an OCS half of it."""

    technology: str
    medium: str = "optical"
    rate_gbps: float
    lane_gbps: float
    power_typical_w: float
    propagation_ns_per_m: float = 4.9
    phy_latency_ns: float
    latency_ns: float | None = None
    reach_m: float | None = None
    channel_loss_db: float | None = None
    bidirectional: bool = False
    price_usd: float | None = None
    links_per_module: int | None = None
    modules_per_end: int | None = None
    default_for_gbps: tuple[float, ...] = ()
    energy_pj_per_bit: float | None = None
    host_serdes_pj_per_bit: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitSwitch(Part):
    """An optical circuit switch: joins strands, looks at no packet."""

    technology: str | None = None
    ports_per_side: int
    spare_ports_per_side: int = 0
    connectivity: str
    insertion_loss_db: float | None = None
    insertion_loss_mean_db: float | None = None
    insertion_loss_max_db: float | None = None
    insertion_loss_raw_db: float | None = None
    return_loss_db: float | None = None
    power_typical_w: float | None = None
    power_max_w: float | None = None
    price_usd_per_port: float | None = None
    switching_time_ms: float | None = None
    switching_time_device_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch(Part):
    """A packet switch, a box or a bare chip; power without pluggable optics."""

    technology: str | None = None
    capacity_gbps: float
    max_ports: int
    cages: int | None = None
    cage_gbps: float | None = None
    port_gbps: float | None = None
    asics: int | None = None
    power_typical_w: float | None = None
    power_max_w: float | None = None
    latency_ns: float | None = None
    price_usd: float | None = None
    cooling: str | None = None
    reduces: bool = False
    multicasts: bool = False
    adaptive_routing: bool = False
    integrated_optics: bool = False

    def ports(self, rate_gbps: float) -> int:
        """Ports of that rate: floor(capacity / rate), within what the cages hold and the box addresses.

        >>> part("qm9700").ports(400), part("qm9700").ports(200), part("sn5600").ports(400)
        (64, 128, 128)
        """
        ports = min(int(self.capacity_gbps / rate_gbps + 1e-9), self.max_ports)
        if self.cages is not None and self.cage_gbps is not None:
            ports = min(ports, self.cages * int(self.cage_gbps / rate_gbps + 1e-9))
        return ports


@dataclass(frozen=True, slots=True, kw_only=True)
class Nic(Part):
    """A network adapter; power without pluggable optics."""

    rate_gbps: float
    ports: int | None = None
    power_typical_w: float | None = None
    power_max_w: float | None = None
    latency_ns: float | None = None
    price_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator(Part):
    """A GPU, TPU or the like: what it computes, remembers, draws, and what its own links cost in energy."""

    tdp_w: float | None = None
    memory_gb: float | None = None
    memory_bandwidth_tb_per_s: float | None = None
    bf16_tflops: float | None = None
    fp16_tflops: float | None = None
    fp8_tflops: float | None = None
    fp4_tflops: float | None = None
    int8_tops: float | None = None
    sram_mb: float | None = None
    scaleup_links: int | None = None
    scaleup_link_gbps: float | None = None
    scaleup_gbps: float | None = None
    nic_gbps: float | None = None
    serdes_pj_per_bit: float | None = None
    heat_flux_w_per_cm2: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rack(Part):
    """A rack: what it holds, draws and carries away."""

    units: int | None = None
    accelerators: int | None = None
    power_typical_w: float | None = None
    power_max_w: float | None = None
    cooling: str | None = None
    liquid_fraction: float | None = None
    busbar_voltage_v: float | None = None
    busbar_current_a: float | None = None
    price_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Component(Part):
    """What sits between two optics: circulators, connectors, splices, fibre."""

    insertion_loss_db: float | None = None
    insertion_loss_mean_db: float | None = None
    insertion_loss_p97_db: float | None = None
    return_loss_db: float | None = None
    isolation_db: float | None = None
    loss_db_per_km: float | None = None
    propagation_ns_per_m: float | None = None
    power_typical_w: float | None = None
    price_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CopperMode(Part):
    """How much cable loss a lane rate and its equaliser allow; source and fit in the row."""

    lane_gbps: float
    nyquist_ghz: float
    allowance_db: float
    max_length_m: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Twinax(Part):
    """Loss per metre of a wire gauge, by frequency in GHz."""

    gauge_awg: int
    diameter_mm: float
    loss_db_per_m: Mapping[str, float]
    loss_db_per_m_low: Mapping[str, float] = field(default_factory=dict)
    loss_db_per_m_high: Mapping[str, float] = field(default_factory=dict)


KINDS: dict[str, type[Part]] = {
    "cable": Cable,
    "optic": Optic,
    "ocs": CircuitSwitch,
    "switch": Switch,
    "nic": Nic,
    "accelerator": Accelerator,
    "rack": Rack,
    "component": Component,
    "copper-mode": CopperMode,
    "twinax": Twinax,
}
_KIND_OF = {cls: kind for kind, cls in KINDS.items()}
P = TypeVar("P", bound=Part)


class Catalogue(Mapping[str, Part]):
    """Parts by name, in the order of their files; `hash` goes into every answer's provenance."""

    def __init__(self, parts: Mapping[str, Part], digest: str) -> None:
        self._parts = MappingProxyType(dict(parts))
        self.hash = digest

    def __getitem__(self, name: str) -> Part:
        return self._parts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def part(self, name: str, kind: type[P]) -> P:
        """The part of that name and kind; ConfigError with the nearest name where there is none."""
        found = self._parts.get(name)
        if found is None:
            names = [n for n, p in self._parts.items() if isinstance(p, kind)]
            raise ConfigError(
                f"no {_KIND_OF.get(kind, 'part')} is named '{name}'{closest(name, names)}; aifabric parts lists them"
            )
        if not isinstance(found, kind):
            raise ConfigError(f"part '{name}' is of kind {found.kind}; a {_KIND_OF[kind]} is needed here")
        return found

    def of_kind(self, kind: type[P]) -> list[P]:
        """All parts of a kind, in the order of the catalogue."""
        return [p for p in self._parts.values() if isinstance(p, kind)]

    def default_cable(self, technology: str, rate_gbps: float) -> "Cable | Optic":
        """The row that a technology uses for links of a rate; ConfigError lists what there is.

        >>> catalogue().default_cable("pluggable", 400).name
        '800g-2xdr4'
        """
        every: list[Cable | Optic] = [*self.of_kind(Cable), *self.of_kind(Optic)]
        rows = [c for c in every if c.technology == technology]
        for row in rows:
            if rate_gbps in row.default_for_gbps:
                return row
        known = sorted({c.technology for c in every})
        if not rows:
            raise ConfigError(f"no technology is named '{technology}'; there are {', '.join(known)}")
        larger = sorted({r for row in rows for r in row.default_for_gbps if r >= rate_gbps})
        if not larger:
            rates = ", ".join(f"{r:g}" for r in sorted({r for row in rows for r in row.default_for_gbps}))
            raise ConfigError(
                f"no default {technology} cable carries {rate_gbps:g} Gb/s; there are {rates or 'none'}; give cable="
            )
        return self.default_cable(technology, larger[0])


def _read_part(row: Any, where: str) -> Part:
    if not isinstance(row, dict):
        raise ConfigError(f"{where}: {row!r} is not a [[part]] table")
    name = row.get("name")
    kind = KINDS.get(str(row.get("kind")))
    if not isinstance(name, str) or not name:
        raise ConfigError(f"{where}: a part has no name")
    where = f"{where}: part '{name}'"
    if kind is None:
        raise ConfigError(f"{where}: kind '{row.get('kind')}' is unknown; there are {', '.join(KINDS)}")
    keys = {spec.name: spec for spec in fields(kind)}
    values: dict[str, Any] = {}
    bounds: dict[str, list[float]] = {}
    for key, value in row.items():
        stem, _, end = key.rpartition("_")
        if key == "kind":
            continue
        if key in keys and key != "ranges":
            values[key] = _typed(value, _spelt(keys[key].type), f"{where}: {key}")
        elif end in ("low", "high") and stem in keys:
            bounds.setdefault(stem, [float("nan"), float("nan")])[end == "high"] = _number(value, f"{where}: {key}")
        else:
            raise ConfigError(f"{where}: unknown key '{key}'{closest(key, list(keys))}")
    missing = [k for k, s in keys.items() if s.default is MISSING and s.default_factory is MISSING and k not in values]
    if missing:
        raise ConfigError(f"{where}: {', '.join(missing)} missing")
    if values["confidence"] not in _CONFIDENCES:
        raise ConfigError(f"{where}: confidence '{values['confidence']}' is not one of {', '.join(_CONFIDENCES)}")
    values["ranges"] = {k: _range(k, b, values.get(k), where) for k, b in bounds.items()}
    return kind(**values)


def _range(key: str, bounds: list[float], value: float | None, where: str) -> tuple[float, float]:
    low, high = (value if b != b and value is not None else b for b in bounds)
    if not low <= high or (value is not None and not low <= value <= high):
        raise ConfigError(f"{where}: {key} = {value} lies outside its range {low} to {high}")
    return low, high


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or abs(value) == float("inf"):
        raise ConfigError(f"{where} = {value!r} is not a finite number")
    return value


def _spelt(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _typed(value: Any, annotation: str, where: str) -> Any:
    if annotation.startswith(("float", "int")):
        number = _number(value, where)
        if number < 0 and not where.endswith("_db"):
            raise ConfigError(f"{where} = {value} is negative")
        if annotation.startswith("int") and number != int(number):
            raise ConfigError(f"{where} = {value} is not a whole number")
        return number
    if annotation.startswith("bool") and not isinstance(value, bool):
        raise ConfigError(f"{where} = {value!r} is not true or false")
    if annotation.startswith("str") and not isinstance(value, str):
        raise ConfigError(f"{where} = {value!r} is not text")
    if annotation.startswith("tuple"):
        if not isinstance(value, list):
            raise ConfigError(f"{where} = {value!r} is not an array")
        return tuple(_number(v, where) for v in value)
    if "Mapping" in annotation:
        if not isinstance(value, dict):
            raise ConfigError(f"{where} = {value!r} is not a table")
        return MappingProxyType(dict(value))
    return value


def read_parts(path: Path) -> dict[str, Part]:
    """Parts of one TOML file of [[part]] tables, by name; ConfigError names file, part and key of what is wrong."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give a TOML file of [[part]] tables") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a TOML file of parts: {error}") from error
    rows = document.get("part")
    if not isinstance(rows, list) or len(document) != 1:
        raise ConfigError(f"{path}: holds {', '.join(document) or 'nothing'}; give [[part]] tables")
    parts: dict[str, Part] = {}
    for row in rows:
        read = _read_part(row, str(path.name))
        if read.name in parts:
            raise ConfigError(f"{path.name}: part '{read.name}' stands there twice")
        parts[read.name] = read
    return parts


@cache
def catalogue(*extra: Path) -> Catalogue:
    """The catalogue that comes with the program; each extra file adds rows or replaces those of the same name."""
    parts: dict[str, Part] = {}
    digest = sha256()
    for path in [*sorted(_FOLDER.glob("*.toml")), *extra]:
        read = read_parts(path)
        repeated = set(parts) & set(read) if path.parent == _FOLDER else set()
        if repeated:
            raise ConfigError(f"{path.name}: parts {', '.join(sorted(repeated))} stand in another file too")
        parts |= read
        digest.update(path.read_bytes())
    return Catalogue(parts, digest.hexdigest()[:16])


def part(name: str, kind: type[P] = Part) -> P:  # type: ignore[assignment]
    """A part of the catalogue that comes with the program.

    >>> part("palomar-136").kind
    'ocs'
    """
    return catalogue().part(name, kind)
