"""TOML files that a user writes: what hangs or overflows tomllib is refused in a line, by every reader of them."""

import time

import pytest

from fabric.planning.export.names import read_names
from fabric.planning.phases import read_iteration
from fabric.validation import read_cases
from topologies.errors import ConfigError
from topologies.parts import read_parts
from topologies.registry import build
from topologies.specfile import build_toml
from topologies.toml_documents import read_toml


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = " + "[" * 100_000, "too deep"),
        (".".join(["a"] * 100_000) + " = 1\n", "more than 64 deep"),  # seconds and gigabytes of tomllib
        ("[" + " . ".join(["a-b_c"] * 65) + "]\n", "more than 64 deep"),
        ("a = " + "1" * 5000, "not a file of parts: Exceeds the limit"),
        ("a = 1\na = 2\n", "not a file of parts: Cannot overwrite"),
        ("a" * 2**20, "not a file of parts: Expected '='"),
        ('a = "' + "x" * 2**23, "at most 8 MiB"),
        ("a = 1\0", "not text"),
        (b"\xff\xfea\x00", "not text"),
    ],
)
def test_what_tomllib_cannot_bear(tmp_path, text, said):
    path = tmp_path / "x.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    before = time.process_time()
    with pytest.raises(ConfigError, match=said) as error:
        read_toml(path, "a file of parts")
    assert time.process_time() - before < 5
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "\ufeffa = 1\n", "a.b.c = 1\n", f'note = "{"one. " * 40}"\n'])
def test_what_it_can(tmp_path, text):
    path = tmp_path / "x.toml"
    path.write_text(text, encoding="utf-8")
    assert len(read_toml(path, "a file")) == bool(text)


@pytest.mark.parametrize(
    "reader",
    [read_parts, read_cases, read_iteration, read_names, lambda path: build_toml(path, {}, build)],
)
def test_every_reader_says_so_in_a_line(tmp_path, reader):
    path = tmp_path / "deep.toml"
    path.write_text("a = " + "[" * 100_000)
    with pytest.raises(ConfigError, match="too deep"):
        reader(path)
