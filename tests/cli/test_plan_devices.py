"""aifabric plan export, readback, apply: from a plan file to devices' files, and back."""

import json
import subprocess
import sys
from importlib import import_module

import pytest

FROM, TO = "tpu-pod:slice=4x4x8", "tpu-pod:slice=4x4x8,twist=true"


@pytest.fixture(scope="module")
def plan_file(tmp_path_factory):
    """A plan of a TPU pod's twist."""
    from fabric.planning.files import write_plan
    from fabric.planning.planner import plan

    path = tmp_path_factory.mktemp("plan") / "plan.json"
    write_plan(plan(FROM, TO), path)
    return path


def test_export_writes_a_folder_with_an_index(plan_file, tmp_path, run):
    folder = tmp_path / "out"
    told = run("plan", "export", plan_file, "--device", "sonic-cli", "--device", "ocs-1=polatis-scpi", "-o", folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert (told.code, told.err) == (0, "")
    assert told.out == f"{len(files)} files in {folder}; begin with runbook.md\n"
    index = json.loads((folder / "index.json").read_text())
    rows = [row for stage in index["stages"] for device in stage["devices"] for row in device["files"]]
    assert all((folder / row["file"]).is_file() for row in rows)
    assert {device["kind"] for device in index["stages"][0]["devices"]} == {"sonic-cli", "polatis-scpi"}
    plan = json.loads(plan_file.read_text())
    for key in ("delete", "add"):
        assert (
            sum(device[key] for stage in index["stages"] for device in stage["devices"])
            == plan["summary"][{"delete": "down", "add": "up"}[key]]
        )
    again = run("plan", "export", plan_file, "--device", "sonic-cli", "-o", folder)
    assert again.code == 3 and "exists; name a folder that does not" in again.err
    assert sorted(path for path in folder.rglob("*") if path.is_file()) == files


def test_without_a_folder_the_runbook_is_printed(plan_file, run):
    told = run("plan", "export", plan_file, "--device", "sonic-cli")
    assert told.code == 0 and told.out.startswith("# Reconfiguration runbook\n") and "## Stage 1" in told.out
    document = json.loads(run("plan", "export", plan_file, "--device", "sonic-cli", "--json").out)
    assert document["schema"] == "aifabric.plan-export/1" and document["folder"] is None
    assert "runbook.md" in document["files"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([], 2, "give --device KIND"),
        (["--device", "sonc-cli"], 3, "did you mean 'sonic-cli'?"),
        (["--device", "sonic-cli", "--device", "gnmi"], 3, "two device kinds for all switches"),
        (["--device", "ocs-3=gnmi"], 3, "no device kind for ocs-0"),
        (["--device", "gnmi", "--names", "nowhere.toml"], 3, "nowhere.toml: No such file"),
        (["--device", "gnmi", "--interfaces", "nowhere.csv"], 3, "nowhere.csv: No such file"),
        (["--device", "gnmi", "-o", "no/such/folder"], 3, "no folder 'no/such'"),
    ],
)
def test_refusals_of_export_are_one_line(plan_file, words, code, said, run):
    told = run("plan", "export", plan_file, *words)
    assert (told.code, told.out) == (code, "") and said in told.err and told.err.count("\n") == 1


def config_db(path, pairs):
    rows = {f"{a + 1}A-{b + 1}B": {"a_side": f"{a + 1}A", "b_side": f"{b + 1}B"} for a, b in pairs}
    path.write_text(json.dumps({"OCS_CROSS_CONNECT": rows}))


def test_readback_says_where_switches_stand(plan_file, tmp_path, run):
    from topologies.registry import build

    state = build(FROM).circuits.state.tolist()
    own = {k: {(a, b) for d, a, b in state if d == k} for k in (0, 1)}
    paths = [tmp_path / f"{k}.json" for k in own]
    words = ["plan", "readback", plan_file, *(f"ocs-{k}={path}" for k, path in zip(own, paths, strict=True))]
    for path, pairs in zip(paths, own.values(), strict=True):
        config_db(path, pairs)
    told = run(*words, "--device", "sonic-patch")
    assert told.code == 0 and told.out.splitlines()[-1] == "2 of 48 switches: as before the plan"

    plan = json.loads(plan_file.read_text())
    stages = {"ocs-0": 0}
    for stage in plan["stages"]:
        for change in stage["changes"]:
            if change["switch"] == "ocs-0":
                own[0] = own[0] - set(map(tuple, change["delete"])) | set(map(tuple, change["add"]))
                stages["ocs-0"] = stage["id"]
    config_db(paths[0], own[0])
    document = json.loads(run(*words, "--device", "sonic-patch", "--json").out)
    assert (
        stages["ocs-0"] in document["switches"][0]["after_stages"] and document["schema"] == "aifabric.plan-readback/1"
    )
    config_db(paths[0], {(0, 7)})
    told = run(*words, "--device", "sonic-patch")
    assert told.code == 1 and "ocs-0: 1 cross-connects, as no step of the plan expects" in told.out
    assert told.out.splitlines()[-1] == "2 of 48 switches: not at one step of the plan"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["ocs-0"], 2, "write SWITCH=FILE"),
        (["ocs-99=a"], 2, "no switch is named 'ocs-99'"),
        (["ocs-0=a", "ocs-0=b"], 2, "two files for ocs-0"),
        (["ocs-0=nowhere.json"], 3, "nowhere.json: No such file"),
    ],
)
def test_refusals_of_readback_are_one_line(plan_file, words, code, said, run):
    told = run("plan", "readback", plan_file, *words, "--device", "sonic-cli")
    assert (told.code, told.out) == (code, "") and said in told.err and told.err.count("\n") == 1


ADDRESSES = [word for n in range(48) for word in ("--netconf", f"127.0.0.1:{n + 1}")]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ([*ADDRESSES, "--user", "me"], 2, "--yes says that you mean it"),
        ([*ADDRESSES[2:], "--user", "me", "--yes"], 2, "47 addresses for 48 switches"),
        (["--netconf", "ocs-0=127.0.0.1:1", *ADDRESSES[2:], "--user", "me", "--yes"], 2, "name all or none"),
        ([*ADDRESSES[2:], *ADDRESSES[2:4], "--user", "me", "--yes"], 2, "two switches have one address"),
        ([*ADDRESSES[2:], "--netconf", "a b", "--user", "me", "--yes"], 3, "'a b' is no address"),
        ([*ADDRESSES, "--user", "me", "--yes", "--stages", "0"], 2, "neither a number above zero nor all"),
        ([*ADDRESSES, "--yes"], 2, "--user"),
        (["--user", "me", "--yes"], 2, "--netconf"),
    ],
)  # fmt: skip
def test_apply_is_refused_before_anything_is_reached(plan_file, words, code, said, run, monkeypatch):
    monkeypatch.setattr("fabric.planning.netconf._connect", None)
    told = run("plan", "apply", plan_file, *words)
    assert (told.code, told.out) == (code, "") and said in told.err


def test_no_environment_variable_says_yes(plan_file, run, monkeypatch):
    for name in ("AIFABRIC_PLAN_APPLY_YES", "AIFABRIC_APPLY_YES"):
        monkeypatch.setenv(name, "1")
    told = run("plan", "apply", plan_file, *ADDRESSES, "--user", "me")
    assert told.code == 2 and "--yes says that you mean it" in told.err


def test_a_switch_that_is_not_reached_is_one_line(plan_file, run):
    pytest.importorskip("ncclient", reason="ncclient is not installed (extra: apply)")
    told = run("plan", "apply", plan_file, *ADDRESSES, "--user", "me", "--yes")
    assert (told.code, told.out) == (3, "") and "ocs-0 (127.0.0.1:1): " in told.err and told.err.count("\n") == 1


@pytest.mark.parametrize("name", ["export", "readback", "state", "apply"])
def test_help_names_every_option_and_loads_nothing_heavy(name):
    ask = (
        "import sys\nfrom fabric.cli import main\ntry:\n    main(sys.argv[1:])\nexcept SystemExit as left:\n"
        "    print('left with', left.code, [m for m in ('numpy', 'networkx', 'rich', 'topologies.graph', "
        "'topologies.parts', 'ncclient') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", ask, "plan", name, "-h"], capture_output=True, text=True, timeout=60)
    assert done.stderr == "" and done.stdout.splitlines()[-1] == "left with 0 []"
    assert not [line for line in done.stdout.splitlines() if len(line) > 80]
    command = import_module(f"fabric.cli.planning.{name}").command
    for parameter in command.params:
        assert all(option in done.stdout for option in parameter.opts if option.startswith("-"))


def test_a_plan_starts_from_what_switches_say(tmp_path, run):
    """One switch of a Jupiter has lost all but one cross-connect: the plan back to the full mesh puts up the rest."""
    from topologies.registry import build

    spec = "jupiter:blocks=4,uplinks=6"
    layer = build(spec).circuits
    own = [(a, b) for k, a, b in layer.state.tolist() if k == 0]
    config_db(tmp_path / "ocs-0.json", own[:1])
    state = tmp_path / "state.json"
    told = run("plan", "state", spec, f"ocs-0={tmp_path / 'ocs-0.json'}", "--device", "sonic-cli", "-o", state)
    assert (told.code, told.out) == (0, "")
    left = layer.circuits - len(own) + 1
    assert told.err.startswith(f"{left} cross-connects on {layer.devices} switches")
    document = json.loads(run("plan", state, spec, "--json").out)
    assert (document["summary"]["down"], document["summary"]["up"]) == (0, len(own) - 1)
    whole = run("plan", "state", spec)
    assert whole.code == 0 and len(json.loads(whole.out)["switches"][0]["cross_connects"]) == len(own)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nvl72"], 3, "no circuit switches"),
        (["jupiter:blocks=4,uplinks=6", "ocs-0"], 2, "write SWITCH=FILE"),
        (["jupiter:blocks=4,uplinks=6", "ocs-0=x.json"], 2, "give --device KIND"),
        (["jupiter:blocks=4,uplinks=6", "ocs-0=x.json", "--device", "sonic-cli"], 3, "x.json: No such file"),
        (["jupiter:blocks=4,uplinks=6", "ocs-0=dark.json", "--device", "sonic-cli"], 3, "which no strand reaches"),
        (["jupiter:blocks=4,uplinks=6", "-o", "no/such/file"], 3, "No such file"),
    ],
)
def test_refusals_of_state_are_one_line(words, code, said, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config_db(tmp_path / "dark.json", [(99, 99)])
    told = run("plan", "state", *words)
    assert (told.code, told.out) == (code, "") and said in told.err and told.err.count("\n") == 1
