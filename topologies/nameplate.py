"""What every part of the catalogue has: a name, values with the unit in the key, ranges, sources, estimates."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from topologies.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A catalogue row: nameplate values with the unit in the key, ranges, sources, and the method of each estimate."""

    kind: ClassVar[str] = "part"  # as the catalogue spells it: cable, optic, switch, ...

    name: str
    title: str
    source: str
    year: int
    confidence: str
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    estimates: Mapping[str, str] = field(default_factory=dict)

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
