"""Recommenders: parameters and exchanges by hand."""

import pytest

from fabric.workloads.recommender import recommender
from fabric.workloads.wiring import Wiring
from topologies.errors import ConfigError
from topologies.registry import build


def test_exchanges_by_hand() -> None:
    found = recommender("DLRM-DCNv2").mix(8, value_bytes=2)
    rows, dense = found
    assert rows.size_bytes == 65536 * 26 * 128 * 2 / 8
    assert rows.sent_bytes == 2 * 7 / 8 * rows.size_bytes
    layers = 13 * 512 + 512 + 512 * 256 + 256 + 256 * 128 + 128 + 3 * (2 * 3456 * 512 + 3456)
    layers += 3456 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 * 512 + 512 + 512 * 256 + 256 + 256 + 1
    assert dense.size_bytes == 4 * layers


def test_an_exchange_is_priced_like_any_other() -> None:
    rows = recommender("dlrm-dcnv2").mix(8)[0]
    found = Wiring(build("switch:n=8,rate_gbps=400"), transport="ideal").wired(rows)
    assert found.one_s == pytest.approx(7 / 8 * rows.size_bytes / 50e9, rel=0.01)


def test_what_does_not_fit() -> None:
    with pytest.raises(ConfigError, match="does not split over 7"):
        recommender("dlrm-dcnv2").mix(7)
    with pytest.raises(ConfigError, match="no recommender is named"):
        recommender("wide-and-deep")
