"""The file of a composition: racks, scale-out, floor and sites, what each key may hold, and its one-line errors."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError

from topologies.errors import ConfigError, closest

Above = Annotated[float, Field(gt=0, le=1e5, allow_inf_nan=False)]
Number = Annotated[int, Field(ge=1, le=2**24)]
Line = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f]+$")]
Value = str | int | float | bool | list[int] | list[bool]


class Table(BaseModel):
    """A table whose keys are all known and whose values are of the type that is written."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Racks(Table):
    """Units of one kind: scale-up domains, whole."""

    unit: Line = Field(description='a family or a ready-made system, e.g. "nvl72" or "torus:dims=4x4x4"')
    parameters: dict[str, Value] = Field(default={}, description="parameters of the unit, as in a spec")
    count: Number = Field(default=1, description="a whole number of units, 1 or more")
    units_per_rack: Number = Field(default=1, description="a whole number of units that share a rack, 1 or more")
    nic: Line = Field(default="cx7-400g", description="the catalogue name of an adapter")
    nics: Number = Field(default=1, description="a whole number of adapters of each accelerator, 1 or more")
    rack: Line | None = Field(default=None, description="the catalogue name of a rack")


class ScaleOut(Table):
    """The network that joins the accelerators' adapters."""

    family: Line = Field(description='a family, e.g. "rail", "clos" or "dragonfly"')
    parameters: dict[str, Value] = Field(
        default={}, description="parameters of the family; what follows from the racks is filled in, technology is auto"
    )
    leaves: Literal["row", "rack"] = Field(
        default="row", description='"row" (at the end of the row of their accelerators) or "rack" (in their rack)'
    )


class FloorKeys(Table):
    """A floor of the catalogue, and what differs."""

    plan: Line = Field(default="floor-600mm", description="the catalogue name of a floor")
    rack_pitch_m: Above | None = Field(default=None, description="metres from rack to rack in a row")
    row_pitch_m: Above | None = Field(default=None, description="metres from row to row")
    tray_height_m: Above | None = Field(default=None, description="metres from the floor to the tray")
    port_height_m: Above | None = Field(default=None, description="metres from the floor to a port")
    in_rack_m: Above | None = Field(default=None, description="metres of a cable within a rack")
    slack_m: Annotated[float, Field(ge=0, le=1e5, allow_inf_nan=False)] | None = Field(
        default=None, description="metres of slack of a cable between racks"
    )
    racks_per_row: Number | None = Field(default=None, description="a whole number of racks, 1 or more")
    switches_per_rack: Number | None = Field(default=None, description="a whole number of switches, 1 or more")


class Fibre(Table):
    """Fibre from this site to another: coherent channels on pairs of fibres."""

    to: str | None = Field(default=None, description="the name of another site; the first one by default")
    distance_km: Above = Field(description="kilometres of fibre, above zero")
    pairs: Number = Field(default=1, description="a whole number of fibre pairs, 1 or more")
    channels: Number = Field(default=1, description="a whole number of channels on each pair, 1 or more")
    optic: Line = Field(default="400g-zr", description="the catalogue name of a coherent optic")
    switch: Line | None = Field(
        default=None, description="the catalogue name of the gateways' switch; the scale-out's by default"
    )


def _form(value: Any) -> str:
    return "many" if isinstance(value, list) else "one"


Fibres = Annotated[Annotated[Fibre, Tag("one")] | Annotated[list[Fibre], Tag("many")], Discriminator(_form)]


class Site(Table):
    """A building; racks, scale-out and floor are those of the file where it has none of its own."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$", description="a name of letters, digits, dots and dashes")
    racks: list[Racks] | None = Field(default=None, min_length=1, description="[[sites.racks]] tables")
    scale_out: ScaleOut | None = Field(default=None, description="a table with family and parameters")
    floor: FloorKeys | None = Field(default=None, description="a table of the floor")
    fibre: Fibres | None = Field(default=None, description="a table, or tables, of fibre to other sites")

    @property
    def fibres(self) -> list[Fibre]:
        """Fibre to other sites, a list in any case."""
        return [] if self.fibre is None else self.fibre if isinstance(self.fibre, list) else [self.fibre]


class Composition(Table):
    """Racks of scale-up domains on a floor, joined by a scale-out network; or several such sites joined by fibre."""

    name: Line | None = Field(default=None, description="text of one line")
    racks: list[Racks] | None = Field(default=None, min_length=1, description="[[racks]] tables")
    scale_out: ScaleOut | None = Field(default=None, description="a table with family and parameters")
    floor: FloorKeys = Field(default=FloorKeys(), description="a table of the floor")
    sites: list[Site] | None = Field(default=None, min_length=2, description="two or more [[sites]] tables")


class Simple(Table):
    """One family or ready-made system with parameters."""

    name: Line | None = Field(default=None, description="text of one line; the file's name by default")
    family: Line = Field(description="a family or a ready-made system")
    parameters: dict[str, Value] = Field(default={}, description="a table of key = value")


def topology_schema() -> dict[str, Any]:
    """JSON schema of a topology file: one family, or a composition.

    >>> sorted(topology_schema()["$defs"])[:3]
    ['Composition', 'Fibre', 'FloorKeys']
    """
    from pydantic import TypeAdapter

    schema = TypeAdapter(Simple | Composition).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "aifabric topology file", **schema}


def read_composition(document: Any) -> Composition:
    """The checked model of a document; ConfigError names the path of the first key that is wrong, and what would do.

    >>> read_composition({"racks": [{"unit": "nvl72", "count": -2}]})
    Traceback (most recent call last):
    topologies.errors.ConfigError: racks[0].count = -2 is out of range; give a whole number of units, 1 or more
    """
    try:
        return Composition.model_validate(document)
    except ValidationError as error:
        raise ConfigError(_said(error)) from None


def _said(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    keys = [key for key in first["loc"] if key not in ("one", "many")]
    model, wanted = _described(keys)
    where = _path(keys)
    if first["type"] == "extra_forbidden":
        names = list(model.model_fields) if model is not None else []
        return f"there is no key {where}{closest(str(keys[-1]), names) or '; there are ' + ', '.join(names)}"
    if first["type"] == "missing":
        return f"{where} is missing; give {wanted}"
    ranged = first["type"] in ("greater_than", "greater_than_equal", "less_than_equal", "finite_number")
    why = "is out of range" if ranged else "does not fit"
    return f"{where} = {_short(first['input'])} {why}; give {wanted}"


def _described(keys: list[Any]) -> tuple[type[BaseModel] | None, str]:
    """The table that a path ends in, and what its last key wants."""
    below: dict[str, type[BaseModel]] = {
        "racks": Racks, "scale_out": ScaleOut, "floor": FloorKeys, "sites": Site, "fibre": Fibre,
    }  # fmt: skip
    model: type[BaseModel] = Composition
    wanted, inner = "a table", None
    for key in keys:
        if isinstance(key, str) and key in model.model_fields:
            wanted, inner = model.model_fields[key].description or "a value", model
            model = below.get(key, model)
        elif isinstance(key, str):  # a key of a table of parameters, or one that does not exist
            inner = model
    return inner, wanted


def _path(keys: list[Any]) -> str:
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else f"{'.' if text else ''}{key}"
    return text


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 40 else f"{text[:37]}..."
