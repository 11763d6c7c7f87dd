"""Whole outputs of every command in every form, compared with files; --update-golden rewrites them."""

import csv
import io
import json
import math
from collections import Counter
from pathlib import Path

import pytest

GOLDEN = Path(__file__).with_name("golden")
TWISTED = ["solve", "torus:dims=4x4x8,twist=true", "-c", "all-to-all"]
PXN = ["solve", "dgx-h100-superpod-256", "-c", "all-to-all", "--algorithm", "pxn"]
COMPARED = ["compare", "torus:dims=4x4x4", "switch:n=64,switch=qm9700"]
LONG = ["compare", "torus:dims=4x4x4,technology=pluggable", "torus:dims=4x4x4,technology=dac", "-c", "all-to-all"]
JUPITER = ["show", "jupiter:blocks=8,uplinks=64"]
VALIDATED = ["validate", "--file", "cases.toml"]
MEASURED = ["validate", "--measured", "measured.csv"]
TRAINED = ["validate", "--measured", "training.csv"]
INFERRED = ["validate", "--measured", "inference.csv"]
TREE = ["solve", "clos:hosts=32,leaf_hosts=8,uplinks=2", "-c", "all-to-all"]
GROUPS = [*TREE, "--group", "tp=8", "--placement", "striped"]
TUNED = ["tune", "dgx-h100-superpod-256:servers=8", "--sizes", "16KiB-256MiB"]
SIZED = ["size", "nvl72", "gb300-nvl72-x64-cpo", "tpu-v4-64", "--power", "1MW", "--budget", "$17M"]
SERVING = ["size", "nvl72", "ironwood-64", "--power", "400kW", "--pue", "1.15", "--objective", "serve:llama-3.1-70b"]
RAW = ["-c", "all-reduce", "--transport", "ideal"]
VARIED = ["compare", "rail:servers=4,length_m=5", "--vary", "technology=dac,aec,pluggable,cpo", *RAW]
WALLS = ["walls", "nvl72", "--scale", "2,4,8", "--lane", "112,224,448", "--density", "2,4", "--weights", "1400GB"]
UNDER = ["walls", "hgx-h100", "--workload", "llama-3.1-70b", "--parallel", "tp=8", "--stack", "vllm"]
PLANNED = ["plan", "tpu-pod:slice=4x4x8", "tpu-pod:slice=4x4x8,twist=true"]
STEP = ["--compute-ms", "50", "-c", "all-reduce:256MiB", "-c", "all-to-all:64MiB", "--transport", "ideal"]
POWERED = ["power", "dgx-h100-superpod-256", *STEP]
COSTED = ["cost", "nvl72-x8:servers=2", "--prices", "prices.csv", "--machine", "--transport", "ideal"]
PHASES = ["plan", "phases", "../../../examples/planning/phases.toml"]
CUT = ["--workload", "llama-3.1-8b", "--parallel", "tp=8,pp=2,batch=32"]
SWITCHED = ["plan", "phases", "photonic-rail:servers=8", *CUT]
FAILED = ["fail", "rail:servers=8"]
TRACED = ["trace", "switch:n=4", "step.goal"]
LAYERS = ["trace", "rail:servers=4", "layers.txt", "--transport", "ideal", "--algorithm", "direct"]
WORKLOAD = ["workload", "rail:servers=4", "switch:n=8", "llama-3.1-8b", "--sequence", "4096", "--batch", "32"]
STEPPED = [*WORKLOAD, "--parallel", "tp=4,pp=2"]
SERVED = ["workload", "hgx-h100", "llama-3.1-8b", "--parallel", "tp=2", "--concurrency", "64", "--stack", "vllm"]
IMPORTED = ["import", "ibnetdiscover", "small.out"]

TEXTS = {
    "compare.txt": COMPARED,
    "compare-rank-all.txt": ["compare", "ring:n=4", "ring:n=8", "ring:n=16", "-c", "all-reduce", "--rank-all"],
    "compare-long-names.txt": LONG,
    "compare-over.txt": ["compare", "nvl72", "nvl72:length_m=5", "nvl72:technology=pluggable", "-c", "all-reduce"],
    "solve-over.txt": ["solve", "nvl72:length_m=5"],
    "solve-twisted.txt": TWISTED,
    "solve-twisted-explain.txt": [*TWISTED, "--explain"],
    "solve-pxn.txt": PXN,
    "solve-permutation.txt": ["solve", "torus:dims=4x4", "-c", "permutation", "--shift", "3", "-s", "1MiB", "-q"],
    "solve-groups.txt": [*GROUPS, "--explain", "-q"],
    "tune.txt": TUNED,
    "walls.txt": WALLS,
    "size.txt": SIZED,
    "size-serve.txt": [*SERVING, "--min-tokens-per-user", "50"],
    "compare-vary.txt": VARIED,
    "walls-workload.txt": [*UNDER, "--concurrency", "64"],
    "walls-several.txt": ["walls", "nvl72", "hgx-h100", "-q"],
    "walls-verbose.txt": ["walls", "dgx-h100-superpod-256", "-v"],
    "show-nvl72.txt": ["show", "nvl72"],
    "show-tpu-v4-512.txt": ["show", "tpu-v4-512"],
    "show-jupiter.txt": JUPITER,
    "show-cloudmatrix384.txt": ["show", "cloudmatrix384"],
    "show-nvl576-cpo.txt": ["show", "nvl576-cpo"],
    "show-azure-nd-a100-v4.txt": ["show", "azure-nd-a100-v4:servers=16"],
    "show-nvl72-pod.txt": ["show", "../../../examples/nvl72-pod.toml", "-v"],
    "show-two-sites.txt": ["show", "../../../examples/two-sites.toml"],
    "show-mixed.txt": ["show", "../../../examples/mixed.toml"],
    "plan-phases.txt": PHASES,
    "plan-phases-verbose.txt": [*PHASES, "-v", "--delay-ms", "5"],
    "plan-phases-workload.txt": [*SWITCHED, "--delay-ms", "25"],
    "plan-phases-training.txt": ["plan", "phases", "../../../examples/planning/training.toml"],
    "schema.txt": ["schema"],
    "topologies.txt": ["topologies"],
    "topologies-torus.txt": ["topologies", "torus"],
    "parts-qm9700.txt": ["parts", "qm9700"],
    "parts-ocs.txt": ["parts", "--kind", "ocs"],
    "parts-words.txt": ["parts", "nvlink cartridge"],
    "models.txt": ["models"],
    "models-dlrm.txt": ["models", "dlrm"],
    "models-deepseek.txt": ["models", "deepseek-r1"],
    "models-words.txt": ["models", "nano nemotron"],
    "power.txt": [*POWERED, "-v", "--scope", "compute,storage,inband,oob", "--generation", "gas-engine"],
    "power-tpu-v4-4096.txt": ["power", "tpu-v4-4096", "--delivery", "chain-800vdc"],
    "cost.txt": COSTED,
    "cost-tpu-v4-4096.txt": ["cost", "tpu-v4-4096", "--transport", "ideal"],
    "parts-gb200-nvl72.txt": ["parts", "gb200-nvl72"],
    "validate.txt": VALIDATED,
    "validate-verbose.txt": [*VALIDATED, "-v"],
    "validate-measured.txt": MEASURED,
    "validate-measured-verbose.txt": [*MEASURED, "-v"],
    "validate-training.txt": TRAINED,
    "validate-inference.txt": [*INFERRED, "-v"],
    "fail.txt": FAILED,
    "fail-tpu-v4-64.txt": ["fail", "tpu-v4-64", "-q"],
    "fail-leaf.txt": ["fail", "dual-plane:servers=16", "-e", "leaf:3"],
    "fail-links.txt": [*FAILED, "-e", "links=2%", "--seed", "7", "--job", "16"],
    "trace.txt": TRACED,
    "trace-compare.txt": ["trace", "switch:n=4", "ring:n=4", "step.goal", "--compute-scale", "0.5"],
    "trace-explain.txt": [*LAYERS, "--explain"],
    "workload.txt": [*STEPPED, "--explain"],
    "workload-dlrm.txt": ["workload", "hgx-h100", "switch:n=8", "dlrm", "--explain"],
    "workload-serve.txt": [*SERVED, "--explain"],
    "plan.txt": PLANNED,
    "import.txt": IMPORTED,
    "import-verbose.txt": [*IMPORTED, "-v"],
    "import-nccl.txt": ["import", "nccl", "server.xml"],
    "show-server.txt": ["show", "server.xml"],
}
JSONS = {
    "compare.json": [*COMPARED, "--json"],
    "solve-twisted.json": [*TWISTED, "--json"],
    "solve-twisted-explain.json": [*TWISTED, "--explain", "--json"],
    "solve-pxn.json": [*PXN, "--json"],
    "tune.json": [*TUNED, "--json"],
    "walls.json": [*WALLS, "--json"],
    "walls-workload.json": [*UNDER, "--concurrency", "64", "--json"],
    "size.json": [*SIZED, "--json"],
    "size-serve.json": [*SERVING, "--min-tokens-per-user", "50", "--json"],
    "compare-vary.json": [*VARIED, "--json"],
    "power.json": [*POWERED, "--json"],
    "cost.json": [*COSTED, "--json"],
    "show-nvl72.json": ["show", "nvl72", "--json"],
    "show-jupiter.json": [*JUPITER, "--json"],
    "topologies-torus.json": ["topologies", "torus", "--json"],
    "parts-qm9700.json": ["parts", "qm9700", "--json"],
    "plan-phases.json": [*PHASES, "--json"],
    "validate.json": [*VALIDATED, "--json"],
    "validate-measured.json": [*MEASURED, "--json"],
    "validate-training.json": [*TRAINED, "--json"],
    "validate-inference.json": [*INFERRED, "--json"],
    "fail.json": [*FAILED, "--json"],
    "trace.json": [*TRACED, "--explain", "--json"],
    "trace-layers.json": [*LAYERS, "--json"],
    "workload.json": [*STEPPED, "--json"],
    "workload-serve.json": [*SERVED, "--json"],
    "plan.json": [*PLANNED, "--json"],
    "import.json": [*IMPORTED, "--json"],
    "import-nccl.json": ["import", "nccl", "server.xml", "--json"],
}
CSVS = {
    "compare.csv": [*COMPARED, "--csv"],
    "solve-twisted.csv": [*TWISTED, "--csv"],
    "tune.csv": [*TUNED, "--csv"],
    "validate-measured.csv": [*MEASURED, "--csv"],
    "fail.csv": [*FAILED, "--csv"],
    "cost.csv": [*COSTED, "--csv"],
    "workload.csv": [*STEPPED, "--csv"],
    "show-nvl72.csv": ["show", "nvl72", "--csv"],
}
MISSES = (VALIDATED,)  # a case of the file misses: the answer is no

ROW = (
    "topology", "accelerators", "collective", "size_bytes", "algorithm", "overlap", "routing", "transport", "fidelity",
    "time_us", "time_low_us", "time_high_us", "latency_us", "algbw_gb_per_s", "busbw_gb_per_s", "bound_time_us",
    "bound_gap", "of_bound", "bottleneck", "network_power_w", "network_power_external_w",
    "network_power_in_accelerator_w", "network_power_w_per_accelerator", "energy_j", "energy_pj_per_bit", "capex_usd",
    "walls", "estimates",
)  # fmt: skip
SHOWN = (
    "name", "family", "parameters", "accelerators", "switches", "switches_by_tier", "links", "links_by_medium",
    "circuit_switches", "strands", "diameter", "router_diameter", "average_distance", "bisection_gb_per_s",
    "network_power_w", "capex_usd", "bill_of_materials",
)  # fmt: skip
CASE = (
    "id", "system", "kind", "quantity", "expected", "computed", "unit", "error", "tolerance", "ok", "source",
    "boundary", "ranges",
)  # fmt: skip


@pytest.fixture(autouse=True)
def in_inputs(monkeypatch, inputs):
    """File names in outputs are relative."""
    monkeypatch.chdir(inputs)


@pytest.fixture
def printed(run):
    """What a command prints, its exit code checked."""

    def answer(argv):
        ran = run(*argv)
        assert (ran.code, ran.err) == (1 if argv[: len(VALIDATED)] in MISSES else 0, "")
        return ran.out

    return answer


@pytest.fixture
def golden(request):
    """The text of a golden file; with --update-golden it is written first."""

    def text(name, now):
        path = GOLDEN / name
        if request.config.getoption("--update-golden", default=False):
            path.write_text(now, encoding="utf-8")
        return path.read_text(encoding="utf-8")

    return text


def no_constant(name):
    raise AssertionError(f"{name} in JSON")


def read_json(text):
    """A document with the version of the program and of its catalogue taken out of its provenance."""
    document = json.loads(text, parse_constant=no_constant)
    document["provenance"].update(version="x", catalogue="x")
    return document


def assert_alike(now, then, where="$"):
    """Equal, and floats within 1e-9."""
    if isinstance(then, float) and isinstance(now, float):
        assert math.isclose(now, then, rel_tol=1e-9), f"{where}: {now} was {then}"
    elif isinstance(then, dict) and isinstance(now, dict):
        assert list(now) == list(then), where
        for key in then:
            assert_alike(now[key], then[key], f"{where}.{key}")
    elif isinstance(then, list) and isinstance(now, list):
        assert len(now) == len(then), f"{where}: {len(now)} rows were {len(then)}"
        for i, (a, b) in enumerate(zip(now, then, strict=True)):
            assert_alike(a, b, f"{where}[{i}]")
    else:
        assert type(now) is type(then) and now == then, f"{where}: {now!r} was {then!r}"


def cells(text):
    """Rows of a CSV file, numbers as floats and nested values as JSON."""

    def value(cell):
        try:
            return json.loads(cell)
        except ValueError:
            return cell

    return [[value(cell) for cell in row] for row in csv.reader(io.StringIO(text))]


@pytest.mark.parametrize("name", TEXTS)
def test_text(name, printed, golden):
    now = printed(TEXTS[name])
    assert now == golden(name, now)
    assert "\x1b" not in now and "…" not in now
    assert not [line for line in now.splitlines() if len(line) > 120 or line != line.rstrip()]


def test_text_at_80_columns(printed, golden, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    now = printed(COMPARED)
    assert now == golden("compare-80.txt", now)


@pytest.mark.parametrize("name", JSONS)
def test_json(name, printed, golden):
    now = read_json(printed(JSONS[name]))
    assert_alike(now, json.loads(golden(name, json.dumps(now, indent=2, ensure_ascii=False) + "\n")))
    words = JSONS[name]
    assert now["schema"] in (f"aifabric.{words[0]}/1", f"aifabric.{'-'.join(words[:2])}/1")
    assert set(now["provenance"]) >= {"version", "parameters", "catalogue", "seed"}


@pytest.mark.parametrize("name", CSVS)
def test_csv(name, printed, golden):
    now = printed(CSVS[name])
    assert_alike(cells(now), cells(golden(name, now)))
    assert len({len(row) for row in cells(now)}) == 1


def test_imported_file(run, golden, tmp_path):
    assert run(*IMPORTED, "-o", tmp_path / "small.json").code == 0
    now = (tmp_path / "small.json").read_text()
    assert now == golden("imported.json", now)
    assert run("solve", tmp_path / "small.json").code == 0


def test_no_golden_file_is_left_over():
    assert {path.name for path in GOLDEN.iterdir()} == {*TEXTS, *JSONS, *CSVS, "compare-80.txt", "imported.json"}


@pytest.mark.parametrize("name", TEXTS)
def test_nothing_is_lost_where_it_is_narrow(name, printed, monkeypatch):
    """Every letter and digit that stands at 200 columns stands there, and no line is wider."""

    def letters(width):
        monkeypatch.setenv("COLUMNS", str(width))
        now = printed(TEXTS[name])
        assert not [line for line in now.splitlines() if len(line) > width]
        assert "…" not in now
        return Counter(letter for letter in now if letter.isalnum())

    wide = letters(200)
    assert all(wide <= letters(columns) for columns in (40, 60, 80))


@pytest.mark.parametrize("columns", ["0", "", "-5", "wide"])
def test_a_senseless_width_is_no_width(columns, printed, monkeypatch):
    usual = printed(TWISTED)
    monkeypatch.setenv("COLUMNS", columns)
    assert printed(TWISTED) == usual


def test_provenance(printed):
    from importlib.metadata import version

    from topologies.parts import catalogue

    found = json.loads(printed([*TWISTED, "--json", "--seed", "7"]))["provenance"]
    assert (found["version"], found["catalogue"], found["seed"]) == (version("aifabric"), catalogue().hash, 7)
    assert found["parameters"]["spec"] == TWISTED[1]


def test_keys_of_rows(printed):
    solved = json.loads(printed([*PXN, "--json"]))["result"]
    compared = json.loads(printed([*COMPARED, "--json"]))["rows"]
    assert len(compared) == 4
    for row in (solved, *compared):
        assert set(ROW) <= set(row)
        assert set(row["walls"]) == {"copper", "power", "thermal", "memory"}
        assert set(row["bottleneck"]) == {"from", "to", "medium", "utilisation"}
        for wall in filter(None, row["walls"].values()):
            assert set(wall) == {"state", "margin", "limit", "value", "unit", "why", "moves"}
            assert wall["state"] in ("ok", "marginal", "over", "unknown")
    assert all({"set", "rank", "pareto"} <= set(row) for row in compared)
    header = printed([*TWISTED, "--csv"]).splitlines()[0].split(",")
    assert header == list(solved)


def test_keys_of_show_and_validate(printed):
    assert set(SHOWN) <= set(json.loads(printed(["show", "nvl72", "--json"]))["topology"])
    validated = json.loads(printed([*VALIDATED, "--json"]))
    assert {"cases", "left_out", "summary"} <= set(validated)
    assert all(set(CASE) == set(case) for case in validated["cases"])
    assert [case["ok"] for case in validated["cases"]] == [True, False]
    assert validated["left_out"] == [{"id": "cube-price", "reason": "nobody sells it"}]
