"""Reading devices back: their files give the plan's ports, and say where in the plan a switch stands."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fabric.planning.export.reading import place_in_plan, read_state
from topologies.errors import ConfigError


def config_db(names, pairs):
    named = [names.pair(pair) for pair in pairs]
    table = {f"{a}-{b}": {"a_side": a, "b_side": b} for a, b in named}
    return json.dumps({"DEVICE_METADATA": {"localhost": {}}, "OCS_CROSS_CONNECT": table})


def polatis(names, pairs, element="pair"):
    rows = "".join(
        f"<{element}><ingress>{a}</ingress><egress>{b}</egress></{element}>" for a, b in map(names.pair, pairs)
    )
    return (
        '<?xml version="1.0"?><!-- read --><rpc-reply xmlns="urn:ietf:params:xml:ns:netconf:base:1.0"><data>'
        f'<cross-connects xmlns="http://www.polatis.com/yang/optical-switch">{rows}</cross-connects></data></rpc-reply>'
    )


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(16)), st.permutations(range(16)), st.integers(0, 16), st.booleans())
def test_what_is_written_is_read(hand, tmp_path_factory, first, second, count, any_to_any):
    pairs = list(zip(first[:count], second[:count], strict=True))
    if any_to_any:
        pairs = [tuple(sorted(first[2 * i : 2 * i + 2])) for i in range(count // 2)]
    path = tmp_path_factory.mktemp("state") / "state"
    for kind, write in (("polatis-netconf", polatis), *(() if any_to_any else (("sonic-patch", config_db),))):
        own = hand.names_for(hand.plan, kind, any_to_any)["ocs-0"]
        path.write_text(write(own, pairs))
        assert read_state(path, own) == sorted(pairs)


def test_old_firmware_and_bare_roots(hand, tmp_path):
    own = hand.names_for(hand.plan, "polatis-tl1")["ocs-0"]
    path = tmp_path / "state.xml"
    path.write_text(polatis(own, [(1, 2)], "pairs"))
    assert read_state(path, own) == [(1, 2)]
    path.write_text("<p:cross-connects xmlns:p='x'><p:pair><p:ingress>1</p:ingress><p:egress>17</p:egress></p:pair>"
                    "</p:cross-connects>")  # fmt: skip
    assert read_state(path, own) == [(0, 0)]
    path.write_text("<data/>")
    assert read_state(path, own) == []


def test_where_a_switch_stands(hand):
    places = [place_in_plan(hand.plan, "ocs-0", state["ocs-0"]) for state in hand.states]
    assert places == [[0], [1], [2]]
    assert [place_in_plan(hand.plan, "ocs-1", state["ocs-1"]) for state in hand.states] == [[0, 1], [0, 1], [2]]
    assert place_in_plan(hand.plan, "ocs-0", [(5, 5)]) == []


DOCTYPE = '<!DOCTYPE data [<!ENTITY a "b">]><data>&a;</data>'
PAIR = "<cross-connects><pair><ingress>{}</ingress>{}</pair></cross-connects>"


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("polatis-netconf", DOCTYPE, "document type"),
        ("polatis-netconf", "<data>&a;</data>", "entit"),
        ("polatis-netconf", "<html></html>", "no NETCONF answer"),
        ("polatis-netconf", "<data>", "not XML"),
        ("polatis-netconf", "", "no NETCONF answer"),
        ("polatis-netconf", "<data>" * 200, "more than 100 deep"),
        ("polatis-netconf", PAIR.format(1, ""), "line 1: <pair> has no ingress or no egress"),
        ("polatis-netconf", PAIR.format(1, "<egress>33</egress>"), "is no port of ocs-0"),
        ("polatis-netconf", PAIR.format("<x/>", "<egress>17</egress>"), "no ingress"),
        ("polatis-netconf", f"<data>{2 * PAIR.format(1, '<egress>17</egress>')}</data>", "in two cross-connects"),
        ("sonic-cli", "[]", "no object with a table"),
        ("sonic-cli", '{"OCS_CROSS_CONNECT": []}', "no object with a table"),
        ("sonic-cli", '{"OCS_CROSS_CONNECT": {"1A-1B": {"a_side": "1A", "b_side": "2B"}}}', "as its key does"),
        ("sonic-cli", '{"OCS_CROSS_CONNECT": {"1A-1B": 3}}', "as its key does"),
        ("sonic-cli", '{"OCS_CROSS_CONNECT": {"1A-99B": {"a_side": "1A", "b_side": "99B"}}}', "no port of ocs-0"),
        ("sonic-cli", '{"a": 1, "a": 2}', "stands twice"),
        ("sonic-cli", "[" * 100000, "too deep|not JSON"),
        ("telescent-cli", "x", "are not read back"),
    ],
)  # fmt: skip
def test_bad_files_are_refused(hand, tmp_path, kind, text, said):
    path = tmp_path / "state"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_state(path, hand.names_for(hand.plan, kind)["ocs-0"])
