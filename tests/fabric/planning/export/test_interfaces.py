"""The packet side: which interfaces a stage drains and undrains, and in what words."""

from dataclasses import replace

import pytest

from fabric.planning.export.folder import export_files
from fabric.planning.export.interfaces import read_interfaces
from topologies.errors import ConfigError

HEADER = "switch,side,port,system,device,interface,neighbour\n"


@pytest.fixture
def table(tmp_path):
    """An interface for each port of both switches, SONiC on ocs-0 and InfiniBand on ocs-1."""
    rows = [f"ocs-0,{side},{n}{side},sonic,leaf-{n % 2},Ethernet{8 * n + (side == 'B')},10.0.{n}.{'AB'.index(side)}\n"
            for n in range(1, 17) for side in "AB"]  # fmt: skip
    rows += [f"ocs-1,{side},{n}{side},infiniband,0x{n:x}{side},{n}\n" for n in range(1, 17) for side in "AB"]
    path = tmp_path / "interfaces.csv"
    path.write_text(HEADER + "".join(rows))
    return path


def test_what_is_taken_down_is_drained_and_what_is_put_up_is_undrained(hand, table):
    files = export_files(hand.plan, hand.names_for(hand.plan, "sonic-cli"), read_interfaces(table))

    def of(path):
        return files[f"stage-{path}"].splitlines()

    sessions, ports = ("10.0.1.0", "10.0.1.1"), ("Ethernet8", "Ethernet9")
    for verb, drain, shut in (("shutdown", "drain", "shut-down"), ("startup", "undrain", "bring-up")):
        assert of(f"1/{drain}/leaf-1.sonic.txt") == [f"config bgp {verb} neighbor {one}" for one in sessions]
        assert of(f"1/{shut}/leaf-1.sonic.txt") == [f"config interface {verb} {one}" for one in ports]
    assert of("1/check/leaf-1.sonic.txt")[:2] == ["show interfaces status Ethernet8", "show lldp neighbors Ethernet8"]
    # 3-4 and 4-3 go, ports counted from 0; 3-3, 4-4, 9-15 come
    assert of("2/shut-down/infiniband.txt") == [
        f"ibportstate -G 0x{n}{side} {n} disable" for n in (4, 5) for side in "AB"
    ]
    assert "ibportstate -G 0xaA 10 enable" in of("2/bring-up/infiniband.txt")
    assert "ibportstate -G 0xaA 10 query" in of("2/check/infiniband.txt")
    assert "ibportstate -G 0xaA 10 disable" in of("2/rollback-shut-down/infiniband.txt")
    assert "0xaA" not in files["stage-2/rollback-bring-up/infiniband.txt"]
    assert not any(path.startswith("stage-2/drain/infini") for path in files)  # has no sessions
    told = files["runbook.md"]
    order = [told.index(f"stage-1/{place}") for place in (
        "traffic", "drain", "shut-down", "ocs-0", "bring-up", "check", "undrain")]  # fmt: skip
    assert order == sorted(order) and "rollback-drain/" not in told
    assert "Command Reference" in told and "ibportstate(8)" in told and "not given" not in told


def test_traffic_engineering_counts_links_before_during_and_after(hand):
    """Each stage drains a link of blocks 0 and 1, of which two stay, and brings one of blocks 0 and 2, three in all."""
    files = export_files(hand.plan, hand.names_for(hand.plan, "sonic-cli"))
    head = "block_a,block_b,links_before,links_during,links_after"
    assert files["stage-1/traffic-engineering.csv"].splitlines() == [
        head,
        "block-0,block-1,4,3,3",
        "block-0,block-2,1,1,2",
    ]
    assert files["stage-2/traffic-engineering.csv"].splitlines() == [
        head,
        "block-0,block-1,3,2,2",
        "block-0,block-2,2,2,3",
    ]


def test_a_plan_with_less_than_no_links_is_refused(hand):
    plan = replace(hand.plan, target=[])
    with pytest.raises(ConfigError, match="leaves -1 links of block-0 and block-2"):
        export_files(plan, hand.names_for(plan, "sonic-cli"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("switch,port\n", "line 1: not the header"),
        (HEADER + "ocs-0,A\n", "line 2: 2 cells"),
        (HEADER + "ocs-0,C,1A,sonic,leaf,Ethernet0,\n", "side is 'C'"),
        (HEADER + "ocs-0,A,1A,eos,leaf,Ethernet0,\n", "system is 'eos'"),
        (HEADER + "ocs-0,A,1A,sonic,leaf;reboot,Ethernet0,\n", "device is 'leaf;reboot'"),
        (HEADER + "ocs-0,A,1A,sonic,leaf,Ethernet0 | sh,\n", "interface is"),
        (HEADER + "ocs-0,A,1A,infiniband,leaf,1,\n", "device is 'leaf'"),
        (HEADER + "ocs-0,A,1A,infiniband,0x1,1a,\n", "interface is '1a'"),
        (HEADER + "ocs-0,A,1A,sonic,leaf,Ethernet0,$(x)\n", "neighbour is"),
        (HEADER + 2 * "ocs-0,A,1A,sonic,leaf,Ethernet0,\n", "stands twice"),
        (HEADER + 'ocs-0,"A\n', "not CSV|cells|side"),
        ("", "the file is empty"),
    ],
)
def test_bad_tables_are_refused(tmp_path, text, said):
    path = tmp_path / "interfaces.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_interfaces(path)


def test_a_port_without_an_interface_is_refused(hand, table):
    rows = [row for row in table.read_text().splitlines() if not row.startswith("ocs-0,A,2A")]
    table.write_text("\n".join(rows) + "\n")
    with pytest.raises(ConfigError, match="no interface is given for port 2A of side A of ocs-0"):
        export_files(hand.plan, hand.names_for(hand.plan, "sonic-cli"), read_interfaces(table))
