"""Limits of a circuit switch's loss: what the budget of the modules leaves, and no more."""

import numpy as np
import pytest

from topologies.optical_budget import DEFAULT_PATH, circuit_budgets, circuit_class
from topologies.optical_limits import most_loss_db, port_limits_db
from topologies.optical_loss import Z99
from topologies.parts import OpticalPath
from topologies.registry import build


def test_what_the_modules_allow():
    """limit = channel loss of the modules - line - 2.33 sigma of the line - reflections at that loss."""
    t = build("tpu-v4-512")
    layer = t.circuits
    links, _ = layer.end_links
    alike = circuit_class(layer.part, [links[0], links[0]], t.catalogue, t.catalogue.part(DEFAULT_PATH, OpticalPath))
    limit = most_loss_db(alike)
    rest = alike.line + alike.circulators
    left = alike.budget_db[0] - rest.mean_db - Z99 * rest.sigma_db - alike.mpi_db(rest.mean_db + limit)[0]
    assert limit == pytest.approx(left, abs=1e-5)
    assert port_limits_db(layer, 0, t.catalogue).min() == limit
    for loss, margin in ((limit - 0.01, 0.01), (limit + 0.01, -0.01)):
        budgets = circuit_budgets(t, measured_db={0: np.full((136, 136), loss)})
        here = layer.state[:, 0] == 0
        assert budgets.margin_p99_db[here] == pytest.approx(margin, abs=2e-3)
