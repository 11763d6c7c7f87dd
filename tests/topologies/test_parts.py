"""The catalogue's reader: every mistake in a parts file has one sentence that names file, part and key."""

from dataclasses import FrozenInstanceError

import pytest

from topologies.errors import ConfigError
from topologies.parts import Cable, Component, Optic, Part, Rack, Switch, catalogue, part, read_parts
from topologies.registry import build

HEAD = 'name = "x"\ntitle = "X"\nsource = "me"\nyear = 2026\nconfidence = "low"\n'
SWITCH = f'[[part]]\nkind = "switch"\n{HEAD}capacity_gbps = 3200\nmax_ports = 8\n'
CABLE = (
    f'[[part]]\nkind = "cable"\n{HEAD}technology = "dac"\nmedium = "copper"\nrate_gbps = 400\nlane_gbps = 100\n'
    "propagation_ns_per_m = 4.5\nphy_latency_ns = 80\n"
)


@pytest.fixture
def written(tmp_path):
    """Write text to a parts file; its path."""

    def write(text, name="mine.toml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_a_good_row(written):
    row = read_parts(written(SWITCH + "power_typical_w = 10\npower_typical_w_low = 8\npower_typical_w_high = 12\n"))[
        "x"
    ]
    assert isinstance(row, Switch) and row.kind == "switch"
    assert row.ranges["power_typical_w"] == (8, 12)
    assert dict(row.values())["max_ports"] == 8 and "latency_ns" not in dict(row.values())
    with pytest.raises(FrozenInstanceError):
        row.max_ports = 9


def test_a_range_with_one_end_takes_the_value_as_the_other(written):
    row = read_parts(
        written(SWITCH + "price_usd = 10\nprice_usd_high = 12\nlatency_ns_low = 1\nlatency_ns_high = 2\n")
    )["x"]
    assert row.ranges == {"price_usd": (10, 12), "latency_ns": (1, 2)}
    assert row.latency_ns is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing"),
        ("part = 3", "give"),
        ("part = [1, 2]", "mine.toml"),
        ("[[parts]]\n", "parts"),
        (SWITCH + "[extra]\n", "extra"),
        ("[[part]\n", "not a TOML"),
        (b"\xff\xfe", "not text; give a TOML file"),
        ('[[part]]\nkind = "switch"\n', "no name"),
        ('[[part]]\nname = ""\nkind = "switch"\n', "no name"),
        ('[[part]]\nname = 4\nkind = "switch"\n', "no name"),
        (f"[[part]]\n{HEAD}", "kind 'None' is unknown"),
        (f'[[part]]\nkind = "gizmo"\n{HEAD}', "gizmo"),
        (SWITCH + "powr_typical_w = 3\n", "did you mean 'power_typical_w'"),
        (SWITCH + "ranges = {}\n", "unknown key 'ranges'"),
        (f'[[part]]\nkind = "switch"\n{HEAD}capacity_gbps = 3200\n', "max_ports missing"),
        (SWITCH.replace('"low"', '"sure"'), "confidence 'sure'"),
        (SWITCH.replace("= 3200", "= nan"), "capacity_gbps = nan is not a finite number"),
        (SWITCH.replace("= 3200", "= inf"), "is not a finite number"),
        (SWITCH.replace("= 3200", '= "3200"'), "is not a finite number"),
        (SWITCH.replace("= 3200", "= true"), "is not a finite number"),
        (SWITCH.replace("= 3200", "= -1"), "negative"),
        (SWITCH.replace("= 8", "= 8.5"), "not a whole number"),
        (SWITCH + "reduces = 1\n", "not true or false"),
        (SWITCH + "cooling = 3\n", "not text"),
        (SWITCH + "price_usd = 10\nprice_usd_low = 11\n", "outside its range"),
        (SWITCH + "price_usd_low = 3\nprice_usd_high = 2\n", "outside its range"),
        (SWITCH + "price_usd_low = 3\n", "outside its range"),
        (SWITCH + 'price_usd_low = "a"\n', "not a finite number"),
        (SWITCH + SWITCH, "stands there twice"),
        (CABLE + 'default_for_gbps = ["a"]\n', "not a finite number"),
        (CABLE + "default_for_gbps = 400\n", "default_for_gbps"),
        (SWITCH + 'sources = "a book"\n', "sources"),
    ],
)
def test_a_bad_file(written, text, said):
    with pytest.raises(ConfigError, match=r"mine\.toml") as error:
        read_parts(written(text))
    assert said in str(error.value)


def test_the_sentence_names_part_and_key(written):
    with pytest.raises(ConfigError, match=r"mine\.toml: part 'x': capacity_gbps = -1"):
        read_parts(written(SWITCH.replace("= 3200", "= -1")))


def test_losses_may_be_negative(written):
    text = f'[[part]]\nkind = "component"\n{HEAD}return_loss_db = -46\n'
    row = read_parts(written(text))["x"]
    assert isinstance(row, Component) and row.return_loss_db == -46


def test_no_file_and_a_folder(tmp_path):
    for path in (tmp_path / "absent.toml", tmp_path):
        with pytest.raises(ConfigError, match="give a TOML file"):
            read_parts(path)


def test_an_extra_file_adds_and_replaces(written):
    own = catalogue()
    added = catalogue(written(SWITCH))
    assert len(added) == len(own) + 1 and added.part("x", Switch).max_ports == 8
    assert added["qm9700"] == own["qm9700"] and "x" not in own
    changed = catalogue(written(SWITCH.replace('"x"', '"qm9700"'), "other.toml"))
    assert changed.part("qm9700", Switch).max_ports == 8 and len(changed) == len(own)
    assert list(changed) == list(own)
    assert len({own.hash, added.hash, changed.hash}) == 3
    assert catalogue().hash == own.hash


def test_names_and_kinds(written):
    own = catalogue()
    with pytest.raises(ConfigError, match="no switch is named 'qm970'; did you mean 'qm9700'"):
        own.part("qm970", Switch)
    with pytest.raises(ConfigError, match="part 'qm9700' is of kind switch; a part of kind cable is needed"):
        own.part("qm9700", Cable)
    with pytest.raises(ConfigError, match="part 'x' has no power_typical_w; add it"):
        read_parts(written(SWITCH))["x"].known("power_typical_w")
    assert own.part("gb200-nvl72", Rack) in own.of_kind(Rack)
    assert sum(len(own.of_kind(kind)) for kind in {type(p) for p in own.values()}) == len(own)


@pytest.mark.parametrize(
    ("name", "rate", "ports"),
    [
        ("sn5600", 800, 64), ("sn5600", 400, 128), ("sn5600", 200, 256), ("sn5600", 100, 256),
        ("qm9700", 400, 64), ("qm9700", 200, 128), ("qm9700", 100, 128), ("qm9700", 800, 32), ("qm9700", 1600, 0),
        ("th5-64x800g", 100, 512), ("nvswitch4", 400, 72), ("nvswitch3", 200, 64),
    ],
)  # fmt: skip
def test_switch_ports(name, rate, ports):
    assert part(name, Switch).ports(rate) == ports


@pytest.mark.parametrize("name", [p.name for p in catalogue().of_kind(Switch)])
def test_ports_never_exceed_the_box(name):
    box = part(name, Switch)
    rates = (25, 50, 100, 106.25, 200, 333, 400, 800, 1600)
    ports = [box.ports(rate) for rate in rates]
    assert ports == sorted(ports, reverse=True)
    assert all(
        p <= box.max_ports and p * r <= box.capacity_gbps * (1 + 1e-9) for p, r in zip(ports, rates, strict=True)
    )
    assert box.ports(box.port_gbps) * box.port_gbps == box.capacity_gbps


@pytest.mark.parametrize(
    ("technology", "rate", "name"),
    [
        ("dac", 400, "dac-400g"), ("dac", 300, "dac-400g"), ("dac", 25, "dac-100g"), ("dac", 1600, "dac-1600g"),
        ("pluggable", 400, "800g-2xdr4"), ("pluggable", 1600, "1600g-dr8"), ("cartridge", 400, "nvlink5-cartridge"),
    ],
)  # fmt: skip
def test_default_cable(technology, rate, name):
    assert catalogue().default_cable(technology, rate).name == name


@pytest.mark.parametrize("technology", sorted({c.technology for k in (Cable, Optic) for c in catalogue().of_kind(k)}))
def test_a_default_cable_carries_its_rate(technology):
    rows = [c for kind in (Cable, Optic) for c in catalogue().of_kind(kind) if c.technology == technology]
    for rate in {r for row in rows for r in row.default_for_gbps}:
        row = catalogue().default_cable(technology, rate)
        assert row.technology == technology
        assert row.rate_gbps >= rate or (row.modules_per_end or 0) * row.rate_gbps >= rate


def test_default_cable_refused():
    with pytest.raises(ConfigError, match="no technology is named 'smoke'; there are acc, aec"):
        catalogue().default_cable("smoke", 400)
    with pytest.raises(ConfigError, match="no default dac cable carries 3200 Gb/s; there are 100, 200"):
        catalogue().default_cable("dac", 3200)


def test_a_link_over_a_module_of_unknown_latency_says_so(written):
    text = 'technology = "pluggable"\nrate_gbps = 400\nlane_gbps = 100\npower_typical_w = 9\n'
    own = catalogue(written(f'[[part]]\nkind = "optic"\n{HEAD}{text}'))
    with pytest.raises(ConfigError, match="part 'x' has no phy_latency_ns; add it with --parts FILE"):
        build("ring:n=4,cable=x", own)


def test_part_is_a_face_of_the_catalogue():
    assert part("qm9700") is catalogue()["qm9700"]
    assert isinstance(part("qm9700"), Part)


def test_one_value_of_a_known_part_may_change(written):
    own, text = catalogue()["1600g-dr8"], '[[part]]\nname = "1600g-dr8"\nprice_usd = 1200\nsource = "our quotation"\n'
    changed = catalogue(written(text))["1600g-dr8"]
    assert (changed.price_usd, changed.power_typical_w, changed.source) == (1200, own.power_typical_w, own.source)
    assert "price_usd" in own.estimates and "price_usd" not in changed.estimates
    assert changed.sources["price_usd"] == "our quotation" and changed.sources["reach_m"] == own.sources["reach_m"]
    assert "price_usd" not in changed.ranges and changed.ranges["power_typical_w"] == own.ranges["power_typical_w"]


def test_a_change_without_a_source_names_its_file(written):
    changed = catalogue(written('[[part]]\nname = "qm9700"\nlatency_ns = 150\n', "ours.toml"))["qm9700"]
    assert "ours.toml" in changed.sources["latency_ns"]


def test_a_range_and_an_estimate_of_ones_own(written):
    text = '[[part]]\nname = "qm9700"\nprice_usd_low = 30000\nprice_usd_high = 40000\nlatency_ns = 1\n'
    changed = catalogue(written(text + '[part.estimates]\nlatency_ns = "a guess"\n'))["qm9700"]
    assert changed.ranges["price_usd"] == (30000, 40000) and "reseller" in changed.sources["price_usd"]
    assert changed.estimates["latency_ns"] == "a guess"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind = "nic"\n', "is of kind switch in the catalogue, not nic"),
        ("prize_usd = 3\n", "did you mean 'price_usd'"),
        ("price_usd_low = 99999999\n", "lies outside its range"), ("price_usd = -1\n", "is negative"),
        ('price_usd = "3"\n', "is not a finite number"),
    ],
)  # fmt: skip
def test_a_bad_change_is_refused(text, said, written):
    with pytest.raises(ConfigError, match=said):
        catalogue(written('[[part]]\nname = "qm9700"\n' + text))
