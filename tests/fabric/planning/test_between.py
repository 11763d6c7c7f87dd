"""FROM and TO, and state files: what is the same hardware, how strands are matched, what is refused in one line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fabric.planning.between import aligned, between
from fabric.planning.state import document, read_state, state_of, write_state
from topologies.circuits import CircuitLayer
from topologies.errors import ConfigError, FabricError
from topologies.graph import Topology

SIX, EIGHT = "jupiter:blocks=6,uplinks=20", "jupiter:blocks=8,uplinks=20"
Built = Callable[[str], Topology]


def _links(layer: CircuitLayer) -> dict[tuple[str, str], int]:
    pairs, counts = layer.live_links()
    names = [sorted((layer.blocks[a], layer.blocks[b])) for a, b in pairs.tolist()]
    return {(a, b): count for (a, b), count in zip(names, counts.tolist(), strict=True)}


def _layer(built: Built, spec: str) -> CircuitLayer:
    layer = built(spec).circuits
    assert layer is not None
    return layer


@pytest.mark.parametrize(("first", "second"), [(SIX, EIGHT), (EIGHT, SIX), (SIX, SIX)])
def test_both_sides_have_the_same_strands_and_keep_their_links(built: Built, first: str, second: str) -> None:
    found = between(first, second)
    assert np.array_equal(found.before.strands, found.after.strands)
    assert list(found.before.blocks) == list(found.after.blocks)
    assert _links(found.before) == _links(_layer(built, first))
    assert _links(found.after) == _links(_layer(built, second))
    assert not found.exact


def test_blocks_that_come_and_go_are_named() -> None:
    assert "2 blocks added: block-6 to block-7" in between(SIX, EIGHT).notes
    assert "2 blocks removed: block-6 to block-7" in between(EIGHT, SIX).notes


def test_a_generation_upgrade_moves_no_circuit_and_names_the_blocks() -> None:
    found = between(EIGHT + ",generations=200x400,generation_blocks=6x2", EIGHT)
    assert np.array_equal(found.before.state, found.after.state)
    assert found.before.end_rates_gbps.tolist() == [200] * 6 + [400] * 2
    assert found.after.end_rates_gbps.tolist() == [400] * 8
    assert found.notes == ("6 blocks change their modules from 200 to 400 Gb/s; drain each for that",)


def test_more_uplinks_on_the_same_switches_are_more_strands(built: Built) -> None:
    """Blocks of 10 and of 20 uplinks on as many switches."""
    small, large = "jupiter:blocks=6,uplinks=10,devices=1", "jupiter:blocks=6,uplinks=20,devices=1"
    found = between(small, large)
    assert _links(found.before) == _links(_layer(built, small))
    assert len(found.before.strands) == 2 * 60


def test_pods_are_exact_and_count_their_chips() -> None:
    found = between("tpu-pod:slice=4x4x8", "tpu-pod:slice=4x4x8,twist=true")
    assert found.exact
    assert found.chips == (128, 0, 128)
    assert "64 cross-connects down and 64 up" in found.notes[0]


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ("nvl72", EIGHT, "no circuit switches"),
        (EIGHT, "tpu-pod:slice=4x4x8", "not both slices of a TPU pod"),
        (EIGHT, EIGHT + ",ocs=polatis-384", "same switches"),
        ("jupiter:blocks=64,uplinks=64", "jupiter:blocks=64,uplinks=128", "devices=N"),
        (EIGHT + ",devices=2", EIGHT + ",ocs_optic=400g-fr4", "strands a link"),
        ("jupiter:blocks=6,uplinks=20,devices=1", "jupiter:blocks=8,uplinks=10,devices=1", "plan it in two steps"),
        ("absent.json", EIGHT, "No such file"),
    ],
)
def test_what_is_not_the_same_hardware_is_refused_in_one_line(first: str, second: str, says: str) -> None:
    with pytest.raises(FabricError, match=says) as caught:
        between(first, second)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "spec", [EIGHT, "tpu-pod:slice=4x4x8", EIGHT + ",ocs_optic=400g-fr4", EIGHT + ",generations=200x400"]
)
def test_a_state_file_reads_back_as_written(built: Built, tmp_path: Path, spec: str) -> None:
    state = state_of(_layer(built, spec), domains=range(_layer(built, spec).devices))
    path = tmp_path / "state.json"
    write_state(state, path)
    again = read_state(path)
    assert document(again) == document(state)
    assert again.domains == state.domains
    assert np.array_equal(np.sort(again.layer.state, axis=0), np.sort(state.layer.state, axis=0))
    write_state(again, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_failed_ports_are_kept(built: Built, tmp_path: Path) -> None:
    layer = _layer(built, EIGHT).with_failed([[0, 1, 5]])
    write_state(state_of(layer), tmp_path / "state.json")
    found = read_state(tmp_path / "state.json").layer
    assert found.failed.tolist() == [[0, 1, 5]]
    assert len(found.state) == len(layer.state)


def test_a_state_file_stands_for_from_and_to(built: Built, tmp_path: Path) -> None:
    path = tmp_path / "six.json"
    write_state(state_of(_layer(built, SIX)), path)
    found, spec = between(str(path), EIGHT), between(SIX, EIGHT)
    assert np.array_equal(found.before.state, spec.before.state)
    assert found.notes == spec.notes
    assert found.domains == (0,)


def _set(path: list[Any], value: Any) -> Callable[[dict[str, Any]], None]:
    def change(whole: dict[str, Any]) -> None:
        at: Any = whole
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_set(["schema"], "other/1"), "no state file"),
        (_set(["blocks"], {}), "'blocks'"),
        (_set(["blocks"], {"block-0": -1}), "'blocks'"),
        (_set(["fibres"], 3), "'fibres'"),
        (_set(["switches"], {}), "'switches'"),
        (_set(["stray"], 1), "stray"),
        (_set(["switches", 0, "part"], "palomar"), "palomar"),
        (_set(["switches", 0, "domain"], "x"), "domain"),
        (_set(["switches", 0, "a", 0], "block-9"), "block-9"),
        (_set(["switches", 0, "cross_connects", 0], [0]), "no pair of ports"),
        (_set(["switches", 0, "cross_connects", 0], [0, 900]), "no pair of ports"),
        (_set(["switches", 0, "cross_connects", 0], [0, 2]), "port twice"),
        (_set(["switches", 0, "failed"], ["A0"]), "failed"),
        (_set(["switches", 0, "failed"], ["C0"]), "'C0'"),
        (_set(["switches", 0, "a", 0], None), "no strand reaches"),
    ],
)
def test_a_state_file_that_contradicts_itself_is_refused(
    built: Built, tmp_path: Path, change: Callable[[dict[str, Any]], None], says: str
) -> None:
    whole = document(state_of(_layer(built, EIGHT)))
    change(whole)
    path = tmp_path / "state.json"
    path.write_text(json.dumps(whole), encoding="utf-8")
    with pytest.raises(FabricError, match=says) as caught:
        read_state(path)
    assert "\n" not in str(caught.value)


def test_what_is_not_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    for text in ("", "[", "[]", "\x00", "[" * 100_000):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError, match=r"state\.json"):
            read_state(path)


def test_alignment_keeps_failed_ports_out(built: Built) -> None:
    broken = _layer(built, SIX).with_failed([[0, 0, 0]])
    before, after, _ = aligned(broken, broken)
    assert before.failed.tolist() == after.failed.tolist() == [[0, 0, 0]]
