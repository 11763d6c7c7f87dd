"""Units: together they make the target, and each stands on ports that it frees itself or that are idle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.planning.ports import ports_of_layer, ports_of_wiring
from fabric.planning.units import units_between, units_for
from fabric.planning.wiring import Wiring
from topologies.errors import InfeasibleError
from topologies.registry import build


def states(draws, switches, blocks, ports, kind):
    """Two random states within the ports."""
    found = []
    for _ in range(2):
        state = np.zeros((switches, blocks, blocks), np.int16)
        for k in range(switches):
            for _ in range(blocks * ports):
                i, j = draws.integers(blocks, size=2)
                out, into = state[k].sum(axis=1), state[k].sum(axis=0)
                if i == j:
                    continue
                used = max((out + into)[[i, j]]) if kind == "duplex" else max(out[i], into[j])
                state[k, i, j] += used < ports
        found.append(state)
    there = np.full((blocks, switches), ports, np.int32)
    wiring = Wiring(kind, [str(b) for b in range(blocks)], [str(k) for k in range(switches)], there, there,
                    np.zeros(switches, np.int32))  # fmt: skip
    return wiring, *found


def cells(ports, circuits):
    counts = ports.counts(circuits).astype(int)
    return counts + counts.transpose(0, 2, 1) if ports.one_sided else counts


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 3), st.integers(2, 7), st.integers(1, 4),
       st.sampled_from(["bidi", "simplex", "duplex"]))  # fmt: skip
def test_units_in_any_order(seed, switches, blocks, each, kind):
    draws = np.random.default_rng(seed)
    wiring, before, after = states(draws, switches, blocks, each, kind)
    ports = ports_of_wiring(wiring, before)
    assert (ports.counts() == before).all()
    units = units_for(ports, after)
    whole = after + after.transpose(0, 2, 1) if kind == "duplex" else after
    up = {tuple(row) for row in ports.circuits.tolist()}
    used = {slot for pair in up for slot in pair}
    for unit in draws.permutation(units.number).tolist():
        for row in units.down[units.unit_of_down == unit].tolist():
            up.remove(tuple(row))
            used -= set(row)
        for row in units.up[units.unit_of_up == unit].tolist():
            assert not used & set(row)
            up.add(tuple(row))
            used |= set(row)
    assert (cells(ports, np.array(sorted(up), np.int32).reshape(-1, 2)) == whole).all()
    kept = np.minimum(cells(ports, ports.circuits), whole).sum() / (2 if kind == "duplex" else 1)
    assert len(ports.circuits) - len(units.down) == kept


def test_a_port_is_on_the_switch_and_block_that_it_serves():
    layer = build("jupiter:blocks=6,uplinks=10").circuits
    ports = ports_of_layer(layer)
    assert (ports.crosses(ports.circuits) == layer.state[np.lexsort(layer.state.T[::-1])]).all()
    assert ports.wiring.north.sum() == ports.wiring.south.sum() == layer.circuits


def test_duplex_links_are_two_cross_connects():
    there = np.full((3, 1), 2, np.int32)
    wiring = Wiring("duplex", "abc", ["ocs-0"], there, there, np.zeros(1, np.int32))
    ports = ports_of_wiring(wiring, np.array([[[0, 1, 1], [0, 0, 1], [0, 0, 0]]], np.int16))
    rows = ports.crosses(ports.circuits)[:, 1:].tolist()
    assert len(rows) == 6 and all([b, a] in rows for a, b in rows)


def test_failed_ports_are_left_alone():
    layer = build("jupiter:blocks=4,uplinks=6").circuits
    dead = layer.with_failed(layer.strands[:1, :3])
    ports = ports_of_layer(dead)
    with pytest.raises(InfeasibleError, match="block-0 has too few working ports on ocs-0"):
        units_for(ports, ports_of_layer(layer).counts())
    units = units_between(ports, ports.circuits)
    assert units.number == 0
