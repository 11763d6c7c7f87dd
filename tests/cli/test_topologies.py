"""What can be named: the tree at any width, and plugins with their origin."""

import json
from pathlib import Path

import pytest

from topologies.families import FAMILIES, family, systems

PLUGIN = Path(__file__).parents[1] / "plugin"


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_tree_holds_every_family_parameter_source_and_system(run, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    printed = run("topologies", "--tree").out
    assert not [line for line in printed.splitlines() if len(line) > columns or line != line.rstrip()]
    words = " ".join(printed.translate({ord(c): " " for c in "│├└─"}).split())
    for name in FAMILIES:
        found = family(name)
        assert f"{name}: {' '.join(found.summary.split())}" in words and f"source: {found.source}" in words
        assert all(f"{key} = " in words or f"{key} (required)" in words for key in found.parameters)
    assert all(f"{name}: {' '.join(system.title.split())}" in words for name, system in systems().items())


def test_sources_in_json(run):
    found = json.loads(run("topologies", "--json").out)
    assert all(row["source"] and row["origin"] == "built in" for row in found["families"])
    assert found["unusable_plugins"] == []


def test_plugins_are_listed_and_broken_ones_do_no_harm(run, monkeypatch):
    monkeypatch.syspath_prepend(str(PLUGIN))
    family.cache_clear()
    ran = run("topologies")
    assert (ran.code, ran.err) == (0, "")
    assert "[aifabric-petal 1.2]" in ran.out and "plugin 'torus' of aifabric-petal 1.2 is not used" in ran.out
    found = json.loads(run("topologies", "--json").out)
    assert found["families"][-1]["origin"] == "aifabric-petal 1.2"
    assert {row["name"] for row in found["unusable_plugins"]} == {"torus", "wilted", "rootless"}
    assert run("show", "petal:n=4", "-q").code == 0 and run("show", "ring:n=4", "-q").code == 0
    broken = run("show", "wilted")
    assert broken.code == 3 and broken.err.count("\n") == 1 and "no water" in broken.err
    family.cache_clear()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[racks]]\nunit = 'nvl72'\ncount = -1\n", "racks[0].count = -1 is out of range"),
        ("[[racks]]\nunit = 'nvl72'\ncount = 2\n[scale_out]\nfamily = 'clos'\nparameters = { technology = 'dac' }\n",
         "scale_out.parameters: u0/gpu-0 - leaf-0: technology = 'dac': margin -12.2 dB"),
    ],
)  # fmt: skip
def test_a_bad_composition_is_one_line(run, tmp_path, text, said):
    (tmp_path / "pod.toml").write_text(text)
    told = run("show", tmp_path / "pod.toml")
    assert (told.code, told.out, told.err.count("\n")) == (3, "", 1)
    assert f"pod.toml: {said}" in told.err


def test_a_technology_that_cannot_reach_ends_with_its_margin(run):
    told = run("show", "clos:hosts=128,technology=dac")
    assert told.code == 3 and told.err.startswith("error: technology=dac: margin -140.6 dB: 30 m of dac-400g")


def test_a_python_file_as_spec(run, tmp_path):
    text = "import networkx as nx\ndef f(n: int):\n    print('hm')\n    return nx.path_graph(8 // n)\n"
    (tmp_path / "mine.py").write_text(text)
    where = f"{tmp_path / 'mine.py'}:f:n="
    assert json.loads(run("show", f"{where}2", "--json").out)["topology"]["accelerators"] == 4
    told = run("show", f"{where}9")
    assert told.code == 3 and told.out == "" and "0 accelerators" in told.err.splitlines()[-1]
    traced = run("show", f"{tmp_path / 'mine.py'}:g", "--debug")
    assert traced.code == 3 and "Traceback" in traced.err
