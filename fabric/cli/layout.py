"""A table that loses nothing where the terminal is narrow: what does not fit beside moves to a line below its row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len
from rich.padding import Padding
from rich.text import Text

GAP = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """One measure of every row: its head (of one line or two), what it is called in a line below, its cells, and when
    it goes there: columns of 0 stay longest, the largest number goes first."""

    head: str
    name: str
    cells: Sequence[Text]
    leaves: int = 0
    left: bool = False

    @property
    def width(self) -> int:
        """Of the widest line."""
        return max(cell_len(line) for line in [*self.head.split("\n"), *(cell.plain for cell in self.cells)])

    def padded(self, text: Text) -> Text:
        """A cell as wide as the column."""
        blank = " " * (self.width - text.cell_len)
        return text + blank if self.left else Text(blank) + text


def laid_out(title: str, marks: Column, names: Column, columns: Sequence[Column], width: int) -> list[Any]:
    """Lines of a table at most so wide: marks and names stand always, columns that do not fit go below each row.

    Where the names leave no place for the columns of 0, each has a line of its own above its numbers.
    """
    indent = marks.width + len(GAP)
    above = _taken([marks, names, *(c for c in columns if not c.leaves)]) > width
    beside = _beside(columns, width - (indent if above else _taken([marks, names]) + len(GAP)))
    below = [c for c in columns if c not in beside]
    shown: list[Any] = [Text(title, style="bold")]
    if above:
        shown += [_beside_mark(marks.head, Text(names.head), indent), *_heads(beside, indent)]
    else:
        shown += _heads([marks, names, *beside])
    widest = max(indent + names.width, indent + _taken(beside)) if above else _taken([marks, names, *beside])
    shown.append(Text("─" * min(width, widest)))
    for i, name in enumerate(names.cells):
        if above:
            shown.append(_beside_mark(marks.padded(marks.cells[i]).plain, name, indent))
            shown += [Text(" " * indent) + _line(beside, [c.cells[i] for c in beside])] if beside else []
        else:
            shown.append(_line([marks, names, *beside], [c.cells[i] for c in [marks, names, *beside]]))
        if any(c.cells[i] for c in below):
            said = Text("; ").join(Text(f"{c.name} ") + c.cells[i] for c in below if c.cells[i])
            shown.append(Padding(said, (0, 0, 0, indent)))
    return shown


def _beside(columns: Sequence[Column], room: int) -> list[Column]:
    """The columns that fit, those that leave first left out first, the right one of two alike."""
    kept = list(columns)
    while kept and _taken(kept) > room:
        del kept[max(range(len(kept)), key=lambda i: (kept[i].leaves, i))]
    return kept


def _taken(columns: Sequence[Column]) -> int:
    return sum(c.width for c in columns) + len(GAP) * (len(columns) - 1)


def _line(columns: Sequence[Column], cells: Sequence[Text]) -> Text:
    return Text(GAP).join(column.padded(cell) for column, cell in zip(columns, cells, strict=True))


def _heads(columns: Sequence[Column], indent: int = 0) -> list[Text]:
    """Heads of one line or two, flush at the rule below them."""
    heads = [column.head.split("\n") for column in columns]
    deep = max((len(head) for head in heads), default=0)
    rows = [[Text(([""] * (deep - len(head)) + head)[i]) for head in heads] for i in range(deep)]
    lines = [Text(" " * indent) + _line(columns, row) for row in rows]
    for line in lines:
        line.stylize("bold")
    return lines


def _beside_mark(mark: str, name: Text, indent: int) -> Any:
    """A mark, and beside it a name of as many lines as it takes."""
    from rich.table import Table

    grid = Table.grid(padding=0)
    grid.add_column(width=indent, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(mark, name)
    return grid
