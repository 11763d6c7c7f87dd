"""Chakra traces: their flows, their collectives, and what is wrong with those that are refused."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fabric
from fabric.schedules import read_schedule
from topologies.errors import ConfigError, FabricError

STAR = "switch:n={},rate_gbps=400,latency_ns=500"  # 50e9 bytes/s, 1 us a message


@pytest.fixture
def written(tmp_path, et):
    """The prefix of traces of given nodes, one list a rank."""

    def write(*ranks, **metadata):
        for rank, nodes in enumerate(ranks):
            (tmp_path / f"t.{rank}.et").write_bytes(et.trace(*nodes, **metadata))
        return tmp_path / "t"

    return write


def seconds(spec, path, **options):
    return fabric.replay(spec, path, **options).time_us / 1e6


@pytest.mark.parametrize("ranks", [2, 5, 8])
def test_ring_equals_our_ring(ranks, ring_traces):
    """2 (n - 1) rounds, each a latency and S/n at the rate of the link; our ring sends half each way at once."""
    size = 131072
    found = fabric.replay(STAR.format(ranks), ring_traces(ranks, size))
    assert found.time_us == pytest.approx(2 * (ranks - 1) * (1.0 + size / 50e3))
    ours = fabric.simulate(STAR.format(ranks), "all-reduce", ranks * size, algorithm="ring", fidelity="fluid")
    assert found.time_us == pytest.approx(ours.time_us, rel=1e-12)
    assert found.latency_us == pytest.approx(2.0 * (ranks - 1))
    assert (found.collective, found.size_bytes) == ("recorded", 2 * (ranks - 1) * size)


def test_real_ring_and_all_reduce_equal_our_ring(real):
    for spec in ("switch:n=8", "switch:n=8,rate_gbps=800"):
        ours = fabric.simulate(spec, "all-reduce", "1MiB", algorithm="ring", fidelity="fluid").time_us
        ring = fabric.replay(spec, real("chakra/custom_ring_allreduce-8-1MB"))
        assert ring.time_us == pytest.approx(ours, rel=1e-12)
        assert any("49 us" in line for line in ring.estimates)  # 7 reductions of 7 us
        whole = fabric.replay(spec, real("chakra/all_reduce-8-1MB"), algorithm="ring")
        assert whole.time_us == pytest.approx(ours, rel=1e-12)


@pytest.mark.parametrize("start", ["folder", "prefix", "file", "other file"])
def test_folder_prefix_and_file(start, ring_traces):
    prefix = ring_traces(3, 100)
    path = {
        "folder": prefix.parent, "prefix": prefix, "file": prefix.with_name("ring.0.et"),
        "other file": prefix.with_name("ring.2.et"),
    }[start]  # fmt: skip
    recorded = read_schedule(path)
    assert (recorded.ranks, recorded.name, recorded.collective) == (3, "ring", None)


def test_computation_takes_its_time(written, et):
    """10 us, then 1 us and 50 kB at 50 GB/s, then 20 us."""
    path = written(
        [et.node(0, et.COMPUTE, micros=10), et.node(1, et.SEND, [0], comm_dst=1, comm_size=50_000)],
        [et.node(7, et.RECEIVE, comm_src=0, comm_size=50_000), et.node(9, et.COMPUTE, [7], micros=20)],
    )
    found = fabric.replay(STAR.format(2), path)
    assert found.time_us == pytest.approx(10 + 1 + 1 + 20) and found.latency_us == pytest.approx(1)


def test_reductions_of_a_converted_algorithm_take_none(written, et):
    path = written(
        [et.node(0, et.SEND, comm_dst=1, comm_size=50_000)],
        [et.node(0, et.RECEIVE, comm_src=0, comm_size=50_000), et.node(1, et.COMPUTE, [0], micros=7)],
        collective="allreduce",
    )
    found = fabric.replay(STAR.format(2), path)
    assert found.time_us == pytest.approx(2) and any("7 us on a rank" in line for line in found.estimates)


@pytest.mark.parametrize(
    ("kind", "name", "factor"),
    [(0, "all-reduce", 1), (2, "all-gather", 4), (6, "all-to-all", 1), (7, "reduce-scatter", 1), (5, "broadcast", 1)],
)
def test_collectives_go_by_our_algorithms(kind, name, factor, written, et):
    """All-gather's size is what one rank gives (ASTRA-sim's), ours the total."""
    call = et.node(0, et.COLLECTIVE, comm_type=kind, comm_size=1_000_000)
    path = written(*[[call]] * 4)
    assert read_schedule(path).calls
    ours = fabric.simulate(STAR.format(4), name, factor * 1_000_000, fidelity="fluid")
    assert seconds(STAR.format(4), path) == pytest.approx(ours.time_us / 1e6, rel=1e-12)


def test_a_collective_waits_for_the_slowest_where_it_needs_it_and_holds_back_what_follows(written, et):
    """A barrier ends when the last has come; what follows starts then."""
    ranks = [
        [
            et.node(0, et.COMPUTE, micros=micros),
            et.node(1, et.COLLECTIVE, [0], comm_type=9),
            et.node(2, et.SEND, [1], comm_dst=(rank + 1) % 3, comm_size=50_000),
            et.node(3, et.RECEIVE, comm_src=(rank - 1) % 3, comm_size=50_000),
        ]
        for rank, micros in enumerate((5, 100, 10))
    ]
    assert seconds(STAR.format(3), written(*ranks)) == pytest.approx((100 + 1 + 1) * 1e-6)


def test_collectives_follow_each_other(written, et):
    calls = [et.node(i, et.COLLECTIVE, [i - 1] if i else [], comm_type=0, comm_size=4096) for i in range(3)]
    one = fabric.simulate(STAR.format(4), "all-reduce", 4096, algorithm="ring", fidelity="fluid").time_us
    assert seconds(STAR.format(4), written(*[calls] * 4), algorithm="ring") == pytest.approx(3e-6 * one)


def test_dependencies_packed_or_not_and_numbers_of_any_type(written, et):
    text = et.node(3, et.SEND, [1, 2], packed=False) + et.field(4, 0)  # a control dependency
    for name, number, value in (("comm_dst", 7, 1), ("comm_size", 15, 2 * 50_000), ("comm_tag", 19, 5)):
        text += et.field(10, et.field(1, name.encode()) + et.field(number, value))  # int32, sint32, fixed number
    own = [et.node(i, et.COMPUTE, micros=i) for i in range(3)]
    path = written([*own, text], [et.node(0, et.RECEIVE, comm_src=0, comm_size=50_000, comm_tag=5)])
    assert seconds(STAR.format(2), path) == pytest.approx((1 + 2 + 1 + 1) * 1e-6)  # computations one after the other


def test_an_accelerator_computes_one_thing_at_a_time_and_its_cpu_beside(written, et):
    """10 and 20 us on the accelerator, 25 us on the CPU; what is not timed is said."""
    nodes = [et.node(i, et.COMPUTE, micros=m, is_cpu_op=int(m == 25)) for i, m in enumerate((10, 20, 25))]
    nodes += [et.node(3, et.COMPUTE, num_ops=10**9), et.node(4, 2, tensor_size=4096), et.node(5, 3, micros=40)]
    nodes += [et.node(6, et.SEND, comm_dst=1, comm_size=0)]
    path = written(nodes, [et.node(0, et.RECEIVE, comm_src=0, comm_size=0)])
    found = fabric.replay(STAR.format(2), path)
    assert found.time_us == pytest.approx(40)
    assert any("1 computations give operations (num_ops), no micro" in line for line in found.estimates)
    assert any("1 memory nodes give bytes" in line for line in found.estimates)
    path = written([*nodes[:3], *nodes[6:]], [et.node(0, et.RECEIVE, comm_src=0, comm_size=0)])
    assert fabric.replay(STAR.format(2), path).time_us == pytest.approx(30)


def test_operations_without_a_time_take_what_the_accelerator_needs(written, et):
    """On an H100 (989.4 TFLOP/s, 3.35 TB/s): 989.4e6 operations 1 us; 3350 kB 1 us, 6700 kB with as few 2 us; on the
    CPU and what has a time as it says. Twice as long where asked; nothing where no rate is known."""
    nodes = [
        et.node(0, et.COMPUTE, num_ops=989_400_000, tensor_size=335_000),
        et.node(1, et.COMPUTE, num_ops=989_400_000, tensor_size=6_700_000),
        et.node(2, et.COMPUTE, micros=5, num_ops=10**15), et.node(3, et.SEND, comm_dst=1, comm_size=0),
    ]  # fmt: skip
    path = written(nodes, [et.node(0, et.RECEIVE, comm_src=0, comm_size=0)])
    h100 = STAR.format(2) + ",accelerator=h100-sxm"
    assert fabric.replay(h100, path).time_us == pytest.approx(1 + 2 + 5, rel=1e-3)
    found = fabric.trace(h100, path, compute_scale=2)
    assert found.makespan_s == pytest.approx(16e-6, rel=1e-3) and any("a roofline" in note for note in found.notes)
    assert fabric.trace(h100, path, compute_scale="h200-sxm").makespan_s == pytest.approx(8e-6, rel=1e-3)
    assert fabric.replay(STAR.format(2), path).time_us == pytest.approx(5)


WRONG = {
    "cut off": (lambda et: [et.trace(et.node(0, et.COMPUTE))[:-1]], "cut off"),
    "empty": (lambda et: [b""], "the file is empty"),
    "no nodes": (lambda et: [et.trace()], "hold no node"),
    "zeros": (lambda et: [bytes(1000)], "type 0 is none of"),
    "text": (lambda et: [b"hello world, this is no protocol buffer"], "give Chakra traces"),
    "long number": (lambda et: [b"\xff" * 12], "more than 64 bits"),
    "no receive": (
        lambda et: [et.trace(et.node(0, et.SEND, comm_dst=1, comm_size=8)), et.trace(et.node(0, et.COMPUTE))],
        r"rank 0: node 0 \(n0\) has no receive at rank 1, tag 0 \(1 too few there\)",
    ),
    "no send": (
        lambda et: [et.trace(et.node(0, et.RECEIVE, comm_src=1, comm_size=8)), et.trace(et.node(0, et.COMPUTE))],
        "has no send at rank 1",
    ),
    "another tag": (
        lambda et: [
            et.trace(et.node(0, et.SEND, comm_dst=1, comm_size=8, comm_tag=1)),
            et.trace(et.node(0, et.RECEIVE, comm_src=0, comm_size=8, comm_tag=2)),
        ],
        "has no receive at rank 1, tag 1",
    ),
    "another size": (
        lambda et: [
            et.trace(et.node(0, et.SEND, comm_dst=1, comm_size=8)),
            et.trace(et.node(0, et.RECEIVE, comm_src=0, comm_size=9)),
        ],
        "sends 8 bytes to rank 1, which receives 9",
    ),
    "deadlock": (
        lambda et: [
            et.trace(
                et.node(0, et.RECEIVE, comm_src=1 - rank, comm_size=8),
                et.node(1, et.SEND, [0], comm_dst=1 - rank, comm_size=8),
            )
            for rank in range(2)
        ],
        "a deadlock",
    ),
    "circle": (lambda et: [et.trace(et.node(0, et.COMPUTE, [1]), et.node(1, et.COMPUTE, [0]))], "a deadlock"),
    "lost node": (lambda et: [et.trace(et.node(0, et.COMPUTE, [5]))], "node 0 waits for node 5, which is not there"),
    "twice": (lambda et: [et.trace(et.node(0, et.COMPUTE), et.node(0, et.COMPUTE))], "node 0 stands there twice"),
    "no rank": (lambda et: [et.trace(et.node(0, et.SEND, comm_dst=1, comm_size=8))], "with rank 1; there are 1"),
    "no size": (lambda et: [et.trace(et.node(0, et.SEND, comm_dst=0))], "has no comm_size"),
    "text as size": (lambda et: [et.trace(et.node(0, et.SEND, comm_dst=0, comm_size="x"))], "has x as comm_size"),
    "negative": (lambda et: [et.trace(et.node(0, et.SEND, comm_dst=-1, comm_size=8))], "has -1 as comm_dst"),
    "gather": (lambda et: [et.trace(et.node(0, et.COLLECTIVE, comm_type=3, comm_size=8))] * 2, "type 3 is not"),
    "one root": (
        lambda et: [et.trace(et.node(0, et.COLLECTIVE, comm_type=5, comm_size=8, root=1))] * 2,
        "root 1; collectives from",
    ),
    "unequal collectives": (
        lambda et: [et.trace(et.node(0, et.COLLECTIVE, comm_type=k, comm_size=8)) for k in (0, 6)],
        "all-to-all of 8 bytes, where rank 0 calls all-reduce of 8",
    ),
    "a group": (
        lambda et: [
            et.trace(*(et.node(i, et.COLLECTIVE, comm_type=0, comm_size=8, pg_name="tp") for i in range(2))),
            et.trace(et.node(0, et.COLLECTIVE, comm_type=0, comm_size=8, pg_name="tp")),
        ],
        "of process group 'tp', but rank 1 calls 1 of 2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_traces(name, tmp_path, et):
    make, says = WRONG[name]
    for rank, text in enumerate(make(et)):
        (tmp_path / f"t.{rank}.et").write_bytes(text)
    with pytest.raises(ConfigError, match=says) as caught:
        fabric.replay("switch:n=4", tmp_path / "t")
    assert "\n" not in str(caught.value)


def test_ranks_missing_too_many_prefixes_and_no_files(tmp_path, ring_traces):
    prefix = ring_traces(4, 100)
    prefix.with_name("ring.2.et").unlink()
    with pytest.raises(ConfigError, match="rank 2 of 4 is missing"):
        read_schedule(prefix)
    prefix.with_name("other.0.et").write_bytes(b"")
    with pytest.raises(ConfigError, match="traces of other, ring; name one prefix"):
        read_schedule(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match=r"no \*\.et"):
        read_schedule(tmp_path / "empty")


def test_large_junk_is_refused_at_once(tmp_path):
    with (tmp_path / "t.0.et").open("wb") as file:
        file.truncate(100 * 2**20)
    begun = time.process_time()
    with pytest.raises(ConfigError, match="at most 64 MiB"):
        read_schedule(tmp_path / "t")
    assert time.process_time() - begun < 1


def test_fewer_and_more_ranks_than_accelerators(ring_traces, written, et):
    prefix = ring_traces(4, 1000)
    assert "4 of 6 accelerators take part" in fabric.replay("switch:n=6", prefix).estimates
    with pytest.raises(ConfigError, match="has 4 ranks"):
        fabric.replay("switch:n=3", prefix)
    path = written(*[[et.node(0, et.COLLECTIVE, comm_type=0, comm_size=8)]] * 4)
    alone = fabric.replay("switch:n=4", path).time_us
    assert fabric.replay("switch:n=6", path).time_us == pytest.approx(alone, rel=1e-12)


def test_process_groups_are_those_who_call(written, et):
    """Two pairs at once on a switch do not meet: each an all-gather of 2 x 50 kB, 50 kB a way, 1 us and 1 us."""
    calls = {"comm_type": 2, "comm_size": 50_000}
    path = written(*([et.node(0, et.COLLECTIVE, pg_name=name, **calls)] for name in ("a", "b", "b", "a")))
    program = read_schedule(path).program(1.0)
    assert [(e.members, e.bytes) for e in program.exchanges] == [((0, 3), 1e5), ((1, 2), 1e5)]
    assert seconds(STAR.format(4), path) == pytest.approx(2e-6)
    late = written(*([et.node(0, et.COMPUTE, micros=5), et.node(1, et.COLLECTIVE, [0], **calls)] for _ in range(4)))
    assert seconds(STAR.format(4), late, algorithm="direct") > 5e-6 + 3 * 1e-6


def damaged(draw, text):
    """A file cut off somewhere, or with some bytes changed."""
    if draw(st.booleans()):
        return text[: draw(st.integers(0, len(text)))]
    broken = bytearray(text)
    for _ in range(draw(st.integers(1, 4))):
        broken[draw(st.integers(0, len(text) - 1))] = draw(st.integers(0, 255))
    return bytes(broken)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_traces_raise_fabric_errors_only(data, tmp_path, et):
    texts = [et.ring(rank, 3, 4096) for rank in range(3)]
    call = et.trace(et.node(0, et.COMPUTE, micros=3), et.node(1, et.COLLECTIVE, [0], comm_type=0, comm_size=64))
    texts = [texts, [call] * 3][data.draw(st.integers(0, 1))]
    for rank, text in enumerate(texts):
        (tmp_path / f"t.{rank}.et").write_bytes(damaged(data.draw, text) if rank == 0 else text)
    try:
        fabric.replay("switch:n=3", tmp_path / "t")
    except FabricError as error:
        assert "\n" not in str(error)
