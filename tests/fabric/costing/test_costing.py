"""Dollars: ranges, a user's prices, cables, and the cost of owning a network: hand arithmetic."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fabric.costing import Usd, cabling, capital_cost, priced, read_prices
from fabric.costing.ownership import total_cost_of_ownership
from fabric.simulation import simulate
from topologies.errors import ConfigError
from topologies.parts import catalogue, part
from topologies.registry import build


def test_the_range_of_a_network_is_the_sum_of_its_parts_ranges():
    """64 chips of a cube: 144 copper cables, 96 modules and circulators, 48 circuit switches shared by 64."""
    cost = capital_cost(build("tpu-v4-64"))
    shares = ((144, "ici-v4-copper", "price_usd", 1), (96, "ici-osfp-400g", "price_usd", 1),
              (96, "circulator", "price_usd", 1), (48 / 64, "palomar-136", "price_usd_per_port", 136))  # fmt: skip
    for end in (0, 1):
        total = 0.0
        for number, name, key, ports in shares:
            value = getattr(part(name), key)
            total += number * ports * part(name).ranges.get(key, (value, value))[end]
        assert (cost.low_usd, cost.high_usd)[end] == pytest.approx(total)
    assert cost.low_usd < cost.capex_usd < cost.high_usd


def test_prices_of_ones_own(tmp_path):
    (tmp_path / "p.toml").write_text('nvswitch4 = 3000\n"palomar-136" = { price = 136, low = 68, high = 272 }\n')
    (tmp_path / "p.csv").write_text("name,price,low,high\n# ours\nnvswitch4, 3000\n\npalomar-136,136,68,272\n")
    told = [read_prices(tmp_path / name) for name in ("p.toml", "p.csv")]
    assert told[0] == told[1] == {"nvswitch4": Usd(3000, 3000, 3000), "palomar-136": Usd(136, 68, 272)}
    parts = priced(catalogue(), told[0])
    assert parts.hash != catalogue().hash and parts["palomar-136"].price_usd_per_port == 1
    assert parts["palomar-136"].ranges["price_usd_per_port"] == (0.5, 2)
    cost = capital_cost(build("nvl72", parts))
    assert cost.missing == () and cost.capex_usd == pytest.approx(18 * 3000 + 5184 * 42, rel=1e-2)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("p.csv", "qm9700\n", "line 1: 1 cells"),
        ("p.csv", "qm9700,dear\n", "price = 'dear' is no price"),
        ("p.csv", "qm9700,1\nqm9700,2\n", "line 2: part 'qm9700' stands there twice"),
        ("p.csv", "qm9700,5,6,7\n", "price 5 lies outside 6 to 7"),
        ("p.csv", "", "holds no price"),
        ("p.toml", "qm9700 = -1\n", "price = -1 is no price"),
        ("p.toml", "qm9700 = nan\n", "price = nan is no price"),
        ("p.toml", "qm9700 = { prise = 1 }\n", "has the key 'prise'"),
        ("p.toml", "qm9700 = { low = 1 }\n", "no price; give one"),
        ("p.toml", "qm9700 = [\n", "not prices"),
    ],
)
def test_a_bad_price_file_is_one_line(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_prices(tmp_path / name)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_prices_of_what_has_none():
    with pytest.raises(ConfigError, match="did you mean 'qm9700'"):
        priced(catalogue(), {"qm970": Usd(1, 1, 1)})
    with pytest.raises(ConfigError, match="of kind power-delivery, which has no price"):
        priced(catalogue(), {"chain-54v": Usd(1, 1, 1)})


def test_cables_to_lay():
    found = cabling(build("clos:hosts=32,switch=qm9700,technology=dac,length_m=2,uplink_technology=pluggable,"
                          "uplink_length_m=20,tiers=2,leaf_hosts=16"))  # fmt: skip
    fibre, labour = part("fibre-cable"), part("cable-laying")
    assert (found.cables, found.fibres, found.fibre_m) == (64, 32, 640)
    assert found.fibre.value == pytest.approx(32 * fibre.offset_usd + 640 * fibre.usd_per_m)
    assert found.labour == 64 * Usd(30, *labour.ranges["usd_per_cable"])
    assert cabling(build("nvl72")).cables == 0  # a cartridge comes with its rack
    assert cabling(build("tpu-v4-64")).fibres == 96


def test_owning_a_network():
    topology = build("tpu-v4-64")
    own = total_cost_of_ownership(topology, years=4, usd_per_kwh=0.1, pue=1.2)
    cost, laid = capital_cost(topology), cabling(topology)
    from fabric.powering import network_power

    watts = network_power(topology).total_w
    energy = 4 * 8760 * watts / 1e3 * 1.2 * 0.1
    upkeep = 4 * 0.05 * cost.capex_usd
    total = cost.capex_usd + laid.fibre.value + laid.labour.value + energy + upkeep
    assert own.total.value == pytest.approx(total) and own.per_accelerator.value == pytest.approx(total / 64)
    assert own.total.low < own.total.value < own.total.high
    reduced = simulate(topology, "all-reduce", "1GiB").algbw_gb_per_s / 1e3 * 4 * 8760 * 3600
    assert own.per_tb_all_reduced.value == pytest.approx(total / reduced)
    exchanged = 64 * simulate(topology, "all-to-all", "1GiB").busbw_gb_per_s
    assert own.per_gb_per_s_all_to_all.value == pytest.approx(total / exchanged)


def test_what_has_no_price_is_listed_and_no_total_is_given():
    own = total_cost_of_ownership(build("nvl72"))
    assert own.total is None and own.missing == ("nvswitch4",) and own.priced.value > own.parts.priced_usd > 0
    machine = total_cost_of_ownership(build("nvl72"), machine=True)
    assert machine.missing == () and machine.machines.value == 3.1e6
    chips = total_cost_of_ownership(build("tpu-v4-64"), machine=True)
    assert chips.total is None and "64 accelerators" in chips.missing
    unknown = total_cost_of_ownership(build("fat-tree:k=4"))
    assert unknown.energy is None and any("electricity" in line for line in unknown.missing)


@pytest.mark.parametrize(("asked", "message"), [({"years": 0}, "years = 0"), ({"usd_per_kwh": -1}, "power price -1"),
                                                ({"pue": 0.5}, "PUE 0.5")])  # fmt: skip
def test_bad_questions(asked, message):
    with pytest.raises(ConfigError, match=message):
        total_cost_of_ownership(build("tpu-v4-64"), **asked)


@settings(deadline=None)
@given(st.floats(1, 10), st.floats(1, 10))
def test_more_years_never_cost_less(a, b):
    few, many = sorted((a, b))
    first, second = (total_cost_of_ownership(_RING, years=years).priced for years in (few, many))
    assert first.low <= second.low and first.value <= second.value and first.high <= second.high
    assert first.low <= first.value <= first.high


_RING = build("ring:n=4")
