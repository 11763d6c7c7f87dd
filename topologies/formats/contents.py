"""The contents of a foreign file, read within bounds: its first kilobytes, its text, its values."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from topologies.errors import ConfigError

HEAD_BYTES = 8192
MAX_LINE = 2**16
MAX_VALUES = 8_000_000  # of a JSON document
MIB = 2**20


def read_head(path: Path) -> str:
    """The first 8 KiB of a file as text, what is not text replaced; ConfigError where it cannot be opened.

    >>> read_head(Path("nowhere.xml"))
    Traceback (most recent call last):
    topologies.errors.ConfigError: nowhere.xml: No such file or directory; give an existing file
    """
    try:
        with path.open("rb") as file:
            return file.read(HEAD_BYTES).decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give an existing file") from error


def read_whole(path: Path, wanted: str, most_mib: int) -> str:
    """The text of a file of at most so many MiB; ConfigError says what is wanted where it is none, or blank."""
    text = read_text(path, wanted, most_mib)
    if not text.strip():
        raise ConfigError(f"{path}: the file is empty; give {wanted}")
    return text


def read_text(path: Path, wanted: str, most_mib: int) -> str:
    """As `read_whole`, of a file that may be empty."""
    try:
        size = path.stat().st_size
        if size > most_mib * MIB:
            raise ConfigError(f"{path}: {size / MIB:,.0f} MiB; at most {most_mib} MiB are read; give {wanted}")
        with path.open("rb") as file:
            raw = file.read(most_mib * MIB + 1)
        if len(raw) > most_mib * MIB:  # a device has no size, and no end
            raise ConfigError(f"{path}: at most {most_mib} MiB are read; give {wanted}")
        text = raw.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give {wanted}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not text; give {wanted}") from error
    if "\0" in text:
        raise ConfigError(f"{path}: not text; give {wanted}")
    return text


def read_lines(path: Path, wanted: str) -> Iterator[tuple[int, str]]:
    """Number and text of each line, read as it is asked for; ConfigError for what is not text, or has endless lines."""
    number, something = 0, False
    try:
        with path.open("rb") as file:
            while raw := file.readline(MAX_LINE):
                number += 1
                if len(raw) >= MAX_LINE:
                    raise ConfigError(f"{path}: line {number}: longer than {MAX_LINE // 1024} KiB; give {wanted}")
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                if "\0" in line:
                    raise ConfigError(f"{path}: line {number}: not text; give {wanted}")
                something = something or not line.isspace()
                yield number, line.rstrip("\r\n")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; give {wanted}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: line {number}: not text; give {wanted}") from error
    if not something:
        raise ConfigError(f"{path}: the file is empty; give {wanted}")


def read_json(path: Path, wanted: str, most_mib: int = 64) -> Any:
    """The JSON document of a file; ConfigError for NaN, keys that stand twice, and lists within lists too deep."""
    text = read_whole(path, wanted, most_mib)
    if sum(map(text.count, ",[{")) > MAX_VALUES:
        raise ConfigError(f"{path}: more than {MAX_VALUES:,} values; give {wanted}")
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError:
        raise ConfigError(f"{path}: lists within lists, too deep; give {wanted}") from None
    except ValueError as error:
        raise ConfigError(f"{path}: not JSON: {error}; give {wanted}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"key {twice[:60]!r} stands twice in one object")
    return row


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def positive(value: Any, where: str, what: str, example: str = "400") -> float:
    """A finite number above zero, given as one or as text; ConfigError where it is none.

    >>> positive("2.5", "line 3", "bandwidth"), positive(4, "line 3", "bandwidth")
    (2.5, 4.0)
    >>> positive("-1", "line 3", "bandwidth")
    Traceback (most recent call last):
    topologies.errors.ConfigError: line 3: bandwidth = '-1' is not a number above zero; write it like 400
    """
    number = _number(value)
    if not 0 < number < math.inf:
        raise ConfigError(f"{where}: {what} = {short(value)} is not a number above zero; write it like {example}")
    return number


def not_negative(value: Any, where: str, what: str) -> float:
    """A finite number, zero or above."""
    number = _number(value)
    if not 0 <= number < math.inf:
        raise ConfigError(f"{where}: {what} = {short(value)} is not a number, zero or above")
    return number


def whole(value: Any, where: str, what: str, least: int = 1, most: int = 2**24) -> int:
    """A whole number between bounds."""
    number = _number(value)
    if not least <= number <= most or number != int(number):
        raise ConfigError(f"{where}: {what} = {short(value)} is not a whole number from {least} to {most:,}")
    return int(number)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return math.nan
    try:
        return float(value) if len(str(value)) <= 60 else math.nan
    except (ValueError, OverflowError):  # an integer of thousands of digits has no str
        return math.nan


def short(value: Any) -> str:
    """A value as it stands in an error: one line, at most 40 characters.

    >>> short("a" * 50)
    "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa..."
    """
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 100:
        return "a number of hundreds of bits"
    if isinstance(value, dict | list | tuple | set):
        return f"a {type(value).__name__} of {len(value)}"
    text = repr(value[:60] if isinstance(value, str) else value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def name_of(value: Any, where: str, what: str) -> str:
    """A name of one line, of a text or a whole number; ConfigError where it is none."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() <= 64:
        return str(value)
    if not isinstance(value, str) or not value.strip() or len(value) > 300 or not value.isprintable():
        raise ConfigError(f"{where}: {what} = {short(value)} is not a name; write text of one line")
    return value.strip()
