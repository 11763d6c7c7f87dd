"""Files of a text, read by one reader; the real files where they are on this machine."""

from collections import Counter
from pathlib import Path

import pytest

from topologies.formats import read_topology
from topologies.parts import catalogue

INPUTS = Path(__file__).parents[4] / "shared/inputs"


@pytest.fixture
def read(tmp_path):
    """The topology of a text in a format; the file's ending tells nothing here."""

    def read_text(name, text, **options):
        path = tmp_path / "fabric.file"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_topology(path, catalogue(), name, options)

    return read_text


@pytest.fixture(scope="session")
def real():
    """The path of a real file; the test is skipped, saying so, where there is none."""

    def path(name):
        if not (INPUTS / name).is_file():
            pytest.skip(f"the real file {name} is not on this machine")
        return INPUTS / name

    return path


@pytest.fixture(scope="session")
def kinds():
    """How many nodes of each kind."""
    return lambda topology: Counter(topology.attribute("kind"))
