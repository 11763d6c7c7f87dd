"""Text that goes into an XML file: escaped, and refused where XML has no way to write it."""

from typing import Any
from xml.sax.saxutils import escape, quoteattr

from topologies.errors import ConfigError


def attributes(**values: Any) -> str:
    """Attributes of an element, each after a blank; a trailing underscore of a name is left out, None values too.

    >>> attributes(id="a<b", class_=3, port=None)
    ' id="a&lt;b" class="3"'
    """
    shown = ((key.rstrip("_"), value) for key, value in values.items() if value is not None)
    return "".join(f" {key}={quoteattr(_text(value))}" for key, value in shown)


def content(value: Any) -> str:
    """Text between tags.

    >>> content("a<b")
    'a&lt;b'
    """
    return escape(_text(value))


def _text(value: Any) -> str:
    """A value as text: numbers as Python writes them, so that they are read back exactly."""
    text = str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)
    if not text.isprintable():
        raise ConfigError(f"{text[:60]!r} is not a line of text, which XML cannot hold; rename it")
    return text
