"""Losses: files read or refused, limits from the budget, ports chosen no worse than by trying every choice."""

from itertools import permutations

import numpy as np
import pytest

from fabric.planning.losses import Losses, losses_of, read_losses
from fabric.planning.placement import avoiding, on_good_ports
from fabric.planning.ports import ports_of_layer, ports_of_wiring
from fabric.planning.spares import replug
from fabric.planning.units import units_for
from fabric.planning.wiring import Wiring
from topologies.errors import ConfigError, InfeasibleError
from topologies.parts import catalogue
from topologies.registry import build


def two_blocks_and_more(each=3, blocks=3, kind="bidi"):
    """One switch with so many ports of every block on each side, joined in a ring of single circuits."""
    there = np.full((blocks, 1), each, np.int32)
    wiring = Wiring(kind, "abcdef"[:blocks], ["ocs-0"], there, there, np.zeros(1, np.int32))
    counts = np.zeros((1, blocks, blocks), np.int16)
    counts[0, np.arange(blocks), (np.arange(blocks) + 1) % blocks] = 1
    return ports_of_wiring(wiring, counts), counts


def given_losses(ports, matrix, limit_db=2.5):
    return losses_of({0: matrix}, ports, catalogue(), limit_db=limit_db)


def test_a_pair_that_loses_too_much_is_avoided():
    ports, counts = two_blocks_and_more()
    counts = counts.copy()
    counts[0, 0, 1] = 2
    units = units_for(ports, counts)
    assert ports.crosses(units.up).tolist() == [[0, 1, 4]]  # the lowest idle ports of a on A, of b on B
    matrix = np.full((9, 9), 2.0)
    matrix[1, 4] = 2.6
    matrix[2, 5] = 1.0
    moved = avoiding(ports, units, given_losses(ports, matrix))
    assert ports.crosses(moved.up).tolist() == [[0, 2, 5]] and moved.number == units.number
    matrix[:3, 3:6] = 2.7
    with pytest.raises(InfeasibleError, match=r"a and b on ocs-0 lose .* ports \d and \d, are 0.20 dB short; want"):
        avoiding(ports, units, given_losses(ports, matrix))
    matrix[:3, 3:6] = np.inf
    with pytest.raises(InfeasibleError, match="are forbidden"):
        avoiding(ports, units, given_losses(ports, matrix, None))


def closed(ports, units):
    """Whether each unit puts its circuits on idle ports and ports that it takes down itself, each once."""
    idle = set(range(len(ports.slots.pool))) - set(ports.circuits.ravel().tolist())
    used = units.up.ravel().tolist()
    own = [set(units.down[units.unit_of_down == u].ravel().tolist()) for u in range(units.number)]
    fits = all(
        set(row) <= own[u] | idle for row, u in zip(units.up.tolist(), units.unit_of_up.tolist(), strict=True)
    )  # fmt: skip
    return fits and len(set(used)) == len(used)


def test_units_that_exchange_ports_stay_closed():
    """Without idle ports: circuits of a to b and of c to d swap partners twice; the pairs that units free are bad."""
    one = np.full((4, 1), 2, np.int32)
    wiring = Wiring("bidi", "abcd", ["ocs-0"], one, one, np.zeros(1, np.int32))
    counts = np.zeros((1, 4, 4), np.int16)
    counts[0, 0, 1] = counts[0, 2, 3] = counts[0, 1, 0] = counts[0, 3, 2] = 2
    ports = ports_of_wiring(wiring, counts)
    wanted = counts.copy()
    wanted[0, 0, 1] = wanted[0, 2, 3] = 0
    wanted[0, 0, 3] = wanted[0, 2, 1] = 2
    units = units_for(ports, wanted)
    assert units.number == 2
    matrix = np.full((8, 8), 2.0)
    for _, a, b in ports.crosses(units.up).tolist():
        matrix[a, b] = 9.0
    found = avoiding(ports, units, given_losses(ports, matrix))
    assert closed(ports, units) and closed(ports, found) and len(found.down) == len(units.down) == 4
    used = ports.crosses(found.up)
    assert matrix[used[:, 1], used[:, 2]].max() == 2.0
    assert (ports.counts(found.up) == ports.counts(units.up)).all()


def test_a_circuit_that_would_stay_makes_room():
    """Full ports: the only pair that the change frees is forbidden; one kept circuit of either block is laid anew."""
    ports, wanted = full()
    units = units_for(ports, wanted)
    assert len(units.down) == 2
    matrix = np.full((8, 8), 2.0)
    ((_, a, b), *_) = ports.crosses(units.up).tolist()
    matrix[a, b] = 9.0
    found = avoiding(ports, units, given_losses(ports, matrix))
    assert closed(ports, found) and len(found.down) == len(found.up) == 3
    used = ports.crosses(found.up)
    assert matrix[used[:, 1], used[:, 2]].max() == 2.0
    assert (ports.counts(found.up) - ports.counts(found.down) == wanted - ports.counts()).all()


def full():
    """Two ports a side of four blocks, all in use; the target exchanges the partners of two circuits."""
    one = np.full((4, 1), 2, np.int32)
    wiring = Wiring("bidi", "abcd", ["ocs-0"], one, one, np.zeros(1, np.int32))
    counts = np.zeros((1, 4, 4), np.int16)
    counts[0, 0, 1] = counts[0, 2, 3] = counts[0, 1, 0] = counts[0, 3, 2] = 2
    wanted = counts.copy()
    wanted[0, 0, 1] = wanted[0, 2, 3] = wanted[0, 0, 3] = wanted[0, 2, 1] = 1
    return ports_of_wiring(wiring, counts), wanted


def test_both_cross_connects_of_a_duplex_link_count():
    ports, counts = two_blocks_and_more(each=4, kind="duplex")
    counts = counts.copy()
    counts[0, 0, 1] = 2
    units = units_for(ports, counts)
    matrix = np.full((12, 12), 2.0)
    _, a, b = ports.crosses(units.up)[0].tolist()
    matrix[b, a] = 9.0
    found = avoiding(ports, units, given_losses(ports, matrix))
    used = ports.crosses(found.up)
    assert max(matrix[used[:, 1], used[:, 2]]) == 2.0


def test_pairs_that_no_file_names_lose_what_the_catalogue_says():
    t = build("tpu-v4-512")
    ports = ports_of_layer(t.circuits)
    found = losses_of({1: np.array([[np.nan, 4.0]])}, ports, t.catalogue, layer=t.circuits)
    assert (found.db[1][0, 0], found.db[1][0, 1], found.db[1][135, 135]) == (1.5, 4.0, 1.5)
    assert found.unmeasured == 136**2 - 1
    # port 1 on B leads to no cube in every state of it: what has no strand has no limit
    over = found.over_db(1) > 0
    assert over.sum() == over[0, 1] == np.isfinite(found.most_db[1][0, 1])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.csv", "a,b\n1,2\n", "first line is not switch,a,b,loss_db"),
        ("x.csv", "switch,a,b,loss_db\nocs-9,0,0,1\n", "no circuit switch is named 'ocs-9'"),
        ("x.csv", "switch,a,b,loss_db\nocs-0,0,zero,1\n", "a line is not a switch"),
        ("x.csv", "switch,a,b,loss_db\nocs-0,0,0,-1\n", "loses -1 dB from port 0 to 0"),
        ("x.csv", "switch,a,b,loss_db\nocs-0,-1,0,1\n", "no pair of ports -1 and 0"),
        ("x.csv", "switch,a,b,loss_db\n", "no loss of any switch"),
        ("x.npz", "text", "not an .npz file"),
    ],
)
def test_bad_files_are_one_line(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=said) as caught:
        read_losses(tmp_path / name, ["ocs-0", "ocs-1"])
    assert "\n" not in str(caught.value)


def test_files_of_both_kinds_say_the_same(tmp_path):
    matrix = np.array([[1.0, np.nan], [2.5, np.inf]])
    np.savez(tmp_path / "x.npz", **{"ocs-1": matrix})
    rows = [f"ocs-1,{a},{b},{'' if np.isnan(v) else v}" for (a, b), v in np.ndenumerate(matrix)]
    (tmp_path / "x.csv").write_text("\n".join(["switch,a,b,loss_db", *rows]) + "\n")
    for suffix in ("npz", "csv"):
        found = read_losses(tmp_path / f"x.{suffix}", ["ocs-0", "ocs-1"])
        assert list(found) == [1] and np.array_equal(found[1], matrix, equal_nan=True)
    with pytest.raises(ConfigError, match="has 1 ports a side; the losses are those of 2"):
        one = Wiring("bidi", "ab", ["ocs-0"], np.eye(2, 1, dtype=np.int32), np.eye(2, 1, -1, dtype=np.int32),
                     np.zeros(1, np.int32))  # fmt: skip
        losses_of({0: matrix}, ports_of_wiring(one, np.zeros((1, 2, 2), np.int16)), catalogue())


def test_fibres_of_failed_ports_go_to_the_spares_that_lose_least():
    layer = build("jupiter:blocks=4,uplinks=6").circuits
    size = int(layer.ports_per_side[0])
    dead = np.array([[0, 0, 1], [0, 0, 2], [0, 1, 0]], np.int32)
    faces = {a: b for _, a, b in layer.state.tolist()}
    db = np.full((size, size), 2.0)
    db[15, faces[1]] = db[13, faces[2]] = db[15, faces[2]] = 1.0
    db[12:, faces[1]] += 0.5
    losses = Losses({0: db}, {0: np.full((size, size), 3.0)})
    mended, moved = replug(layer, dead, losses)
    assert mended.lost == (0, 0.0) and mended.circuits == layer.circuits
    assert {one.failed: one.spare for one in moved if one.side == 0} == {1: 15, 2: 13}
    assert [one.failed for one in moved if one.side == 1] == [0]
    joined = {frozenset(pair) for pair in mended.end_pairs().tolist()}
    assert joined == {frozenset(pair) for pair in layer.end_pairs().tolist()}
    every = np.array([[0, 0, port] for port in range(12, size)] + [[0, 0, 0]], np.int32)
    with pytest.raises(InfeasibleError, match="ocs-0 has 0 free ports on side A for 1 fibres of failed ones"):
        replug(layer, every)
    db[12:] = 3.5
    with pytest.raises(InfeasibleError, match="no free port on side A of ocs-0 loses little enough for the fibre of"):
        replug(layer, dead, losses)


def test_every_order_of_ports_is_considered():
    """Three circuits between two blocks on three idle ports a side: a plain assignment problem."""
    ports, counts = two_blocks_and_more(each=4, blocks=2)
    counts = counts.copy()
    counts[0, 0, 1] = 4
    units = units_for(ports, counts)
    rng = np.random.default_rng(5)
    matrix = rng.uniform(1, 2, (8, 8))
    found = avoiding(ports, units, given_losses(ports, matrix))
    used = ports.crosses(found.up)
    idle_a = sorted(set(range(4)) - set(ports.crosses(ports.circuits)[:, 1].tolist()))
    idle_b = sorted(set(range(4, 8)) - set(ports.crosses(ports.circuits)[:, 2].tolist()))
    best = min(sum(matrix[a, b] for a, b in zip(idle_a, order, strict=True)) for order in permutations(idle_b))
    assert matrix[used[:, 1], used[:, 2]].sum() == pytest.approx(best)


def test_exact_targets_are_checked_only():
    ports, wanted = full()
    units = units_for(ports, wanted)
    matrix = np.full((8, 8), 2.0)
    kept, notes = on_good_ports(ports, units, given_losses(ports, matrix), exact=True)
    assert kept is units and any("2.00 dB on average, 2.00 dB at most" in note for note in notes)
    (_, a, b), *_ = ports.crosses(units.up).tolist()
    matrix[a, b] = 2.75
    with pytest.raises(InfeasibleError, match=f"joins ports {a} and {b} of ocs-0, 0.25 dB more than it may"):
        on_good_ports(ports, units, given_losses(ports, matrix), exact=True)


def test_pinned_blocks_make_no_room():
    ports, wanted = full()
    units = units_for(ports, wanted)
    matrix = np.full((8, 8), 2.0)
    for _, a, b in ports.crosses(units.up).tolist():
        matrix[a, b] = 9.0
    moved, notes = on_good_ports(ports, units, given_losses(ports, matrix))
    assert len(moved.down) > 2 and any("laid anew" in note for note in notes)
    with pytest.raises(InfeasibleError, match="dB short"):
        avoiding(ports, units, given_losses(ports, matrix), pinned="abcd")


def test_a_plan_takes_losses(tmp_path):
    """Through the planner: a Jupiter fabric whose worst pairs are forbidden."""
    from fabric.planning.planner import plan

    draws = np.random.default_rng(1)
    size = 136
    file = tmp_path / "losses.npz"
    measured = {f"ocs-{k}": draws.uniform(1.0, 2.6, (size, size)) for k in range(1)}
    np.savez(file, **measured)
    two = ("jupiter:blocks=6,uplinks=12,ocs=palomar-136", "jupiter:blocks=7,uplinks=12,ocs=palomar-136")
    before, after = plan(*two, effort="low"), plan(*two, effort="low", losses=file, loss_limit_db=2.3)
    assert after.inputs["losses"] == "losses.npz" and any("dB on average" in note for note in after.warnings)

    def lost(made):
        return [
            measured[c.switch][a, b]
            for s in made.stages for c in s.changes if c.switch in measured for a, b in c.add
        ]  # fmt: skip

    assert max(lost(before)) > 2.3 >= max(lost(after)) and sum(lost(after)) < sum(lost(before))
    assert after.target == before.target
