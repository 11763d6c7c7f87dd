"""What one site of a composition is made of: rows of racks with the unit that each repeats, a scale-out, a floor."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from topologies.composition_model import FloorKeys, Racks, ScaleOut
from topologies.errors import ConfigError, FabricError
from topologies.families import Build, build_family, family, systems
from topologies.graph import Topology
from topologies.kinds import Rack
from topologies.parts import Catalogue


@dataclass(frozen=True, slots=True)
class SitePlan:
    """What a site is made of, as the file says it; `prefix` stands before its labels, `folder` is the file's.

    `where` is the path of the keys that it has of its `own`; the others are those of the whole file.
    """

    where: str
    own: frozenset[str]
    prefix: str
    folder: Path
    racks: Sequence[Racks]
    scale_out: ScaleOut
    floor: FloorKeys

    def path(self, key: str) -> str:
        """The path of a table in the file."""
        return f"{self.where}{key}" if key in self.own else key


@dataclass(frozen=True, slots=True)
class Unit:
    """A row of racks with the unit that it repeats."""

    row: Racks
    where: str
    topology: Topology


def read_units(plan: SitePlan, parts: Catalogue, build: Build) -> list[Unit]:
    """The unit of every row of racks, built once."""
    units = []
    for i, row in enumerate(plan.racks):
        where = f"{plan.path('racks')}[{i}]"
        try:
            unit = _unit(row, where, plan.folder, parts, build)
        except FabricError as error:
            raise type(error)(f"{where}.unit: {error}") from error
        if unit.circuits is not None:
            raise ConfigError(f"{where}.unit = '{row.unit}' has circuit switches of its own; give a unit without")
        if row.rack is not None:
            parts.part(row.rack, Rack)
        units.append(Unit(row, where, unit))
    return units


def _unit(row: Racks, where: str, folder: Path, parts: Catalogue, build: Build) -> Topology:
    if not row.parameters:
        beside = row.unit.partition(":")[0]  # a file is looked for beside the one that names it
        own = set(beside) & set("/.") and (folder / beside).is_file()
        return build(f"{folder / beside}{row.unit[len(beside) :]}" if own else row.unit, parts)
    if not row.unit.isprintable() or set(row.unit) & set(":/."):
        raise ConfigError(f"'{row.unit}' takes its parameters in itself; leave {where}.parameters out")
    base = systems().get(row.unit)
    chosen = family(base.family if base else row.unit)
    return build_family(chosen, row.unit, f"{where}.parameters", row.parameters, base, parts)
