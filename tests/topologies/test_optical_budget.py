"""Loss budgets of circuits: sums by hand, root sum square against sampling, and what may never help."""

from collections.abc import Mapping
from dataclasses import replace
from math import log10

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.errors import TopologyError
from topologies.optical_budget import BEST, NOMINAL, WORST, budgets, circuit_budgets, tightest
from topologies.optical_loss import Z99, Loss, fibre_loss, line_loss, part_loss, switch_loss
from topologies.parts import Catalogue, CircuitSwitch, Component, Optic, OpticalPath, Part, catalogue, part
from topologies.reflections import mpi_penalty_db, one_way
from topologies.registry import build

PATH = part("circuit-path", OpticalPath)
PALOMAR = part("palomar-136", CircuitSwitch)


def with_parts(*rows: Part) -> Catalogue:
    """The catalogue with some rows of one's own."""
    known: Mapping[str, Part] = {**catalogue(), **{row.name: row for row in rows}}
    return Catalogue(known, "test")


def mesh(*rows: Part, spec: str = "jupiter:blocks=4,uplinks=6,hosts=1,length_m=250"):
    """Four blocks, 500 m from module to module through one switch."""
    return build(spec, with_parts(*rows))


def typical(db: float, **given) -> CircuitSwitch:
    """A circuit switch of one loss on every port."""
    losses = {"insertion_loss_db": db, "insertion_loss_mean_db": db, "insertion_loss_max_db": db}
    return replace(PALOMAR, name="ocs", ranges={}, **losses, **given)


@pytest.mark.parametrize(
    ("switch_db", "optic", "total", "margin"),
    [
        (1.4, "400g-dr4", 2.855, 0.145),
        (1.5, "400g-dr4", 2.955, 0.045),
        (2.0, "400g-dr4", 3.455, -0.455),
        (2.0, "400g-fr4", 3.455, 0.545),
        (3.0, "400g-fr4", 4.455, -0.455),
        (2.0, "400g-fr4-bidi", 5.055, 1.945),
        (1.4, "400g-fr4-bidi", 4.455, 2.545),
    ],
)
def test_budgets_worked_by_hand(switch_db, optic, total, margin):
    """500 m x 0.35 dB/km + 4 connectors x 0.32 dB = 1.455 dB, the switch, and two circulators x 0.8 dB both ways; DR
    allows 3 dB, FR4 4 dB, a module made for circuit switches 7 dB. Margins before reflections."""
    built = mesh(typical(switch_db), spec=f"jupiter:blocks=4,uplinks=6,hosts=1,length_m=250,ocs=ocs,ocs_optic={optic}")
    found = circuit_budgets(built)
    assert found.loss_mean_db == pytest.approx(total) and len(found.kind) == built.circuits.circuits
    assert found.margin_mean_db + found.mpi_penalty_db == pytest.approx(margin)


def test_the_spread_of_parts():
    """(0.5 - 0.32) / 1.8808 of a connector; half the half range of a circulator; maximum at the 99th percentile."""
    assert part_loss(part("connector-mpo", Component)) == Loss(0.32, pytest.approx(0.0957, abs=1e-4), 0.1, 0.7)
    assert part_loss(part("circulator", Component)) == Loss(0.8, pytest.approx(0.15), 0.8, 0.8)
    assert switch_loss(PALOMAR) == Loss(1.5, pytest.approx(0.5 / 2.326348), 1.0, 2.0)
    lumentum = switch_loss(part("lumentum-r300", CircuitSwitch))
    assert lumentum is not None and lumentum.mean_db + Z99 * lumentum.sigma_db == pytest.approx(3.0)
    fibre = fibre_loss(part("fibre-smf", Component), 2000)
    assert (fibre.mean_db, fibre.sigma_db) == (pytest.approx(0.7), pytest.approx(0.09))
    line = line_loss(PATH, 2000, catalogue())
    assert line.mean_db == pytest.approx(1.98)
    assert line.sigma_db == pytest.approx((4 * 0.0957**2 + 0.09**2) ** 0.5, abs=1e-4)
    nothing = replace(PALOMAR, insertion_loss_db=None, insertion_loss_mean_db=None)
    assert switch_loss(nothing) is None


def test_root_sum_square_agrees_with_sampling():
    """200,000 pods whose every part is drawn from a skewed distribution of its mean and deviation, none below zero."""
    rng = np.random.default_rng(5)
    alike = circuit_budgets(build("tpu-v4-64")).classes[0]

    def draw(loss: Loss, parts: int = 1) -> np.ndarray:
        shape = (loss.mean_db / loss.sigma_db) ** 2
        return rng.gamma(shape, loss.mean_db / shape, (parts, 200_000)).sum(axis=0)

    connector, circulator = part_loss(part("connector-mpo", Component)), part_loss(part("circulator", Component))
    sampled = draw(connector, 4) + draw(circulator, 2) + draw(fibre_loss(part("fibre-smf", Component), 50))
    sampled += draw(alike.through)
    assert sampled.mean() == pytest.approx(alike.loss.mean_db, abs=0.005)
    assert sampled.std() == pytest.approx(alike.loss.sigma_db, rel=0.01)
    assert np.quantile(sampled, 0.99) == pytest.approx(alike.loss.mean_db + Z99 * alike.loss.sigma_db, abs=0.1)
    tight = mesh(replace(part("400g-fr4-bidi", Optic), channel_loss_db=5.5, ranges={}))
    budget = circuit_budgets(tight)
    rest = replace(alike.line, sigma_db=0.0)
    over = sampled - rest.mean_db + budget.classes[0].line.mean_db + budget.mpi_penalty_db[0] > 5.5
    assert 0.01 < over.mean() < 0.2 and budget.failure_probability[0] == pytest.approx(over.mean(), abs=0.01)


def test_a_link_fails_when_the_margin_is_a_deviation_away():
    """Margins of 0, 1 and 2.3263 standard deviations fail in 50 %, 15.87 % and 1 %."""
    base = circuit_budgets(mesh())
    for deviations, chance in ((0.0, 0.5), (1.0, 0.158655), (2.326348, 0.01), (-1.0, 0.841345)):
        allowed = base.loss_mean_db[0] + base.mpi_penalty_db[0] + deviations * base.loss_sigma_db[0]
        found = circuit_budgets(mesh(replace(part("400g-fr4-bidi", Optic), channel_loss_db=allowed, ranges={})))
        assert found.failure_probability == pytest.approx(chance, abs=1e-6)
        assert (found.margin_p99_db[0] < -1e-5) == (deviations < 2.3)


def test_without_spread_a_link_fails_surely_or_never():
    exact = [
        replace(part(name, Component), insertion_loss_p97_db=None, ranges={})
        for name in ("connector-mpo", "circulator", "fibre-smf")
    ]
    for allowed, chance in ((9.0, 0.0), (2.0, 1.0)):
        optic = replace(part("400g-fr4-bidi", Optic), channel_loss_db=allowed, ranges={})
        spec = "jupiter:blocks=4,uplinks=6,hosts=1,ocs=ocs"
        found = circuit_budgets(mesh(*exact, optic, typical(1.0), spec=spec))
        assert set(found.failure_probability.tolist()) == {chance} and not found.loss_sigma_db.any()


@pytest.mark.parametrize(("return_db", "penalty"), [(-46, 0.31), (-38, 0.83)])
def test_one_reflection_under_both_ways(return_db, penalty):
    """x = R + 5 dB of path: 1 - 7.8 sqrt(x) with k = 1.3."""
    x = 10 ** ((return_db + 5) / 10)
    ratio = 10 * log10(1.3 / 0.3)
    found = mpi_penalty_db(np.array([return_db + 5.0]), 100, ratio)
    assert found == pytest.approx(-10 * log10(1 - 7.8 * x**0.5)) and found == pytest.approx(penalty, abs=0.01)


@pytest.mark.parametrize(("transceivers_db", "penalty"), [(-25, 6.2), (-35, 2.5)])
def test_the_bound_of_the_standard(transceivers_db, penalty):
    """Figures of the 802.3 reflector's thread on bhatt_01_0512: PAM4, 4 connectors of -25 dB between two transceivers,
    extinction ratio 6 dB; 15 pairs reflect twice. (The thread prints -26 dB beside 6.2 dB, which -25 dB gives.)"""
    interferers = one_way([transceivers_db, *[-25.0] * 4, transceivers_db])
    assert len(interferers) == 15
    assert mpi_penalty_db(interferers, 50, 6.0, bound=True) == pytest.approx(penalty, abs=0.05)
    assert mpi_penalty_db(interferers, 50, 6.0) < penalty


def test_two_levels_suffer_a_third_of_four():
    x = np.array([-40.0])
    four, two = (1 - 10 ** (-mpi_penalty_db(x, lane, 6.0) / 10) for lane in (100, 25))
    assert four == pytest.approx(3 * two)


def test_a_shut_eye_is_forty_decibels():
    assert mpi_penalty_db(np.array([0.0]), 100, 6.0) == pytest.approx(40.0)


def test_reflections_of_a_pod_worked_by_hand():
    """4.3975 dB of loss: the circulator leaks at -50 + 4.3975; 4 connectors and the switch return at 1.6 dB less."""
    found = circuit_budgets(build("tpu-v4-64"))
    x = 10 ** (-4.56025) + 4 * 10 ** (-5.72025) + 10 ** (-4.32025)
    assert found.mpi_penalty_db == pytest.approx(-10 * log10(1 - 2 * 3 * 1.3 * x**0.5), abs=1e-3)


@pytest.mark.parametrize("spec", ["tpu-v4-64", "tpu-v4-512", "tpu-v4-4096", "jupiter:blocks=8,uplinks=64"])
def test_machines_that_run_pass(spec):
    """Palomar, circulators and WDM modules are in production: never over, and nominally fine."""
    found = budgets(build(spec))
    assert found is not None and {c.state for c in found.classes} == {"ok"}
    assert found.failure_probability.sum() < 1


def test_every_circuit_switch_that_is_sold_closes_with_modules_made_for_it():
    for row in catalogue().of_kind(CircuitSwitch):
        if row.insertion_loss_db is None or row.ports_per_side < 20:
            continue
        found = budgets(build(f"jupiter:blocks=4,uplinks=6,hosts=1,ocs={row.name}"))
        assert found is not None and found.classes[0].state in ("ok", "marginal"), row.name


def test_states():
    """DR through 2 dB is for the sources to decide, through 9.8 dB it never closes, without a budget nobody knows."""
    spec = "jupiter:blocks=4,uplinks=6,hosts=1,length_m=250,"
    assert circuit_budgets(mesh(spec=f"{spec}ocs_optic=400g-dr4")).classes[0].state == "marginal"
    lossy = circuit_budgets(mesh(typical(9.8), spec=f"{spec}ocs=ocs,ocs_optic=400g-dr4"))
    assert lossy.classes[0].state == "over" and lossy.failure_probability[0] == pytest.approx(1)
    unstated = replace(part("400g-dr4", Optic), channel_loss_db=None)
    silent = circuit_budgets(mesh(unstated, spec=f"{spec}ocs_optic=400g-dr4"))
    assert silent.classes[0].state == "unknown" and np.isnan(silent.failure_probability).all()


@settings(max_examples=25, deadline=None)
@given(
    connectors=st.integers(0, 12), splices=st.integers(0, 8), more=st.integers(1, 4), length=st.floats(1, 9000),
    optic=st.sampled_from(["400g-fr4-bidi", "400g-dr4"]), longer=st.floats(1, 4),
)  # fmt: skip
def test_more_of_anything_never_helps(connectors, splices, more, length, optic, longer):
    def found(path: OpticalPath, length_m: float):
        spec = f"jupiter:blocks=2,uplinks=2,hosts=1,length_m={length_m},ocs_optic={optic}"
        return circuit_budgets(mesh(path, spec=spec)).classes[0]

    base = replace(PATH, connectors=connectors, splices=splices)
    worse = [
        found(replace(base, connectors=connectors + more), length),
        found(replace(base, splices=splices + more), length),
        found(base, length * longer),
    ]
    start = found(base, length)
    for end in (NOMINAL, WORST, BEST):
        assert all(each.margin_p99_db(end) <= start.margin_p99_db(end) + 1e-9 for each in worse)
    assert start.margin_p99_db(WORST) <= start.margin_p99_db() <= start.margin_p99_db(BEST)


def test_two_generations_have_the_smaller_budget_of_their_modules():
    built = build("jupiter:blocks=4,uplinks=6,hosts=1,generations=100x400")
    found = circuit_budgets(built)
    budget = {c.modules: c.budget_db[NOMINAL] for c in found.classes}
    assert budget == {
        ("400g-fr4-bidi",) * 2: 7.0, ("400g-fr4-bidi", "100g-cwdm4-bidi"): 7.0, ("100g-cwdm4-bidi",) * 2: 8.0
    }  # fmt: skip
    counts = dict(zip([c.modules for c in found.classes], np.bincount(found.kind).tolist(), strict=True))
    assert counts == {("400g-fr4-bidi",) * 2: 2, ("400g-fr4-bidi", "100g-cwdm4-bidi"): 8, ("100g-cwdm4-bidi",) * 2: 2}
    assert found.classes[tightest(found)].budget_db[NOMINAL] == 7.0


def test_models_of_one_layer_have_their_own_loss():
    built = build("jupiter:blocks=4,uplinks=120,hosts=1")
    layer = replace(built.circuits, other_parts={1: part("calient-s320", CircuitSwitch)})
    found = circuit_budgets(built.with_circuits(layer))
    on_calient = layer.state[:, 0] == 1
    assert 0 < on_calient.sum() < len(on_calient)
    assert found.loss_mean_db[on_calient] - 2.0 == pytest.approx(found.loss_mean_db[~on_calient][0] - 1.5)


def test_measured_losses_take_the_place_of_the_row():
    built = build("jupiter:blocks=4,uplinks=6,hosts=1")
    matrix = np.add.outer(np.arange(136) * 0.01, np.arange(136) * 0.001)
    plain, found = circuit_budgets(built), circuit_budgets(built, measured_db={0: matrix})
    _, a, b = built.circuits.state.T
    assert found.loss_mean_db == pytest.approx(plain.loss_mean_db - 1.5 + 0.01 * a + 0.001 * b)
    assert (found.loss_sigma_db < plain.loss_sigma_db).all()


def test_a_fabric_without_circuits_has_no_budget():
    assert budgets(build("ring:n=4")) is None
    with pytest.raises(TopologyError, match="no circuit layer"):
        circuit_budgets(build("ring:n=4"))


def test_a_dark_layer_has_no_class():
    built = build("jupiter:blocks=4,uplinks=6,hosts=1")
    dark = circuit_budgets(built.with_state(built.circuits.state[:0]))
    assert dark.classes == () and tightest(dark) is None and len(dark.loss_mean_db) == 0
