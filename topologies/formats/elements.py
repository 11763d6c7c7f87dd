"""XML as elements with their lines, read as a stream: no entities, no outside files, bounded depth and size."""

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

from topologies.errors import ConfigError
from topologies.formats.contents import short

MAX_DEPTH = 100  # PCIe trees are a dozen levels deep
MAX_TOKEN = 2**20  # bytes of one tag, comment or text
MAX_TEXT = 2**16  # of one element, between its own; it comes line by line
MAX_ELEMENTS = 4_000_000  # of one subtree that is handed out
CHUNK = 2**16


@dataclass(slots=True)
class Element:
    """A tag, its attributes, what it holds, and the line where it starts."""

    tag: str
    line: int
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    def all(self, tag: str) -> list["Element"]:
        """Children of that tag."""
        return [child for child in self.children if child.tag == tag]

    def need(self, key: str, path: Path) -> str:
        """An attribute that must be there; ConfigError names the line."""
        value = self.attributes.get(key)
        if value is None:
            raise ConfigError(f"{self.at(path)} has no {key}; it needs one")
        return value

    def at(self, path: Path) -> str:
        """Where it stands, for messages."""
        return f"{path}: line {self.line}: <{self.tag[:40]}>"


class _Reader:
    """Collects elements while expat walks the file; subtrees of wanted tags leave as soon as they end."""

    def __init__(self, path: Path, root: str, wanted: Container[str], around: dict[str, dict[str, str]]) -> None:
        self.path, self.root, self.wanted, self.around = path, root, wanted, around
        self.open: list[Element] = []
        self.done: list[Element] = []
        self.held = 0
        self.depth = 0
        self.parser: Any = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.characters
        self.parser.EntityDeclHandler = self.entity
        self.parser.SkippedEntityHandler = self.entity

    def fail(self, what: str) -> ConfigError:
        return ConfigError(f"{self.path}: line {self.parser.CurrentLineNumber}: {what}")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.fail(f"elements within elements, more than {MAX_DEPTH} deep; write it flat")
        tag = tag.rpartition(":")[2]
        if self.depth == 1 and tag != self.root:
            raise self.fail(f"the root is <{tag[:40]}>; a file of this format has <{self.root}>")
        if self.open or tag in self.wanted:
            self.held += 1
            if self.held > MAX_ELEMENTS:
                raise self.fail(f"more than {MAX_ELEMENTS:,} elements; cut the file in pieces")
            self.open.append(Element(tag, self.parser.CurrentLineNumber, attributes))
        elif len(self.around) < 100:
            self.around[tag] = attributes

    def end(self, _tag: str) -> None:
        self.depth -= 1
        if not self.open:
            return
        element = self.open.pop()
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.done.append(element)
            self.held = 0

    def characters(self, text: str) -> None:
        if self.open and (self.open[-1].text or not text.isspace()):
            element = self.open[-1]
            if len(element.text) + len(text) > MAX_TEXT:
                raise self.fail(f"more than {MAX_TEXT // 1024} KiB of text in one element")
            element.text += text

    def entity(self, name: str, *_: Any) -> None:
        raise self.fail(f"an entity {short(name)}; entities are not read, write out what it stands for")


def stream_elements(
    path: Path, root: str, wanted: Container[str], around: dict[str, dict[str, str]] | None = None
) -> Iterator[Element]:
    """Each outermost element of a wanted tag, whole, as soon as it ends; of the tags around them, `around` gets the
    last attributes; nothing else is kept.

    ConfigError names the line of what is not XML, has another root, declares entities, or nests too deep.

    >>> list(stream_elements(Path("nowhere.xml"), "system", {"system"}))
    Traceback (most recent call last):
    topologies.errors.ConfigError: nowhere.xml: No such file or directory; give a file with <system>
    """
    reader = _Reader(path, root, wanted, {} if around is None else around)
    fed = 0
    try:
        with path.open("rb") as file:
            while True:
                chunk = file.read(CHUNK)
                reader.parser.Parse(chunk, not chunk)
                yield from reader.done
                reader.done.clear()
                if not chunk:
                    return
                fed += len(chunk)
                if fed - reader.parser.CurrentByteIndex > MAX_TOKEN + CHUNK:
                    raise reader.fail("a tag or comment of more than 1 MiB")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give a file with <{root}>") from error
    except expat.ExpatError as error:
        what = expat.ErrorString(error.code)
        empty = "the file is empty" if fed == 0 and error.code == 3 else f"line {error.lineno}: not XML: {what}"
        raise ConfigError(f"{path}: {empty}; give a file with <{root}>") from None
    except (LookupError, ValueError) as error:  # an encoding that expat does not know
        raise ConfigError(f"{path}: not XML: {str(error)[:80]}; give a file with <{root}>") from None


def read_tree(path: Path, root: str) -> Element:
    """The whole document as one element; ConfigError as from `stream_elements`."""
    return next(iter(list(stream_elements(path, root, {root}))))
