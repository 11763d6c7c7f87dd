"""Imports run one way: fabric -> topologies and cext, and no file depends on one that depends on it."""

import ast
from pathlib import Path

import networkx as nx
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("fabric", "topologies", "cext")


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


def imported(path: Path):
    """Files of ours that a file imports, at its head or where they are used, but for what only annotations read."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        node for block in ast.walk(tree) if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }  # fmt: skip
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in FILES)
        elif isinstance(node, ast.ImportFrom) and node.module in FILES:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in FILES else node.module for name in inner)


@pytest.fixture(scope="module")
def house():
    return nx.DiGraph([(name, other) for name, path in FILES.items() for other in imported(path)])


def test_no_file_imports_in_a_circle(house):
    assert [sorted(circle) for circle in nx.strongly_connected_components(house) if len(circle) > 1] == []


def test_the_lower_packages_know_none_of_the_upper(house):
    wrong = [(a, b) for a, b in house.edges if not a.startswith("fabric") and b.split(".")[0] != a.split(".")[0]]
    assert wrong == [] and {b.split(".")[0] for a, b in house.edges if a.startswith("fabric.")} == set(PACKAGES)
