"""Validation: what a case may ask, how it is judged, and that the cases of the program stand on their sources."""

import json
import re
from pathlib import Path

import pytest

from fabric.simulation import simulate
from fabric.validation import Validation, compute, read_cases, validate
from topologies.errors import ConfigError

FACTS = Path(__file__).parents[3] / "shared/facts/validation_cases.json"
CASES = Path(__file__).parents[2] / "fabric/cases"
MISSES = {
    "jf-200-10-lm-0.5": "4.5 % above: which half of the switches is active, and how they pair, is the tool's own draw",
    "jf-231-10-ksp4": "which of many equally short paths count as the first four is an order that nobody publishes",
    "hxmesh-cost-ft50-16384": "1.8 % above: the figure counts ports, 269 spines and 135 cores; whole pods take more",
    "jf-231-10-ksp8": "the same with eight: 5 % above; with 16 and more the order no longer matters",
}

WORKLOADS = {case.id for case in read_cases(CASES / "workloads.toml")[0]}  # of papers on models
BESIDE = {"optics-512k-share", "optics-512k-modules"} | WORKLOADS  # of a vendor's talk, without a row among the facts

HEAD = """
[[case]]
id = "made-up"
system = "Made up"
kind = "construct"
quantity = "links of a ring"
unit = "links"
source = "counting"
"""
RING = '[case.compute]\ntopology = "ring:n=8"\ndescribe = "links"\n'


@pytest.fixture
def judged(tmp_path: Path):
    def run(body: str) -> Validation:
        path = tmp_path / "made.toml"
        path.write_text(HEAD + body, encoding="utf-8")
        return validate([path])

    return run


@pytest.fixture(scope="module")
def whole() -> Validation:
    return validate()


SOLVE = {"collective": "all-reduce", "size": "1TiB", "transport": "ideal", "algorithm": "bucket", "routing": "dor"}
RING_50 = "ring:n=8,rate_gbps=400,latency_ns=0"


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ({"topology": "ring:n=8", "prices": {"dac-400g": 5}, "describe": "capex_usd"}, [40]),
        ({"topology": "jellyfish:n=9,degree=5,p=1", "limit": "all_to_all_links"}, [5 / 1.375]),
        ({"topology": "ring:n=8", "describe": "links"}, [8]),
        ({"topology": "ring:n=8", "describe": ["accelerators", "diameter"]}, [8, 4]),
        ({"topology": "ring:n=8", "describe": "links_by_medium.optical"}, [0]),
        ({"topology": "clos:hosts=128,switch=qm9700", "describe": "switches_by_tier.spine"}, [2]),
        ({"topology": "clos:hosts=128,switch=qm9700", "describe": "switches_by_tier.core"}, [0]),
        ({"topology": "nvl72", "bill": "nvswitch4"}, [18]),
        ({"topology": "nvl72", "bill": "palomar-136"}, [0]),
        ({"graph": "networkx:petersen_graph", "rate_gbps": 8, "describe": "diameter"}, [2]),
        ({"graph": "networkx:grid_2d_graph(2, 3)", "rate_gbps": 8, "describe": "links"}, [7]),
        ({"topology": RING_50, "solve": "busbw_gb_per_s", **SOLVE}, [100]),
        ({"topology": RING_50, "solve": "busbw_gb_per_s", "times": "accelerators", **SOLVE}, [800]),
        ({"topology": RING_50, "solve": "whole_array_us", **SOLVE, "size": 8_000_000}, [160]),
        ({"part": "tpu-v7", "nameplate": "memory_gb", "times": 2, "divide_by": 3}, [128]),
        ({"part": "sn5600", "ports_at_gbps": 400}, [128]),
        ({"mode": "cartridge-200g", "reach_m_at_awg": 26}, [13.2 / 7.92]),
        ({"topology": "nvl72", "power": "network.in_accelerator.typical_w"}, [72 * 36]),
        ({"topology": "nvl72", "power": "by_kind.switch silicon.typical_w"}, [18 * 560]),
        ({"topology": "nvl72", "power": "network.external.typical_w", "exclude": ["scale-up"]}, [0]),
        ({"topology": "ring:n=8", "capex": "usd", "prices": {"dac-400g": 5}}, [40]),
        ({"topology": "ring:n=8", "capex": "usd", "exclude": ["host-ends"]}, [0]),
        ({"topology": "ring:n=8", "describe": "links", "plus": {"topology": "ring:n=4", "describe": "links"}}, [12]),
        ({"topology": "ring:n=8", "describe": "links", "over": {"topology": "ring:n=4", "describe": "links"}}, [2]),
        ({"topology": "ring:n=8", "describe": "links", "minus": {"topology": "ring:n=5", "describe": "links"}}, [3]),
        (
            {"topology": "ring:n=6", "describe": "links", "saving_over": {"topology": "ring:n=8", "describe": "links"}},
            [0.25],
        ),
        (
            {
                "topology": "ring:n=8",
                "describe": ["links", "diameter"],
                "times": 3,
                "over": {"topology": "ring:n=4", "describe": "accelerators", "divide_by": 2},
            },
            [12, 6],
        ),
    ],
)
def test_each_question_and_operation(table: dict, values: list[float]) -> None:
    assert compute(table) == pytest.approx(values)


def test_a_solved_case_says_what_simulate_says() -> None:
    told = simulate("torus:dims=4x4", "all-to-all", "1MiB", transport="ideal", algorithm="direct", routing="ecmp")
    asked = {"collective": "all-to-all", "size": "1MiB", "transport": "ideal", "algorithm": "direct", "routing": "ecmp"}
    for key in ("time_us", "latency_us", "algbw_gb_per_s"):
        assert compute({"topology": "torus:dims=4x4", "solve": key, **asked}) == [getattr(told, key)]


def test_a_generator_with_a_seed_gives_the_same_graph_again() -> None:
    def distance(nodes: int) -> list[float]:
        graph = f"networkx:random_regular_graph(3, {nodes})"
        return compute({"graph": graph, "rate_gbps": 8, "describe": "average_distance"})

    first = distance(40)
    distance(42), distance(44)  # out of the memory of the last two
    assert distance(40) == first


@pytest.mark.parametrize(
    ("expected", "tolerance", "ok", "error"),
    [
        ("8", "{abs = 0}", True, 0),
        ("9", "{abs = 0}", False, 1 / 9),
        ("9", "{abs = 1}", True, 1 / 9),
        ("0", "{abs = 7}", False, 8),
        ("10", "{rel = 0.2}", True, 0.2),
        ("10", "{rel = 0.19}", False, 0.2),
        ("4", "{min = 4}", True, 1),
        ("9", "{min = 9}", False, 1 / 9),
        ("16", "{max = 16}", True, 0.5),
        ("4", "{max = 4}", False, 1),
    ],
)
def test_tolerances(judged, expected: str, tolerance: str, ok: bool, error: float) -> None:
    validation = judged(f"expected = {expected}\ntolerance = {tolerance}\n" + RING)
    (case,) = validation.cases
    assert (case.ok, case.computed) == (ok, 8)
    assert case.error == pytest.approx(error)
    assert validation.summary == {"cases": 1, "passed": int(ok), "failed": int(not ok), "left_out": 0}


def test_the_error_of_a_list_is_the_largest_and_one_miss_is_a_miss(judged) -> None:
    table = '[case.compute]\ntopology = "ring:n=8"\ndescribe = ["links", "diameter"]\n'
    (case,) = judged("expected = [8, 5]\ntolerance = {rel = 0.1}\n" + table).cases
    assert (case.computed, case.error, case.ok) == ([8, 4], pytest.approx(0.2), False)


def test_several_tables_give_a_list(judged) -> None:
    tables = RING.replace("[case.compute]", "[[case.compute]]") * 2
    (case,) = judged("expected = [8, 8]\ntolerance = {abs = 0}\n" + tables).cases
    assert case.ok


BOUNDS = "".join(
    f'[[case.boundary]]\nname = "of {n}"\n[case.boundary.compute]\ntopology = "ring:n={n}"\ndescribe = "links"\n'
    for n in (6, 8, 12)
)


@pytest.mark.parametrize(
    ("expected", "tolerance", "ok", "named"),
    [
        ("8", "{abs = 0}", True, "of 8"),
        ("9", "{abs = 1}", True, "of 8"),
        ("10", "{abs = 1}", False, "none matches, nearest: of 8"),  # within the range, but no boundary gives it
        ("13", "{abs = 1}", True, "of 12"),  # an end of the range reaches it
        ("20", "{rel = 0.1}", False, "none matches, nearest: of 12"),
        ("7", "{max = 7}", True, "of 6"),
        ("5", "{max = 8}", False, "of 6"),  # all lie above the figure: the range does not hold it
    ],
)
def test_an_envelope_holds_where_it_contains_and_matches(judged, expected, tolerance, ok, named) -> None:
    (case,) = judged(f"expected = {expected}\ntolerance = {tolerance}\n" + BOUNDS).cases
    assert (case.ok, case.boundary, case.ranges) == (ok, named, ((6, 12),))


@pytest.mark.parametrize(
    ("compute_table", "message"),
    [
        ('topology = "torsu:n=8"\ndescribe = "links"', "did you mean 'torus'"),
        ('topology = "ring:n=8"\ndescribe = "linsk"', "describe has no 'linsk'; did you mean 'links'"),
        ('topology = "ring:n=8"\ndescribe = "links_by_medium.paper"', "describe has no 'links_by_medium.paper'"),
        ('topology = "ring:n=8"\ndescribe = "walls"', "'walls' is no number"),
        ('topology = "ring:n=8"\ndescribe = "ports_per_side"', "'ports_per_side' is unknown"),
        ('topology = "ring:n=8"\ndescribe = "links.copper"', "describe has no 'links.copper'"),
        ('topology = "ring:n=8"\nbill = "palomar"', "no part is named 'palomar'"),
        ('part = "tpu-v4"\nports_at_gbps = 400', "of kind switch is needed here"),
        ('part = "tpu-v4"\nnameplate = "memory"', "tpu-v4 has no 'memory'"),
        ('graph = "petersen"\nrate_gbps = 8\ndescribe = "links"', "names no generator"),
        ('graph = "networkx:write_graph"\nrate_gbps = 8\ndescribe = "links"', "names no generator"),
        ('graph = "networkx:hypercube_graph"\nrate_gbps = 8\ndescribe = "links"', "hypercube_graph"),
        ('topology = "ring:n=8"\ndescribe = "links"\nprices = { dac-4 = 1 }', "no part is named 'dac-4'"),
        ('topology = "ring:n=8"\ndescribe = "links"\nprices = { chain-54v = 1 }', "which has no price"),
        ('topology = "fat-tree:k=4"\nlimit = "all_to_all_links"', "some switches have no accelerators"),
        ('topology = "ring:n=8"\nlimit = "links"', "limit has no 'links'"),
        ('topology = "ring:n=8"\ndescribe = ["links", "links"]', "expects 1 numbers and computes 2"),
        ('topology = "ring:n=8"\ndescribe = "links"\nover = {topology = "ring:n=8", describe = "switches"}', "by zero"),
        (
            'topology = "rail:servers=4,core=none"\nsolve = "time_us"\ncollective = "all-to-all"\nsize = "1GiB"\n'
            'transport = "ideal"\nalgorithm = "direct"',
            "no path from",
        ),
    ],
)
def test_what_the_program_refuses_has_missed(judged, compute_table: str, message: str) -> None:
    validation = judged("expected = 1\ntolerance = {abs = 0}\n[case.compute]\n" + compute_table)
    (case,) = validation.cases
    assert message in str(case.computed)
    assert (case.ok, case.error) == (False, None)
    assert validation.document()["cases"][0]["computed"] == case.computed


GOOD = HEAD + "expected = 8\ntolerance = {abs = 0}\n" + RING


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("case = [", "not a TOML file of [[case]] tables"),
        ("", "holds nothing"),
        ("[measured]\n", "holds measured"),
        ("case = 3\n", "write [[case]]"),
        (GOOD.replace("unit", "units"), "case 'made-up': unknown key 'units'; did you mean 'unit'"),
        (GOOD.replace('unit = "links"\n', ""), "case 'made-up': unit missing"),
        (GOOD.replace('id = "made-up"\n', ""), "case number 1: id missing"),
        (GOOD.replace('"made-up"', '""'), "id = '' is no text"),
        (GOOD.replace('"counting"', "3"), "source = 3 is no text"),
        (GOOD.replace("expected = 8", 'expected = "8"'), "expected = '8' is no number"),
        (GOOD.replace("expected = 8", "expected = nan"), "expected = nan is no number"),
        (GOOD.replace("expected = 8", "expected = true"), "expected = True is no number"),
        (GOOD.replace("expected = 8", "expected = []"), "expected = [] is no number"),
        (GOOD.replace("abs = 0", "abs = -1"), "cannot be read; write {rel = 0.01}"),
        (GOOD.replace("abs = 0", "abs = 0, rel = 1"), "cannot be read; write {rel = 0.01}"),
        (GOOD.replace("abs = 0", "near = 1"), "cannot be read; write {rel = 0.01}"),
        (GOOD.replace('topology = "ring:n=8"\n', ""), "compute has none of topology, graph, part, mode"),
        (GOOD + 'part = "tpu-v4"\n', "has topology and part of topology, graph, part, mode"),
        (GOOD + 'solve = "time_us"\n', "has describe and solve of describe, bill, solve"),
        (GOOD.replace('describe = "links"', 'solve = "time_us"'), "collective, size, transport missing"),
        (GOOD + 'algorithm = "ring"\n', "unknown key 'algorithm'"),
        (GOOD.replace("topology", "graph"), "rate_gbps missing"),
        (GOOD.replace(RING, "boundary = [3]\n"), "boundary = 3 is no table"),
        (GOOD.replace(RING, BOUNDS.replace('name = "of 6"', "name = 6")), "boundary: name = 6 is no text"),
        (GOOD.replace(RING, BOUNDS.replace('"ring:n=6"', "6")), "boundary 'of 6'"),
        (GOOD + 'exclude = ["nic"]\n', "unknown key 'exclude'"),
        (GOOD + "times = 0\n", "times = 0 cannot be read"),
        (GOOD + 'times = "links"\n', "times = 'links' cannot be read"),
        (GOOD + "over = 2\n", "compute.over = 2 is no table"),
        (GOOD + "prices = 3\n", "prices = 3 cannot be read"),
        (GOOD + "prices = { dac-400g = -1 }\n", "prices = {'dac-400g': -1} cannot be read"),
        (GOOD + '[case.compute.over]\ntopology = "ring:n=8"\n', "compute.over has none of describe, bill, solve"),
        (
            GOOD + "".join(f"[case.compute.{op}]" + RING[len("[case.compute]") :] for op in ("over", "minus")),
            "more than one of over, minus, saving_over, excess_over; nest them",
        ),
        (GOOD + '[[left_out]]\nid = "other"\n', "left_out 'other': reason missing"),
        (GOOD + '[[left_out]]\nid = "made-up"\nreason = "needs a model"\n', "'made-up' stands twice"),
        (GOOD + GOOD, "'made-up' stands twice"),
    ],
)
def test_a_malformed_file_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        validate([path])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        validate([tmp_path / "none.toml"])
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not text; give a TOML file"):
        validate([tmp_path / "binary.toml"])


def test_only_takes_an_id_a_system_or_a_pattern() -> None:
    assert [case.id for case in validate(only="nvl72-switch-ports").cases] == ["nvl72-switch-ports"]
    assert {case.id for case in validate(only="tpu v5e").cases} == {"tpuv5e-allreduce-pod", "tpuv5e-bisection-pod"}
    left = validate(only="railonly-moe-*")
    assert not left.cases
    assert [row.id for row in left.left_out] == ["railonly-moe-a2a"]
    with pytest.raises(ConfigError, match="no case is named 'nvl72-a2b'; did you mean 'nvl72-a2a'"):
        validate(only="nvl72-a2b")


def test_the_program_answers_its_cases(whole: Validation) -> None:
    validation = whole
    missed = {case.id: (case.expected, case.computed) for case in validation.cases if not case.ok}
    assert missed.keys() == MISSES.keys(), missed
    assert validation.summary["failed"] == len(MISSES)


def test_the_document_has_the_keys_of_the_command(whole: Validation) -> None:
    document = json.loads(json.dumps(whole.document(), allow_nan=False))
    assert set(document) == {"cases", "left_out", "summary"}
    keys = {"id", "system", "kind", "quantity", "expected", "computed", "unit", "error", "tolerance", "ok", "source"}
    keys |= {"boundary", "ranges"}
    assert all(set(row) == keys for row in document["cases"])
    assert all(set(row) == {"id", "reason"} for row in document["left_out"])
    assert document["summary"]["cases"] == document["summary"]["passed"] + document["summary"]["failed"]


def test_every_published_figure_is_a_case_or_left_out(whole: Validation) -> None:
    facts = _facts()
    asked = {case.id for case in whole.cases}
    left = {row.id for row in whole.left_out}
    assert not asked & left
    assert asked | left == facts.keys() | BESIDE
    assert not {name for name in asked - BESIDE if facts[name]["computable"] == "no"}


def test_power_cost_and_construct_are_left_out_only_for_reasons_that_stand(whole: Validation) -> None:
    facts = _facts()
    left = {row.id for row in whole.left_out if facts[row.id]["kind"] in ("power", "cost", "construct")}
    assert left == {
        "tpuv4-ocs-cost-share", "ubmesh-cost-efficiency", "infinitehbd-cost", "sirius-power",  # prices, watts
        "cerebras-fabric", "trn3-gen2", "seed-rack-power-range",  # their own input, or a statement
    }  # fmt: skip


def test_every_envelope_names_what_matches_and_holds_the_figure(whole: Validation) -> None:
    enveloped = [case for case in whole.cases if case.ranges is not None]
    assert len(enveloped) >= 8
    for case in enveloped:
        assert case.ok and case.boundary and "none matches" not in case.boundary, case.id
        wanted = case.expected if isinstance(case.expected, list) else [case.expected]
        for (low, high), figure in zip(case.ranges, wanted, strict=True):
            assert low <= high and low <= figure * 1.25 and high >= figure * 0.8, case.id


def test_cases_state_what_was_published() -> None:
    facts = _facts()
    for path in sorted(CASES.glob("*.toml")):
        for case in read_cases(path)[0]:
            if case.id in BESIDE:
                continue
            fact = facts[case.id]
            assert (case.expected, case.tolerance, case.source) == (fact["value"], fact["tolerance"], fact["source"])
            assert (case.system, case.kind, case.unit) == (fact["system"], fact["kind"], fact["unit"])
            assert case.quantity.startswith(fact["quantity"])  # what is counted may follow


def test_no_case_is_handed_its_expected_value() -> None:
    """What a case says in numbers is a unit or an input of the publication, never the figure itself."""
    facts = _facts()
    for path in sorted(CASES.glob("*.toml")):
        for case in read_cases(path)[0]:
            expected = {float(value) for value in _numbers(str(case.expected))}
            inputs = {float(value) for value in _numbers(str(facts.get(case.id, {}).get("inputs")))}
            tables = [*case.compute, *(table for boundary in case.boundaries for table in boundary.compute)]
            for table in tables:
                said = [table.get("topology", ""), table.get("times", ""), table.get("divide_by", "")]
                given = {float(value) for text in said for value in _numbers(str(text))}
                assert not given & expected - inputs, case.id


def _numbers(text: str) -> list[str]:
    return re.findall(r"(?<![\w.-])\d+(?:\.\d+)?(?:e\d+)?(?![\w.-])", text)


def _facts() -> dict[str, dict]:
    if not FACTS.is_file():
        pytest.skip("the facts that the cases were taken from are not beside this checkout")
    return {fact["id"]: fact for fact in json.loads(FACTS.read_text(encoding="utf-8"))}


def test_a_case_in_watts_or_dollars_names_its_boundary():
    found = {case.id: case.boundary for case in validate(only="jupiter-*").cases}
    assert found == {"jupiter-capex": "blocks+spine", "jupiter-power": "blocks+spine", "jupiter-bisection": None}
    assert all("blocks+spine" in case.quantity for case in validate(only="jupiter-[cp]*").cases)
