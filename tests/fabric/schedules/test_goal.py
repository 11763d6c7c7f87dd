"""GOAL schedules: requirements, computations, matching; and what is wrong with those that are refused."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fabric
from topologies.errors import ConfigError, FabricError

STAR = "switch:n={},rate_gbps=400,latency_ns=500"  # 50e9 bytes/s, 1 us a message
PAIR = """num_ranks 2
rank 0 {
l1: calc 3000
l2: send 50000b to 1 tag 7
l2 requires l1
}
rank 1 {
l1: recv 50000b from 0 tag 7
l2: calc 10000
l2 requires l1
}
"""


@pytest.fixture
def micros(tmp_path):
    """Microseconds of a schedule on a star of as many ranks."""

    def run(text, ranks=2):
        (tmp_path / "t.goal").write_text(text)
        return fabric.replay(STAR.format(ranks), tmp_path / "t.goal").time_us

    return run


def test_messages_and_computations(micros):
    """3 us of computation, 1 us of latency, 1 us of bytes, 10 us of computation."""
    assert micros(PAIR) == pytest.approx(3 + 1 + 1 + 10)


def test_requires_waits_for_the_end_irequires_for_the_start(micros):
    for word, wanted in (("requires", 15 + 4), ("irequires", 15)):
        text = PAIR.replace("l2: calc 10000", f"l2: calc 10000\nl3: calc 4000 cpu 1\nl3 {word} l2")
        assert micros(text) == pytest.approx(wanted)


def test_words_that_may_be_left_out_or_added(micros):
    text = (
        PAIR.replace(" tag 7", "")
        .replace("l1: calc 3000", "l1: calc 3000 cpu 1 // work")
        .replace("l2: calc", "l2 :calc")
    )
    assert micros(text) == pytest.approx(15)
    unnamed = "num_ranks 2\nrank 0 {\nsend 50000b to 1\n}\nrank 1 {\nrecv 50000b from 0 nic 0\n}\n"
    assert micros(unnamed) == pytest.approx(2)


@pytest.mark.parametrize(("cpus", "wanted"), [(("", ""), 30), ((" cpu 0", " cpu 1"), 20), ((" cpu 2", " cpu 2"), 30)])
def test_computations_on_one_cpu_take_turns(cpus, wanted, micros):
    """10 and 20 us that wait for nothing: one after the other on one processor, as LogGOPSim has it."""
    assert micros("num_ranks 2\nrank 0 {{\na: calc 10000{}\nb: calc 20000{}\nc: send 0b to 1\n}}\n"
                  "rank 1 {{\nrecv 0b from 0\n}}\n".format(*cpus)) == pytest.approx(wanted)  # fmt: skip


@pytest.mark.parametrize("piece", [0, 1, 2, 7, 50])
def test_lines_do_not_depend_on_the_pieces_that_a_text_is_cut_in(piece, monkeypatch, micros):
    monkeypatch.setattr("fabric.schedules.goal.PIECE", piece)
    assert micros(PAIR) == pytest.approx(15)
    with pytest.raises(ConfigError, match="line 8: 'l1: recf"):
        micros(PAIR.replace("recv", "recf"))


def test_comments_of_all_kinds(micros):
    text = PAIR.replace("l1: calc 3000", "/* all\nof it */ l1: calc 3000 // work").replace("rank 1", "# two\nrank 1")
    assert micros(text) == pytest.approx(15)
    with pytest.raises(ConfigError, match="line 5: 'l2: sent"):
        micros(text.replace("send", "sent"))


def test_messages_of_one_tag_match_in_order(micros):
    """The first is of 50 kB, the second of 100 kB; the receiver computes 5 us after the first."""
    text = "num_ranks 2\nrank 0 {\na: send 50000b to 1\nb: send 100000b to 1\nb requires a\n}\n"
    text += "rank 1 {\na: recv 50000b from 0\nb: recv 100000b from 0\nc: calc 5000\nc requires a\n}\n"
    assert micros(text) == pytest.approx(2 + 5)


def test_a_ring_of_64_takes_what_other_simulators_say(tmp_path):
    """126 messages of 1 MB one after the other at 50 GB/s, 500 ns each: 2.583 ms, as SimGrid and LogGOPSim have it."""
    lines = ["num_ranks 64"]
    for rank in range(64):
        lines.append(f"rank {rank} {{")
        for step in range(126):
            lines.append(f"s{step}: send 1000000b to {(rank + 1) % 64} tag {step}")
            lines.append(f"r{step}: recv 1000000b from {(rank - 1) % 64} tag {step}")
            lines += [f"s{step} requires {kind}{step - 1}" for kind in "sr" if step]
        lines.append("}")
    (tmp_path / "ring.goal").write_text("\n".join(lines))
    found = fabric.replay("ring:n=64,rate_gbps=400,latency_ns=500", tmp_path / "ring.goal")
    assert found.time_us == pytest.approx(2583, rel=1e-9)


def test_real_broadcast_takes_its_depth(real):
    """A binomial tree of 32: five messages one after the other, of a byte each."""
    found = fabric.replay(STAR.format(32), real("goal/binary_tree_32.goal"))
    assert found.latency_us == pytest.approx(5) and found.time_us == pytest.approx(5, rel=1e-3)
    assert found.size_bytes == 5


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("num_ranks 2", "num_rank 2", "line 1: 'num_rank 2' is not num_ranks N"),
        ("from 0 tag 7", "from -1 tag 7", "line 7|any rank and any tag .-1. are not taken"),
        ("num_ranks 2", "num_ranks 0", "num_ranks 0 is not from 1"),
        ("num_ranks 2", "num_ranks 3", "rank 2 of 3 is missing"),
        ("num_ranks 2", "num_ranks 1", "line 3: l2|with rank 1; there are 1"),
        ("rank 1 {", "rank 0 {", "line 7: rank 0 stands in line 2 too"),
        ("rank 1 {", "rank 2 {", "line 7: rank 2 of 2"),
        ("rank 1 {", "rang 1 {", "is not rank R"),
        ("l2: calc 10000\n", "l1: calc 10000\n", "label l1 stands there twice"),
        ("l2: calc 10000\n", "", "rank 1 has no label l2"),
        ("calc 3000", "calc 3.5", "line 3: 'l1: calc 3.5' is no send"),
        ("calc 3000", "calk 3000", "is no send, recv, calc or requires"),
        ("send 50000b to 1", "send 50000b from 1", "write send ... to"),
        ("send 50000b to 1", "send 50001b to 1", "sends 50001 bytes to rank 1, which receives 50000"),
        ("send 50000b to 1", "send 50000b to 9", "with rank 9; there are 2"),
        ("from 0 tag 7", "from 0 tag 8", "has no receive at rank 1, tag 7"),
        ("l2: send 50000b to 1 tag 7\nl2 requires l1\n", "", "rank 1: l1 has no send at rank 0, tag 7"),
        ("l2 requires l1\n}\nrank 1", "l2 requires l1\nl1 requires l2\n}\nrank 1", "rank 0: l[12] waits for itself"),
        ("requires l1\n}\n", "requires l1\n", "line 6: 'rank 1 {' is no send|does not end"),
    ],
)  # fmt: skip
def test_wrong_schedules(old, new, says, micros):
    assert old in PAIR
    with pytest.raises(ConfigError, match=says) as caught:
        micros(PAIR.replace(old, new))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "\n", "\x00", "num_ranks 1\n" + "x" * 10**6, "num_ranks 1\nrank 0 {\n}\n"])
def test_no_schedule(text, micros):
    with pytest.raises(ConfigError) as caught:
        micros(text)
    assert len(str(caught.value)) < 300


def test_a_file_without_an_end_is_not_read_to_it(tmp_path):
    (tmp_path / "endless.goal").symlink_to("/dev/zero")
    with pytest.raises(ConfigError, match="at most 256 MiB are read"):
        fabric.replay("switch:n=2", tmp_path / "endless.goal")


def test_a_schedule_that_receives_before_it_sends_on_both_sides_is_a_deadlock(micros):
    text = "num_ranks 2\n" + "".join(
        f"rank {r} {{\na: recv 8b from {1 - r}\nb: send 8b to {1 - r}\nb requires a\n}}\n" for r in range(2)
    )
    with pytest.raises(ConfigError, match="a deadlock"):
        micros(text)
    assert micros(text.replace("b requires a\n", "")) == pytest.approx(1 + 8 / 50e3)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_schedules_raise_fabric_errors_only(data, tmp_path):
    text = bytearray(PAIR.encode())
    if data.draw(st.booleans()):
        del text[data.draw(st.integers(0, len(text))) :]
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    (tmp_path / "t.goal").write_bytes(text)
    try:
        fabric.replay("switch:n=2", tmp_path / "t.goal")
    except FabricError as error:
        assert "\n" not in str(error)
