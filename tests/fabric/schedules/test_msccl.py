"""MSCCL algorithms: read, written, run symbolically and flow by flow."""

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fabric
from fabric.algorithms import ALGORITHMS, NotApplicable
from fabric.algorithms.unrolling import unroll
from fabric.collectives import collective
from fabric.fluid import fluid_completion
from fabric.routing.registry import resolve
from fabric.schedules import read_schedule
from fabric.schedules.delivery import check_delivery
from fabric.schedules.msccl import program, read_algorithm
from fabric.schedules.msccl_writing import NAMES, msccl_text
from fabric.timing import fluid_routing
from topologies.errors import ConfigError, FabricError, InfeasibleError

FABRICS = ["switch:n=2", "switch:n=7", "full-mesh:n=5", "ring:n=6", "torus:dims=3x3", "mesh:dims=3x3",
           "rail:servers=2,gpus=3", "rail:servers=3,gpus=2"]  # fmt: skip
STEP = (
    '<step s="{}" type="{}" srcbuf="{}" srcoff="{}" dstbuf="{}" dstoff="{}" cnt="1" depid="{}" deps="{}" hasdep="0"/>'
)


@pytest.fixture
def written(tmp_path):
    """The file of a text."""

    def write(text):
        (tmp_path / "a.xml").write_bytes(text if isinstance(text, bytes) else text.encode())
        return tmp_path / "a.xml"

    return write


@pytest.fixture(scope="module")
def ring_text():
    return msccl_text(fabric.build("switch:n=3"), "all-reduce", "ring").text


def eager(flows):
    """Flows without what they wait for at their targets alone, which no rank that sends knows."""
    flow = np.repeat(np.arange(len(flows)), np.diff(flows.pred_ptr))
    ends = np.stack([flows.source[flows.pred], flows.target[flows.pred]])
    kept = (ends == flows.source[flow]).any(axis=0)
    ptr = np.concatenate([[0], np.cumsum(np.bincount(flow[kept], minlength=len(flows)))])
    return replace(flows, pred_ptr=ptr, pred=flows.pred[kept]), int((~kept).sum())


@pytest.mark.parametrize("spec", FABRICS)
@pytest.mark.parametrize("chunks", [1, 2])
def test_what_is_written_delivers_and_takes_the_time_of_our_messages(spec, chunks, written):
    """Every algorithm for every collective that it does; run symbolically again as it is read, races included."""
    topology, done = fabric.build(spec), 0
    routing, _ = fluid_routing(resolve(topology, "auto"))
    for algorithm in ALGORITHMS:
        for name in NAMES if chunks == 1 else ("all-reduce", "all-to-all"):
            pattern = collective(name, len(topology.accelerators))
            try:
                made = msccl_text(topology, name, algorithm, f"chunked:{chunks}")
                schedule = ALGORITHMS[algorithm](topology, pattern)
            except NotApplicable:
                continue
            except InfeasibleError as error:
                assert "switches" in str(error)
                continue
            read = read_algorithm(written(made.text))
            check_delivery(read)
            flows, left_out = eager(unroll(schedule, 1e6, chunks))
            ours = fluid_completion(topology, flows, routing=routing).makespan
            found = fluid_completion(topology, program(read, 1e6).flows(), routing=routing).makespan
            held_up = any("wait for another one that adds" in note for note in made.notes)
            assert found == pytest.approx(ours, rel=1e-9) or (held_up and found > ours), (algorithm, name)
            assert any("do not wait until their target is ready" in note for note in made.notes) == (left_out > 0)
            done += 1
    assert done >= (5 if chunks == 1 else 2)


def test_replay_of_a_written_file_is_our_fluid_answer(written):
    topology = fabric.build("rail:servers=2,gpus=2")
    path = written(msccl_text(topology, "all-reduce", "hierarchical").text)
    ours = fabric.simulate(topology, "all-reduce", "1MiB", algorithm="hierarchical", fidelity="fluid", overlap="phased")
    found = fabric.replay(topology, path, "1MiB")
    assert found.time_us == pytest.approx(ours.time_us, rel=1e-9)
    assert (found.collective, found.size_bytes, found.bound_time_us) == ("all-reduce", 2**20, ours.bound_time_us)


def test_real_algorithms_deliver(real):
    for name in ("ring-allreduce-8", "allgather-ndv4", "alltoall-8"):
        check_delivery(read_algorithm(real(f"msccl/{name}.xml")))


def test_real_ring_equals_our_ring_where_a_link_is_shared(real):
    """On a switch both of our ways share a link; on a ring of links theirs uses half of it."""
    path = real("msccl/ring-allreduce-8.xml")
    for spec in ("switch:n=8", "switch:n=8,rate_gbps=100,latency_ns=1000", "nvl72:gpus=8"):
        ours = fabric.simulate(spec, "all-reduce", "1MiB", algorithm="ring", fidelity="fluid")
        assert fabric.replay(spec, path, "1MiB").time_us == pytest.approx(ours.time_us, rel=1e-9)
    one_way = fabric.replay("ring:n=8,latency_ns=0", path, "1MiB").time_us
    assert one_way == pytest.approx(2 * 7 * 2**20 / 8 / 50e3)
    both = fabric.simulate("ring:n=8,latency_ns=0", "all-reduce", "1MiB", algorithm="ring", fidelity="fluid").time_us
    assert one_way == pytest.approx(2 * both)


def test_time_is_linear_in_size_but_for_latency(ring_text, written):
    path = written(ring_text)
    one, two = (fabric.replay("switch:n=3", path, size) for size in (2**20, 2**21))
    assert one.latency_us == pytest.approx(two.latency_us)
    assert two.time_us - two.latency_us == pytest.approx(2 * (one.time_us - one.latency_us))


def test_what_is_not_written():
    with pytest.raises(ConfigError, match="msccl has no collective permutation; it has all-reduce"):
        msccl_text(fabric.build("switch:n=4"), "permutation", "direct")
    with pytest.raises(NotApplicable, match="ring does"):
        msccl_text(fabric.build("switch:n=4"), "all-to-all", "ring")
    with pytest.raises(ConfigError, match="did you mean 'ring'"):
        msccl_text(fabric.build("switch:n=4"), "all-reduce", "rong")
    with pytest.raises(InfeasibleError, match="ring has 79,600 messages; at most 30,000"):
        msccl_text(fabric.build("switch:n=200"), "all-gather", "ring")


def test_long_thread_blocks_are_noted():
    made = msccl_text(fabric.build("ring:n=3"), "all-reduce", "ring", "chunked:65")  # 4 rounds
    assert made.notes == ("up to 260 steps in a thread block; MSCCL's interpreter takes 256",)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        # the sum is copied over, not added to; a rank's part comes twice; a chunk goes astray
        ('type="rrc"', 'type="r"', "ends as chunk"),
        ('type="s" srcbuf="i" srcoff="4"', 'type="s" srcbuf="i" srcoff="2"', "adds|ends as"),
        ('type="r" srcbuf="i" srcoff="0" dstbuf="i" dstoff="0"', 'type="r" srcbuf="i" srcoff="0" dstbuf="s" dstoff="0"',
         "ends as chunk 0 of rank"),
        ('type="s" srcbuf="i"', 'type="s" srcbuf="s"', "before it is written"),
    ],
)  # fmt: skip
def test_what_does_not_deliver(old, new, says, ring_text, written):
    assert old in ring_text
    with pytest.raises(ConfigError, match=says):
        check_delivery(read_algorithm(written(ring_text.replace(old, new, 1))))


def one_pair(first, second, collective="allreduce", chunks=1):
    """Two GPUs with a thread block each, which send to and receive from each other."""
    gpus = "".join(
        f'<gpu id="{g}" i_chunks="{chunks}" o_chunks="{chunks}" s_chunks="1"><tb id="0" send="{1 - g}" recv="{1 - g}" '
        f'chan="0">{"".join(STEP.format(i, *step) for i, step in enumerate(steps))}</tb></gpu>'
        for g, steps in enumerate((first, second))
    )
    return f'<algo name="x" ngpus="2" nchunksperloop="{chunks}" coll="{collective}" inplace="0">{gpus}</algo>'


NO = (-1, -1)
SEND, ADD = ("s", "i", 0, "i", 0, *NO), ("rrc", "i", 0, "o", 0, *NO)


def test_contributions_are_counted(written):
    check_delivery(read_algorithm(written(one_pair([SEND, ADD], [SEND, ADD]))))
    twice = [SEND, ADD, ("s", "i", 0, "i", 0, *NO), ("rrc", "o", 0, "o", 0, *NO)]
    with pytest.raises(ConfigError, match=r"all ranks .some more than once.; allreduce gives chunk 0 of all ranks"):
        check_delivery(read_algorithm(written(one_pair(twice, twice))))


def test_a_race_is_found(written):
    """Two thread blocks write a chunk in an order that nothing fixes; a dependency fixes it, if wrongly."""
    copy = '</tb><tb id="1" send="-1" recv="-1" chan="0">{}</tb></gpu>'

    def with_copy(after):
        step = STEP.format(0, "cpy", "i", 0, "o", 0, *after)
        return written(one_pair([SEND, ADD], [SEND, ADD]).replace("</tb></gpu>", copy.format(step), 1))

    with pytest.raises(ConfigError, match=r"races with line 1 .tb 1 step 0, cpy. for a chunk"):
        check_delivery(read_algorithm(with_copy(NO)))
    with pytest.raises(ConfigError, match="ends as chunk 0 of rank 0"):
        check_delivery(read_algorithm(with_copy((0, 1))))


def test_fused_steps(written):
    """Around three GPUs: the sum is made on the way, received and passed on in one step."""

    def gpu(number, *steps):
        told = "".join(STEP.format(i, *step) for i, step in enumerate(steps))
        tb = f'<tb id="0" send="{(number + 1) % 3}" recv="{(number + 2) % 3}" chan="0">{told}</tb>'
        return f'<gpu id="{number}" i_chunks="1" o_chunks="1" s_chunks="0">{tb}</gpu>'

    text = '<algo name="x" ngpus="3" nchunksperloop="1" coll="allreduce" inplace="0">' + "".join([
        gpu(0, ("s", "i", 0, "i", 0, *NO), ("rcs", "o", 0, "o", 0, *NO)),
        gpu(1, ("rrs", "i", 0, "i", 0, *NO), ("rcs", "o", 0, "o", 0, *NO)),
        gpu(2, ("rrcs", "i", 0, "o", 0, *NO), ("r", "o", 0, "o", 0, *NO)),
    ]) + "</algo>"  # fmt: skip
    path = written(text)
    check_delivery(read_algorithm(path))
    # five messages one after the other: 0 > 1 > 2 > 0 > 1 > 2
    assert fabric.replay("switch:n=3,latency_ns=500", path, 50_000).time_us == pytest.approx(5 * (1 + 1))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("<algo", "<algorithm", "the root is <algorithm>|not XML"),
        ('ngpus="3"', 'ngpus="4"', "gpu 3 of 4 is missing"),
        ('ngpus="3"', 'ngpus="2"', "id = '2' is not a whole number from 0 to 1|(send|recv) = '2'"),
        ('ngpus="3"', 'ngpus="99999999999999999999"', "is not a whole number from 1"),
        ('ngpus="3"', "", "has no ngpus"),
        ('coll="allreduce"', 'coll="custom"', "collective 'custom' is not one of"),
        ('nchunksperloop="6"', 'nchunksperloop="0"', "is not a whole number from 1"),
        ("</gpu>", '</gpu><gpu id="0" i_chunks="0" o_chunks="0" s_chunks="0"/>', "gpu 0 stands there twice"),
        ('<tb id="1"', '<tb id="0"', "tb 0 stands there twice in gpu 0"),
        ('chan="0"', 'chan="1"', "has no receive at rank|waits for itself|has no send"),
        ('send="1"', 'send="-1"', "type s in a thread block with send=-1"),
        ('s="1" type', 's="2" type', "step 2 in place 1"),
        ('type="rrc"', 'type="xyz"', "type 'xyz' is not one of s, rcs"),
        ('srcbuf="i"', 'srcbuf="q"', "srcbuf 'q' is not one of i, o, s"),
        ('cnt="1"', 'cnt="2"', "bytes to rank"),
        ('depid="-1" deps="-1"', 'depid="7" deps="0"', "waits for step 0 of tb 7, which is not there"),
        ('depid="-1" deps="-1"', 'depid="0" deps="3"', "waits for itself through what it waits for: a deadlock"),
        ("</algo>", "", "not XML"),
        ("</algo>", "</algo><more/>", "not XML"),
        ("<algo", '<!DOCTYPE a [<!ENTITY b "x"><!ENTITY c "&b;&b;&b;&b;">]><algo', "entities are not read"),
        ("<algo", '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><algo', "entities are not read"),
    ],
)  # fmt: skip
def test_wrong_algorithms(old, new, says, ring_text, written):
    assert old in ring_text
    with pytest.raises(ConfigError, match=says) as caught:
        read_schedule(written(ring_text.replace(old, new, 1)))
    assert "\n" not in str(caught.value) and "a.xml" in str(caught.value)


def test_a_missing_step_is_a_send_without_a_receive(ring_text, written):
    lines = ring_text.splitlines(keepends=True)
    last = max(i for i, line in enumerate(lines) if "<step" in line)
    with pytest.raises(ConfigError, match="has no receive at rank 2"):
        read_schedule(written("".join(lines[:last] + lines[last + 1 :])))


def test_two_thread_blocks_on_one_connection(written):
    text = one_pair([SEND, ADD], [SEND, ADD])
    block = '<tb id="1" send="1" recv="-1" chan="0">' + STEP.format(0, *SEND) + "</tb></gpu>"
    with pytest.raises(ConfigError, match="tb 0 and tb 1 of gpu 0 both send to gpu 1 on channel 0; one may"):
        read_schedule(written(text.replace("</gpu>", block, 1)))


def test_large_junk_is_refused_at_once(tmp_path):
    begun = time.process_time()
    for text, says in ((b"\x00", "at most 64 MiB"), (b"<algo>", "at most 64 MiB")):
        with (tmp_path / "a.xml").open("wb") as file:
            file.write(text)
            file.truncate(100 * 2**20)
        with pytest.raises(ConfigError, match=says):
            read_schedule(tmp_path / "a.xml")
    (tmp_path / "a.xml").write_bytes(b"<algo>" + b"<a/>" * 2**20)
    with pytest.raises(ConfigError, match="1,048,577 tags; at most 1,000,000"):
        read_schedule(tmp_path / "a.xml")
    (tmp_path / "a.xml").write_bytes(b"\x00" * 2**20)
    with pytest.raises(ConfigError, match="not XML"):
        read_schedule(tmp_path / "a.xml")
    assert time.process_time() - begun < 1


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_algorithms_raise_fabric_errors_only(data, ring_text, written):
    text = bytearray(one_pair([SEND, ADD], [SEND, ADD]).encode() if data.draw(st.booleans()) else ring_text.encode())
    if data.draw(st.booleans()):
        del text[data.draw(st.integers(0, len(text))) :]
    else:
        for _ in range(data.draw(st.integers(1, 3))):
            text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    path = written(bytes(text))
    try:
        fabric.replay("switch:n=3", path, 1000)
        check_delivery(read_algorithm(path))
    except FabricError as error:
        assert "\n" not in str(error)
