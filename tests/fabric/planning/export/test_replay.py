"""Every payload, replayed on a circuit switch in memory that reads its own language only."""

import base64
import json
import re
import shlex
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fabric.planning.export import KINDS, kind
from fabric.planning.export.folder import export_files
from fabric.planning.fingerprints import fingerprint
from fabric.planning.planner import Options, plan_change
from fabric.planning.ports import ports_of_wiring
from fabric.planning.wiring import Wiring
from topologies.parts import catalogue

NC = "{urn:ietf:params:xml:ns:netconf:base:1.0}"
OS = "{http://www.polatis.com/yang/optical-switch}"
WHOLE = r"[1-9]\d*"


class Matching:
    """Cross-connects by port names; a port in one at most."""

    def __init__(self, pairs, both=False):
        self.up = set(pairs)
        self.both = both

    def add(self, a, b):
        first = {x for x, _ in self.up} | ({y for _, y in self.up} if self.both else set())
        second = {y for _, y in self.up} | ({x for x, _ in self.up} if self.both else set())
        assert a not in first and b not in second, f"{a}-{b}: a port in use"
        self.up.add((a, b))

    def delete(self, a, b):
        assert (a, b) in self.up, f"{a}-{b} is not there"
        self.up.remove((a, b))

    def delete_ingress(self, a):
        self.delete(a, dict(self.up)[a])


def lines(text, pattern):
    """The groups of every line, all of which must match."""
    assert text.endswith("\n")
    found = [re.fullmatch(pattern, line) for line in text.splitlines()]
    assert all(found), text
    return [match.groups() for match in found]


def sonic_cli(switch, role, text):
    [(verb, listed, mode)] = lines(text, r"config ocs cross-connect (delete|add) ([0-9AB,-]+)( safe)?")
    assert (verb == "add") == (mode is not None) == (role == "add")
    for pair in listed.split(","):
        (switch.add if verb == "add" else switch.delete)(*pair.split("-"))


def sonic_patch(switch, role, text):
    for step in json.loads(text):
        assert step["op"] == {"delete": "remove", "add": "add"}[role]
        table, key = step["path"].strip("/").split("/")
        assert table == "OCS_CROSS_CONNECT"
        if role == "delete":
            switch.delete(*key.split("-"))
        else:
            assert key == "{a_side}-{b_side}".format(**step["value"])
            switch.add(step["value"]["a_side"], step["value"]["b_side"])


def sonic_config_db(switch, role, text):
    commands = [shlex.split(line) for line in text.splitlines()]
    assert commands[:2] == [["SELECT", "4"], ["MULTI"]] and commands[-1] == ["EXEC"]
    for verb, key, *rest in commands[2:-1]:
        table, name = key.split("|")
        assert table == "OCS_CROSS_CONNECT" and verb == {"delete": "DEL", "add": "HSET"}[role]
        a, b = name.split("-")
        if verb == "DEL":
            switch.delete(a, b)
        else:
            assert rest == ["a_side", a, "b_side", b]
            switch.add(a, b)


def polatis_netconf(switch, role, text):
    edit = ElementTree.fromstring(text).find(f"{NC}edit-config")
    assert edit.find(f"{NC}target/{NC}running") is not None
    assert edit.findtext(f"{NC}error-option") == "rollback-on-error"
    pairs = edit.findall(f"{NC}config/{OS}cross-connects/{OS}pair")
    assert pairs and len({pair.findtext(f"{OS}ingress") for pair in pairs}) == len(pairs)
    for pair in pairs:
        assert pair.get(f"{NC}operation") == {"delete": "delete", "add": "create"}[role]
        if role == "delete":
            switch.delete_ingress(pair.findtext(f"{OS}ingress"))
        else:
            switch.add(pair.findtext(f"{OS}ingress"), pair.findtext(f"{OS}egress"))


def polatis_restconf(switch, role, text):
    for request in json.loads(text):
        method, path = request["method"], request["path"]
        ingress = re.fullmatch(rf"/api/data/optical-switch:cross-connects/pair=({WHOLE})", path)[1]
        assert method == {"delete": "DELETE", "add": "PUT"}[role]
        if method == "DELETE":
            switch.delete_ingress(ingress)
        else:
            [row] = request["body"]["optical-switch:pair"]
            assert str(row["ingress"]) == ingress and request["headers"]["If-None-Match"] == "*"
            switch.add(ingress, str(row["egress"]))


def polatis_tl1(switch, role, text):
    if role == "delete":
        for (a,) in lines(text, rf"DLT-PATCH::({WHOLE}):{WHOLE}:;"):
            switch.delete_ingress(a)
    else:
        for a, b in lines(text, rf"ENT-PATCH::({WHOLE}),({WHOLE}):{WHOLE}:;"):
            switch.add(a, b)


def polatis_scpi(switch, role, text):
    verb = {"delete": "sub", "add": "add"}[role]
    for first, second in lines(text, rf":oxc:swit:conn:{verb} \(@([\d,]+)\),\(@([\d,]+)\)"):
        for pair in zip(first.split(","), second.split(","), strict=True):
            (switch.add if role == "add" else switch.delete)(*pair)


def _calient(switch, role, a, b, both):
    change = switch.add if role == "add" else switch.delete
    change(a, b)
    if both:
        change(b, a)


def calient_tl1(switch, role, text):
    port = rf"({WHOLE}\.[1-8]\.[1-8])"
    if role == "delete":
        for a, b, one, way, two in lines(text, rf"DLT-CRS::{port},{port}:{WHOLE}::SYSTEM,{port}([->]){port};"):
            assert (one, two) == (a, b)
            _calient(switch, role, a, b, way == "-")
    else:
        for a, b, ways in lines(text, rf"ENT-CRS::{port},{port}:{WHOLE}::SYSTEM,([12])WAY;"):
            _calient(switch, role, a, b, ways == "2")


def calient_rest(switch, role, text):
    for request in json.loads(text):
        if role == "delete":
            assert request["method"] == "DELETE"
            found = re.fullmatch(r"/rest/crossconnects/\?id=delete&conn=([^&]+)&group=SYSTEM&name=\1", request["path"])
            a, way, b = re.fullmatch(r"([\d.]+)([->])([\d.]+)", unquote(found[1])).groups()
            _calient(switch, role, a, b, way == "-")
        else:
            assert (request["method"], request["path"]) == ("POST", "/rest/crossconnects/?id=badd")
            for row in request["body"]:
                assert row["group"] == "SYSTEM"
                _calient(switch, role, row["in"], row["out"], {"bi": True, "uni": False}[row["dir"]])


def glimmerglass_tl1(switch, role, text):
    if role == "delete":
        for (a,) in lines(text, rf"DLT-CRS-FIBER::(1\d{{4}}):{WHOLE};"):
            switch.delete_ingress(a)
    else:
        for a, b in lines(text, rf"ENT-CRS-FIBER::(1\d{{4}}),(2\d{{4}}):{WHOLE};"):
            switch.add(a, b)


def telescent_cli(switch, role, text):
    commands = text.splitlines()
    each = 4 if role == "delete" else 3
    for start in range(0, len(commands), each):
        block = commands[start : start + each]
        a, b = (re.fullmatch(rf"unlock --force -{way} ({WHOLE})", line)[1]
                for way, line in zip(("in", "out"), block[:2], strict=True))  # fmt: skip
        if role == "delete":
            assert block[2:] == [f"unallocate --force -in {a}", f"unallocate --force -out {b}"]
            switch.delete(a, b)
        else:
            assert block[2:] == [f"connect --force -in {a} -out {b}"]
            switch.add(a, b)


def gnmi(switch, role, text):
    document = json.loads(text)
    assert list(document) == [{"delete": "delete", "add": "update"}[role]]
    for item in document.get("delete", []):
        assert [element["name"] for element in item["elem"]][-2:] == ["OCS_CROSS_CONNECT", "OCS_CROSS_CONNECT_LIST"]
        switch.delete(*item["elem"][-1]["key"]["cross_connect_id"].split("-"))
    for item in document.get("update", []):
        value = json.loads(base64.b64decode(item["val"]["jsonIetfVal"]))
        assert item["path"]["elem"][-1]["key"] == {"cross_connect_id": value["cross_connect_id"]}
        assert value["cross_connect_id"] == f"{value['a_side']}-{value['b_side']}"
        switch.add(value["a_side"], value["b_side"])


MODELS = {
    "sonic-cli": sonic_cli,
    "sonic-patch": sonic_patch,
    "sonic-config-db": sonic_config_db,
    "polatis-netconf": polatis_netconf,
    "polatis-restconf": polatis_restconf,
    "polatis-tl1": polatis_tl1,
    "polatis-scpi": polatis_scpi,
    "calient-tl1": calient_tl1,
    "calient-rest": calient_rest,
    "glimmerglass-tl1": glimmerglass_tl1,
    "telescent-cli": telescent_cli,
    "gnmi": gnmi,
}

WIPES = re.compile(
    r"overwrite|conn:only|disc:all|DLT-\S*ALL|DLT-PATCH::ALL|deleteall|\bFLUSH|config reload|load_minigraph"
    r'|"(PUT|DELETE)", "path": "[^"]*(cross-connects|crossconnects/)"|operation="(replace|remove)"|default-operation'
    r"|<(delete|copy)-config|\"replace\"",
    re.IGNORECASE,
)


def test_every_kind_has_a_model():
    assert set(MODELS) == set(KINDS)


@st.composite
def matchings(draw, ports=6, any_to_any=False):
    """Cross-connects of a small switch."""
    count = draw(st.integers(0, ports // 2 if any_to_any else ports))
    if any_to_any:
        order = draw(st.permutations(range(ports)))
        return [tuple(sorted(order[2 * i : 2 * i + 2])) for i in range(count)]
    first, second = draw(st.permutations(range(ports))), draw(st.permutations(range(ports)))
    return list(zip(first[:count], second[:count], strict=True))


@st.composite
def duplex_matchings(draw, ports=6):
    """Links of two cross-connects, one each way."""
    return [way for a, b in draw(matchings(ports, True)) for way in ((a, b), (b, a))]


def states(kind_of_state):
    each = st.fixed_dictionaries({"ocs-0": kind_of_state, "ocs-1": kind_of_state})
    return st.lists(each, min_size=2, max_size=4)


def replay(plan, names, start):
    """Send the files of a plan, then those of its rollback; the states after each stage, and at the very end."""
    files = export_files(plan, names)
    index = json.loads(files["index.json"])
    switches = {name: Matching({own.pair(pair) for pair in start[name]}, own.any_to_any) for name, own in names.items()}
    after = []
    for stage in index["stages"]:
        for device in stage["devices"]:
            send(switches[device["switch"]], device["kind"], device["files"], files)
        after.append({name: set(switch.up) for name, switch in switches.items()})
    for number in index["rollback_order"]:
        stage = next(stage for stage in index["stages"] if stage["id"] == number)
        for device in reversed(stage["devices"]):
            send(switches[device["switch"]], device["kind"], device["rollback"], files)
    assert not [path for path, text in files.items() if path.startswith("stage-") and WIPES.search(text)]
    return after, {name: switch.up for name, switch in switches.items()}


def send(switch, kind_name, rows, files):
    roles = [row["role"] for row in rows]
    order = ["read-before", "delete", "add", "read-after"]
    assert roles == [role for role in order if role in roles] and {"read-before", "read-after"} <= set(roles)
    assert [row["file"] for row in rows] == sorted(row["file"] for row in rows)
    for row in rows:
        if row["role"] in ("delete", "add"):
            MODELS[kind_name](switch, row["role"], files[row["file"]])


WIRINGS = ["bidi", "duplex", "simplex"]


def drawn(kind_of_wiring, seed):
    """Ports of four blocks on three switches, a state and wanted links, all by chance."""
    random = np.random.default_rng(seed)
    there = np.full((4, 3), 4, np.int32)
    wiring = Wiring(
        kind_of_wiring, [f"block-{i}" for i in range(4)], [f"ocs-{k}" for k in range(3)], there, there,
        np.zeros(3, np.int32),
    )  # fmt: skip
    counts = []
    for _ in range(2):
        state = np.zeros((3, 4, 4), np.int16)
        for k in range(3):
            free = np.full((4, 2), 4)
            for i, j in random.integers(0, 4, (20, 2)):
                room = free[i].min() and free[j].min() if kind_of_wiring == "duplex" else free[i, 0] and free[j, 1]
                if i != j and room and random.random() < 0.8:
                    state[k, i, j] += 1
                    for block, side in ((i, 0), (j, 1)):
                        free[block, slice(None) if kind_of_wiring == "duplex" else side] -= 1
        counts.append(state)
    return ports_of_wiring(wiring, counts[0]), wiring.links(counts[1])


@pytest.mark.parametrize("wiring", WIRINGS)
@pytest.mark.parametrize("seed", range(3))
def test_what_the_planner_makes_reaches_its_end_by_every_kind_and_comes_back(hand, wiring, seed):
    ports, wanted = drawn(wiring, seed)
    plan = plan_change(ports, wanted, None, Options(effort="low"), catalogue())
    base = crosses_of(ports)
    assert plan.stages
    for name in KINDS:
        names = hand.names_for(plan, name)
        after, back = replay(plan, names, base)
        assert back == {switch: {names[switch].pair(pair) for pair in pairs} for switch, pairs in base.items()}
        for switch, own in names.items():
            ends = {own.pair((a, b)): (a, b) for a in range(16) for b in range(16)}
            assert fingerprint(ends[pair] for pair in after[-1][switch]) == plan.after[switch]


def crosses_of(ports):
    rows = ports.crosses(ports.circuits).tolist()
    return {name: {(a, b) for k, a, b in rows if k == number} for number, name in enumerate(ports.wiring.switches)}


def check(hand, states, name, *, wiring="bidi", any_to_any=False):
    plan = hand.plan_of(states, wiring=wiring, any_to_any=any_to_any)
    names = hand.names_for(plan, name, any_to_any)
    after, back = replay(plan, names, states[0])
    named = [{switch: {names[switch].pair(pair) for pair in pairs} for switch, pairs in state.items()}
             for state in states]  # fmt: skip
    assert after == named[1:] and back == named[0]


several = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("name", KINDS)
@several
@given(states=states(matchings()))
def test_stages_reach_their_states_and_rollback_the_base(hand, name, states):
    check(hand, states, name)


@pytest.mark.parametrize("name", KINDS)
@several
@given(states=states(duplex_matchings()))
def test_duplex_links_are_two_cross_connects_of_every_kind(hand, name, states):
    check(hand, states, name, wiring="duplex")


@pytest.mark.parametrize("name", [name for name in KINDS if kind(name).any_to_any])
@several
@given(states=states(matchings(any_to_any=True)))
def test_any_two_ports_are_joined_where_the_kind_can(hand, name, states):
    check(hand, states, name, wiring="duplex", any_to_any=True)


@pytest.mark.parametrize("name", KINDS)
def test_a_model_refuses_what_it_should(hand, name):
    """Otherwise the replays could not fail: adds before deletes, and a stage that is sent twice."""
    files = export_files(hand.plan, hand.names_for(hand.plan, name))
    own = hand.names_for(hand.plan, name)["ocs-0"]
    [device] = [d for d in json.loads(files["index.json"])["stages"][0]["devices"] if d["switch"] == "ocs-0"]
    texts = {row["role"]: files[row["file"]] for row in device["files"]}
    for order in (["add", "delete"], ["delete", "delete"], ["delete", "add", "add"]):
        switch = Matching({own.pair(pair) for pair in hand.states[0]["ocs-0"]})
        with pytest.raises((AssertionError, KeyError)):
            for role in order:
                MODELS[name](switch, role, texts[role])


@pytest.mark.parametrize(
    "text",
    [
        "config ocs cross-connect add 1A-1B overwrite", "DLT-PATCH::ALL:1:;", ":oxc:swit:conn:only (@1),(@2)",
        "DLT-CRS-ALL:::;", '{"method": "PUT", "path": "/api/data/optical-switch:cross-connects"}', "FLUSHDB",
        "POST /rest/crossconnects/?id=deleteall", ":oxc:swit:disc:all",
    ],
)  # fmt: skip
def test_the_search_for_wiping_verbs_finds_them(text):
    assert WIPES.search(text)
