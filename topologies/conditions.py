"""When a parameter of a family has an effect; given elsewhere, it is refused rather than ignored."""

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
