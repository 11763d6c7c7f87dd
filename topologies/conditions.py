"""When a parameter of a family has an effect; given elsewhere, it is refused rather than ignored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class OnlyWith:
    """A parameter that counts only where another has one value: `Annotated[str, "meaning", OnlyWith("core", "ocs")]`.

    >>> str(OnlyWith("spine", True))
    'spine=true'
    """

    key: str
    value: Any

    def __str__(self) -> str:
        return f"{self.key}={str(self.value).lower() if isinstance(self.value, bool | None) else self.value}"

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Does it count with these values of all parameters?"""
        return bool(values[self.key] == self.value)


@dataclass(frozen=True, slots=True)
class OnlyAbove:
    """A parameter, or a bundle of them, that counts only where another is above a number.

    >>> str(OnlyAbove("servers", 1)), OnlyAbove("servers", 1).holds({"servers": 1})
    ('servers above 1', False)
    """

    key: str
    value: int

    def __str__(self) -> str:
        return f"{self.key} above {self.value}"

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Does it count with these values of all parameters?"""
        return bool(values[self.key] > self.value)
