"""The folder of an export: goldens, order, refusals, names, whole or not at all."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from fabric.planning.export import KINDS, kind
from fabric.planning.export.folder import export_files
from fabric.planning.export.names import all_names, read_names
from fabric.planning.plan import Change, Switch
from topologies.errors import ConfigError
from topologies.formats.writing import write_folder
from topologies.parts import catalogue

GOLDEN = Path(__file__).with_name("golden")


def compare(request, name, text):
    path = GOLDEN / name
    if request.config.getoption("--update-golden", default=False):
        path.write_text(text)
    assert path.read_text() == text


def undigested(index):
    """An index without the digest of the plan's own file."""
    return re.sub(r'"plan_digest": "[0-9a-f]{64}"', '"plan_digest": ""', index)


@pytest.mark.parametrize("name", KINDS)
def test_payloads(hand, request, name):
    files = export_files(hand.plan, hand.names_for(hand.plan, name))
    shown = [path for path in files if "/ocs-" in path and "rollback" not in path and "4-read" not in path]
    compare(request, f"{name}.txt", "".join(f"== {path}\n{files[path]}" for path in shown))


def test_index_and_runbook(hand, request):
    files = export_files(hand.plan, hand.names_for(hand.plan, {"ocs-0": "sonic-cli", "ocs-1": "polatis-netconf"}))
    compare(request, "index.json", undigested(files["index.json"]))
    compare(request, "runbook.md", files["runbook.md"])
    listed = json.loads(files["index.json"])["stages"]
    named = {row["file"] for stage in listed for device in stage["devices"] for key in ("files", "rollback")
             for row in device[key]} | {path for stage in listed for path in stage["packet_side"]}  # fmt: skip
    assert named == set(files) - {"index.json", "runbook.md"}


def test_same_bytes_again_and_in_any_order_of_pairs(hand):
    plan = hand.plan
    turned = replace(plan, stages=[
        replace(stage, changes=[Change(c.switch, c.delete[::-1], c.add[::-1], c.before, c.after)
                                for c in stage.changes]) for stage in plan.stages
    ])  # fmt: skip
    for name in KINDS:
        names = hand.names_for(plan, name)
        files, others = export_files(plan, names), export_files(turned, names)
        assert export_files(plan, names) == files
        assert undigested(files.pop("index.json")) == undigested(others.pop("index.json")) and files == others


def test_the_rollback_of_a_stage_is_the_way_back(hand):
    files = export_files(hand.plan, hand.names_for(hand.plan, "sonic-cli"))
    assert files["stage-1/ocs-0/rollback/2-delete.txt"] == "config ocs cross-connect delete 1A-2B,2A-1B\n"
    assert files["stage-1/ocs-0/rollback/3-add.txt"] == "config ocs cross-connect add 1A-1B,2A-2B safe\n"


def damaged(plan, delete=(), add=(), stage=0):
    own = plan.stages[stage]
    changes = [replace(own.changes[0], delete=[*own.changes[0].delete, *delete], add=[*own.changes[0].add, *add])]
    stages = [replace(own, changes=changes) if i == stage else other for i, other in enumerate(plan.stages)]
    return replace(plan, stages=stages)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"add": [(5, 0)]}, "add names port 0 of side B twice"),
        ({"add": [(0, 5)]}, "add names port 0 of side A twice"),
        ({"delete": [(0, 0)]}, "delete names port 0 of side A twice"),
        ({"delete": [(0, 0)], "stage": 1}, "which an earlier stage has deleted"),
        ({"add": [(0, 9)], "stage": 1}, "on a port that an earlier stage has put into use"),
        ({"add": [(16, 9)]}, "ocs-0 has no port 16 on side A; it has 16, from 0"),
        ({"add": [(-1, 9)]}, "ocs-0 has no port -1"),
    ],
)
def test_a_damaged_plan_is_not_exported(hand, change, said):
    plan = damaged(hand.plan, **change)
    with pytest.raises(ConfigError, match=said):
        export_files(plan, hand.names_for(plan, "sonic-cli"))


def test_half_a_duplex_link_is_refused(hand):
    plan = hand.plan_of([{"ocs-0": []}, {"ocs-0": [(1, 2)]}], wiring="duplex")
    with pytest.raises(ConfigError, match="add 1A-2B without 2A-1B"):
        export_files(plan, hand.names_for(plan, "sonic-cli"))


@pytest.mark.parametrize("name", KINDS)
def test_a_switch_that_joins_any_two_ports_is_refused_by_kinds_with_two_sides(hand, name):
    plan = hand.plan_of([{"ocs-0": []}, {"ocs-0": [(1, 2)]}], any_to_any=True)
    if kind(name).any_to_any:
        assert hand.names_for(plan, name, any_to_any=True)["ocs-0"].any_to_any
    else:
        with pytest.raises(ConfigError, match="joins any two of its ports"):
            hand.names_for(plan, name, any_to_any=True)


def test_polatis_needs_the_number_of_ports_and_has_it_from_the_catalogue(hand):
    unknown = all_names(hand.plan.switches, {"": kind("polatis-tl1")}, catalogue(), {})
    with pytest.raises(ConfigError, match="give ports_per_side"):
        export_files(hand.plan, unknown)
    known = replace(hand.plan, switches=[Switch(s.name, "polatis-384") for s in hand.plan.switches])
    files = export_files(known, all_names(known.switches, {"": kind("polatis-tl1")}, catalogue(), {}))
    assert files["stage-1/ocs-0/3-add.tl1"].splitlines()[0] == "ENT-PATCH::1,386:1:;"


def test_kinds_by_switch_model_and_for_all_others(hand):
    plan = replace(hand.plan, switches=[Switch("ocs-0", "calient-s320"), Switch("ocs-1", "polatis-384")])
    chosen = all_names(plan.switches, {"calient-s320": kind("calient-tl1"), "": kind("polatis-scpi")}, catalogue(), {})
    assert {name: own.kind.name for name, own in chosen.items()} == {"ocs-0": "calient-tl1", "ocs-1": "polatis-scpi"}
    for kinds, said in (({"calient-s320": kind("gnmi")}, "no device kind for ocs-1"),
                        ({"ocs-9": kind("gnmi"), "": kind("gnmi")}, "given for 'ocs-9'")):  # fmt: skip
        with pytest.raises(ConfigError, match=said):
            all_names(plan.switches, kinds, catalogue(), {})


def test_a_names_file(hand, tmp_path):
    path = tmp_path / "names.toml"
    path.write_text('[all]\nports_per_side = 32\na = "1-{n}A"\n[ocs-1]\nb = "1-{n+16}B"\n')
    names = all_names(hand.plan.switches, {"": kind("sonic-cli")}, catalogue(), read_names(path))
    files = export_files(hand.plan, names)
    assert files["stage-1/ocs-0/3-add.txt"] == "config ocs cross-connect add 1-1A-2B,1-2A-1B safe\n"
    assert files["stage-2/ocs-1/3-add.txt"].split()[4] == "1-4A-1-20B,1-5A-1-21B,1-10A-1-32B"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = 1", "stands outside a table"),
        ('[all]\na = "A"', r"\[all\] a = 'A' does not fit"),
        ('[all]\na = ["1A", "1A"]', "does not fit"),
        ("[all]\nports = 3", "no such key"),
        ("[all]\nports_per_side = true", "does not fit"),
        ("[all", "not a names file in TOML"),
        ('[all]\na = "{n}A;reboot"', "is no name of a port"),
        ('[all]\na = ["1A"]', "lists 1 ports of side A, not port 1"),
        ("[ocs-7]\nports_per_side = 3", "names table is given for 'ocs-7'"),
    ],
)
def test_bad_names_files_are_refused(hand, tmp_path, text, said):
    path = tmp_path / "names.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        export_files(hand.plan, all_names(hand.plan.switches, {"": kind("sonic-cli")}, catalogue(), read_names(path)))


def test_a_switch_name_leads_nowhere_else(hand):
    plan = hand.plan_of([{"../ocs": []}, {"../ocs": [(1, 2)]}])
    with pytest.raises(ConfigError, match="give names of letters"):
        hand.names_for(plan, "gnmi")


def test_gnmi_templates(hand):
    own = {"all": {"path": "/ocs/connection[port={a}]", "value": '{"peer": "{b}"}', "read": "/ocs"}}
    files = export_files(hand.plan, all_names(hand.plan.switches, {"": kind("gnmi")}, catalogue(), own))
    step = json.loads(files["stage-1/ocs-0/3-add.json"])["update"][0]
    assert step["path"] == {"elem": [{"name": "ocs"}, {"name": "connection", "key": {"port": "1A"}}]}
    for key, text, said in (("path", "/ocs[", "not a gNMI path"), ("path", "/ocs", "one for several"),
                            ("value", "{b}", "not JSON")):  # fmt: skip
        bad = {"all": {**own["all"], key: text}}
        with pytest.raises(ConfigError, match=said):
            export_files(hand.plan, all_names(hand.plan.switches, {"": kind("gnmi")}, catalogue(), bad))


def test_a_folder_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    files = {"a.txt": "one\n", "b/c.txt": "two\n"}
    write_folder(files, tmp_path / "out")
    found = {str(p.relative_to(tmp_path / "out")): p.read_text() for p in (tmp_path / "out").rglob("*.txt")}
    assert found == files
    with pytest.raises(ConfigError, match="exists"):
        write_folder(files, tmp_path / "out")
    with pytest.raises(ConfigError, match="create it first"):
        write_folder(files, tmp_path / "no" / "out")

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        write_folder(files, tmp_path / "other")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out"]
