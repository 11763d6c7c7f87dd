"""`aifabric plan` with a demand or a fault in the place of a target: what is printed, written, verified and refused."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest

MESH = "jupiter:blocks=6,uplinks=20,hosts=2"


@pytest.fixture
def demand(tmp_path):
    """Three pairs of blocks that want much of each other."""
    rows = [["", *(f"block-{b}" for b in range(6))]]
    rows += [[f"block-{a}", *("3000" if b == a ^ 1 else "500" for b in range(6))] for a in range(6)]
    path = tmp_path / "demand.csv"
    path.write_text("\n".join(",".join(row) for row in rows), encoding="utf-8")
    return path


def test_a_demand_is_engineered_planned_and_verified(run, demand, tmp_path):
    file, picture = tmp_path / "plan.json", tmp_path / "curve.svg"
    made = run("plan", MESH, "--demand", demand, "-o", file, "--svg", picture, "--effort", "low")
    assert made.code == 0 and "ports / largest row sum" in made.out and "as wired" in made.out
    assert run("plan", "show", file).out == made.out
    assert run("plan", "check", file, MESH).out == "everything holds\n"
    assert ElementTree.fromstring(picture.read_text()).tag.endswith("svg")
    found = json.loads(file.read_text())
    told = found["engineered"]
    # 20 links of 400 Gb/s a block, 3,000 + 4 x 500 Gb/s of demand
    assert told["throughput_bound_of_ports"] == 20 * 400 / 5000
    assert told["throughput"] <= told["throughput_upper"] <= told["throughput_bound_of_ports"]
    assert told["moved_at_least"] <= found["summary"]["lower_bound_down"] <= found["summary"]["down"]
    assert found["inputs"]["demand"] == "demand.csv"
    back = run("plan", "rollback", file, "-o", tmp_path / "back.json")
    assert back.code == 0 and "engineered" not in json.loads((tmp_path / "back.json").read_text())


def test_more_slack_moves_fewer(run, demand):
    moved = [json.loads(run("plan", MESH, "--demand", demand, "--slack", slack, "--no-curve", "--effort", "low",
                            "--json").out)["engineered"]["moved_at_least"] for slack in (0, 2, 20)]  # fmt: skip
    assert moved[0] > moved[1] > moved[2] == 0


def test_direct_links_alone(run, demand):
    told = json.loads(run("plan", MESH, "--demand", demand, "--direct", "--no-curve", "--effort", "low", "--json").out)
    assert told["engineered"]["slack"] is None and told["engineered"]["curve"] == []
    # 12 links of a pair and 2 to each other block: 12 x 400 / 3000 and 2 x 400 / 500 alike
    assert told["engineered"]["throughput"] == 1.6


@pytest.mark.parametrize(("modules", "each"), [("400g-fr4-bidi", 1), ("400g-fr4", 2), ("400g-dr4", 8)])
def test_links_of_several_strands_move_whole(run, demand, tmp_path, modules, each):
    """A strand both ways; one each way; four lanes each way: as many cross-connects a link."""
    spec, file = f"{MESH},ocs_optic={modules}", tmp_path / "plan.json"
    made = run("plan", spec, "--demand", demand, "--no-curve", "--effort", "low", "-o", file)
    assert made.code == 0 and run("plan", "check", file, spec).out == "everything holds\n"
    found = json.loads(file.read_text())
    assert found["summary"]["down"] == found["summary"]["up"] >= each * found["engineered"]["moved_at_least"]
    assert found["summary"]["down"] % each == 0


def test_a_collective_is_a_demand(run):
    told = json.loads(run("plan", MESH, "--demand", "all-to-all", "--json").out)
    assert told["engineered"]["moved_at_least"] == 0 and told["summary"]["stages"] == 0


def test_a_demand_beside_a_target_is_what_the_floor_is_about(run, tmp_path):
    np.save(tmp_path / "demand.npy", 100 * (1 - np.eye(8)))
    made = run("plan", MESH, "jupiter:blocks=8,uplinks=20,hosts=2", "--demand", tmp_path / "demand.npy", "--json",
               "--effort", "low")  # fmt: skip
    assert made.code == 0
    assert json.loads(made.out)["floor"]["demand"][0] == ["block-0", "block-1", 100.0]


def test_repairs_are_ranked_and_one_becomes_a_plan(run, tmp_path):
    listed = run("plan", "tpu-pod:slice=8x8x8", "--repair", "cube=3")
    assert listed.code == 0 and "leave it" in listed.out and "put cube 8 in the place of cube 3" in listed.out
    rows = json.loads(run("plan", "tpu-pod:slice=8x8x8", "--repair", "cube=3", "--json").out)["options"]
    assert [row["down"] for row in rows[:2]] == [0, 96]
    file = tmp_path / "plan.json"
    chosen = run("plan", "tpu-pod:slice=8x8x8", "--repair", "cube=3", "--option", 1, "-o", file)
    assert chosen.code == 0 and "Plan: 96 to put up, 96 to take down" in chosen.out
    assert run("plan", "check", file, "tpu-pod:slice=8x8x8").code == 0
    lost = run("plan", "jupiter:blocks=8,uplinks=28,devices=7", "--repair", "ocs=3,port=1:A5", "--effort", "low")
    assert lost.code == 0 and lost.out.splitlines()[1].endswith("leave it")


@pytest.mark.parametrize(("given", "code", "error"), [
    ([MESH, "--demand", "absent.csv"], 3, "No such file"),
    ([MESH, "--demand", "all-to-al"], 3, "did you mean 'all-to-all'"),
    (["tpu-pod:slice=4x4x8", "--demand", "all-to-all"], 3, "give TO"),
    ([MESH, "--demand", "all-to-all", "--slack", "-1"], 2, "slack"),
    ([MESH, "--demand", "all-to-all", "--slack", "nan"], 3, "slack"),
    ([MESH, MESH, "--slack", "1"], 2, "give SPEC --demand"),
    ([MESH, "--demand", "all-to-all", "--no-curve", "--svg", "x.svg"], 2, "--no-curve"),
    ([MESH, "--repair", "ocs=77"], 3, "there is no ocs-77"),
    ([MESH, "--repair", "fan=1"], 3, "no fault is named 'fan'"),
    ([MESH, MESH, "--repair", "ocs=0"], 2, "leave TO"),
    ([MESH, "--option", "1"], 2, "give both"),
    ([MESH, "--repair", "port=0:A0", "--option", "9", "--effort", "low"], 3, "there is no option 9"),
    ([MESH, "--repair", "port=0:A0", "--option", "1", "--effort", "low"], 3, "is no plan of cross-connects"),
    (["ring:n=4", "--repair", "ocs=0"], 3, "has no circuit switches"),
    (["ring:n=4", "--demand", "all-to-all"], 3, "has no circuit switches"),
])  # fmt: skip
def test_one_line_and_the_right_code(run, given, code, error):
    found = run("plan", *given)
    assert (found.code, found.out) == (code, "") and error in found.err and found.err.count("\n") == 1
