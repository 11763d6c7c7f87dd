"""Layers of a step: by hand, against the closed form of a pipeline, and the real workload of 9,216 ranks."""

from itertools import accumulate

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fabric
from fabric.schedules import read_schedule
from topologies.errors import FabricError
from topologies.registry import build

HEAD = "HYBRID_TRANSFORMER_FWD_IN_BCKWD model_parallel_NPU_group: {tp} ep: {ep} pp: {pp} vpp: {vpp} ga: {ga}"
ONE = {"tp": 1, "ep": 1, "pp": 1, "vpp": 1, "ga": 1}
MS, US = 10**6, 1000  # nanoseconds
NONE = ("NONE", 0)
FOUR = build("switch:n=4,rate_gbps=400,latency_ns=0")


def row(name="layer", forward=(0, *NONE), inputs=(0, *NONE), weights=(0, *NONE), update=0):
    return "\t".join(map(str, (name, -1, *forward, *inputs, *weights, update)))


@pytest.fixture
def step(tmp_path):
    """A recorded step of given rows."""

    def write(*rows, ranks=4, pp_comm=0, **sizes):
        head = f"{HEAD.format(**ONE | sizes)} all_gpus: {ranks} checkpoints: 0 checkpoint_initiates: 0"
        head += f" pp_comm {pp_comm}" if pp_comm else ""
        (tmp_path / "step.txt").write_text("\n".join([head, str(len(rows)), *rows]) + "\n")
        return read_schedule(tmp_path / "step.txt")

    return write


def ms(seconds):
    return pytest.approx(seconds / 1e3, rel=1e-9)


def test_a_layer_by_hand(step):
    """Forward 2 ms, an all-reduce of pairs: 50 MB at 50 GB/s, 1 ms; back 3 + 1 ms; weights 4 ms, all-reduce of dp."""
    reduce = ("ALLREDUCE", 50_000_000)
    found = fabric.trace(FOUR, step(row("a", (2 * MS, *reduce), (3 * MS, *reduce), (4 * MS, *reduce)), tp=2))
    assert found.makespan_s == ms(2 + 1 + 3 + 1 + 4 + 1)
    assert found.critical_parts == {"compute": ms(9), "bandwidth": ms(3), "latency": 0.0, "waiting": 0.0}
    assert {kind: mean for kind, (mean, _) in found.exposed.items()} == {"TP all-reduce": ms(2), "DP all-reduce": ms(1)}
    assert [(p.exchanged.group, p.groups, p.ranks, p.times) for p in found.prices] == [
        ("TP", 2, 2, 2), ("DP", 2, 2, 1)
    ]  # fmt: skip


def test_gradients_of_weights_hide_behind_what_follows(step):
    """The second layer's 2 ms go beside 5 ms of the first; then the first's 1 ms behind its own gradients."""
    rows = (
        row("a", inputs=(5 * MS, *NONE), weights=(0, "ALLREDUCE", 50_000_000)),
        row("b", weights=(1 * MS, "ALLREDUCE", 100_000_000)),
    )
    found = fabric.trace(FOUR, step(*rows, tp=2))
    assert found.makespan_s == ms(1 + 5 + 1) and found.exposed["DP all-reduce"][0] == ms(1)
    assert found.times.communication[0] == ms(3)


def test_the_update_follows_the_gradients(step):
    found = fabric.trace(FOUR, step(row(weights=(0, "ALLREDUCE_DP_EP", 50_000_000), update=7 * US), tp=2))
    assert found.makespan_s == ms(1.007)


@pytest.mark.parametrize(("pp", "ga", "vpp"), [(1, 4, 1), (2, 4, 1), (4, 8, 1), (4, 8, 2), (4, 4, 4)])
def test_a_pipeline_has_the_bubble_of_1f1b(step, pp, ga, vpp):
    """m (F + B) + (p - 1)/v (F + B): Narayanan et al., SC 2021, section 2.2."""
    rows = [row("a", (2 * MS, *NONE), (3 * MS, *NONE), (1 * MS, *NONE)), row("b", (1 * MS, *NONE))] * ga
    found = fabric.trace(FOUR, step(*rows, pp=pp, ga=ga, vpp=vpp))
    assert found.makespan_s == ms((ga + (pp - 1) / vpp) * 7)
    assert found.critical_parts["compute"] == ms((ga + (pp - 1) / vpp) * 7)
    assert found.times.compute == pytest.approx([7e-3 * ga] * pp)
    assert found.times.idle == pytest.approx([7e-3 * (pp - 1) / vpp] * pp)


def test_sends_between_stages(step):
    """1 ms a send: waited for twice a micro-batch where chunks are not interleaved, else hidden but for the ends."""
    rows = [row("a", (2 * MS, *NONE), (4 * MS, *NONE))] * 2
    whole = fabric.trace(FOUR, step(*rows, pp=2, ga=2, pp_comm=50_000_000))
    assert whole.makespan_s == ms(2 * (6 + 2) + (6 + 2))
    assert whole.exposed["PP send-recv"][0] == ms(4)
    chunks = fabric.trace(FOUR, step(*rows, pp=2, ga=2, vpp=2, pp_comm=50_000_000))
    assert chunks.makespan_s == ms(2 * 6 + (6 / 2 + 2))
    assert chunks.exposed["PP send-recv"][0] == 0


def test_rows_that_not_every_microbatch_has_are_no_part_of_the_bubble(step):
    rows = [row("once", (100 * MS, *NONE)), *[row("a", (2 * MS, *NONE))] * 2]
    assert fabric.trace(FOUR, step(*rows, pp=4, ga=2)).makespan_s == ms(100 + 4 + 3 * 2)


def test_groups_of_one_rank_cost_nothing(step):
    found = fabric.trace(FOUR, step(row(forward=(MS, "ALLREDUCE", 10**9), inputs=(0, "ALLTOALL_EP", 10**9))))
    assert found.makespan_s == ms(1) and not found.prices


@pytest.mark.parametrize("group", ["tp", "ep", "ep,dp", "dp"])
def test_prices_are_those_of_simulate(step, group):
    """Each kind of group with all of its groups at once, under the transport."""
    spec, size = build("rail:servers=4"), 64 * 2**20
    kind = {"tp": "ALLREDUCE", "ep": "ALLREDUCE_EP", "ep,dp": "ALLREDUCE", "dp": "ALLREDUCE_DP_EP"}[group]
    where = "weights" if group == "ep,dp" else "forward"
    found = fabric.trace(spec, step(row(**{where: (0, kind, size)}), tp=2, ep=4, ranks=32))
    asked = fabric.simulate(spec, "all-reduce", size, group="tp=2,ep=4,dp=4", over=group)
    assert found.makespan_s == pytest.approx(asked.time_us * 1e-6, rel=1e-12)
    assert found.prices[0].outcome.latency_s == pytest.approx(asked.latency_us * 1e-6, rel=1e-12)


def test_what_binds_is_of_the_collective_that_takes_most(step):
    """Twice 64 MiB over TP, in the server; 1 GiB over DP, between servers: the longest is the last."""
    spec, mib = build("rail:servers=4"), 2**20
    inside = (0, "ALLREDUCE", 64 * mib)
    made = step(row(forward=inside, inputs=inside, weights=(0, "ALLREDUCE", 1024 * mib)), tp=8, ranks=32)
    found = fabric.trace(spec, made, algorithm="ring")
    asked = fabric.simulate(spec, "all-reduce", 1024 * mib, group="tp=8,dp=4", over="dp", algorithm="ring")
    assert found.bottleneck == {**asked.bottleneck, "during": "DP all-reduce"}
    assert fabric.trace(FOUR, step(row(forward=(MS, *NONE)))).bottleneck is None


def test_on_links_that_cost_no_time_there_is_the_pipeline_alone(step):
    """2 stages, 2 micro-batches of 3 + 6 ms: 27 ms, whatever is exchanged; computation scales."""
    reduce = ("ALLREDUCE", 50_000_000)
    made = step(*[row("a", (3 * MS, *reduce), (6 * MS, *reduce))] * 2, tp=2, pp=2, ga=2)
    found = fabric.trace(FOUR, made)
    assert found.floor_s == ms(27) and found.makespan_s > 0.0271
    half = fabric.trace(FOUR, made, compute_scale="0.5")
    assert half.floor_s == ms(13.5) and half.times.compute[0] == ms(9)


def test_fluid_where_it_is_asked(step):
    made = step(row(forward=(0, "ALLREDUCE", 50_000_000)), tp=2)
    found = fabric.trace(FOUR, made, fidelity="fluid")
    assert found.fidelity == "fluid" and found.makespan_s == ms(1)


@settings(max_examples=15, deadline=None)
@given(
    times=st.lists(st.tuples(*[st.integers(0, 9)] * 3), min_size=1, max_size=4), pp=st.sampled_from([1, 2]),
    ga=st.integers(1, 3), vpp=st.integers(1, 2), sizes=st.lists(st.integers(0, 9), min_size=4, max_size=4),
)  # fmt: skip
def test_path_sums_and_bandwidth_never_hurts(tmp_path_factory, times, pp, ga, vpp, sizes):
    size = [s * 5_000_000 for s in sizes]
    rows = [
        row(f"l{i}", (a * MS, "ALLREDUCE", size[0]), (b * MS, "ALLGATHER", size[1]), (c * MS, "ALLREDUCE", size[2]))
        for i, (a, b, c) in enumerate(times)
    ] * ga
    rows[0] = rows[0].replace("\t0\tALLREDUCE", "\t1\tALLREDUCE", 1)
    head = f"{HEAD.format(tp=2, ep=1, pp=pp, vpp=vpp, ga=ga)} all_gpus: 8 pp_comm {size[3]}"
    path = tmp_path_factory.mktemp("step") / "step.txt"
    path.write_text("\n".join([head, str(len(rows)), *rows]))
    made = read_schedule(path)
    spans = []
    for rate in (400, 800):
        found = fabric.trace(EIGHT[rate], made, algorithm="direct", threads=1)
        timeline, chain = found.timeline, found.path
        assert sum(found.critical_parts.values()) == pytest.approx(found.makespan_s, rel=1e-9)
        assert timeline.ready[chain[1:]] == pytest.approx(timeline.finish[chain[:-1]], rel=1e-9, abs=1e-15)
        assert timeline.parts.sum(axis=1) == pytest.approx(timeline.finish - timeline.ready, rel=1e-9, abs=1e-12)
        spans.append(found.makespan_s)
    assert spans[1] <= spans[0] * (1 + 1e-12)


EIGHT = {rate: build(f"switch:n=8,rate_gbps={rate}") for rate in (400, 800)}


def test_the_real_workload_of_9216_ranks(real):
    """What it computes is the sum of its columns; 24 micro-batches on 12 stages of 8 chunks: 11/8 of one is bubble.

    Here tp = 2 and ep = 16 lie in 768 ranks of a stage; a rank sends 23/24 of 38.65 GB of expert gradients at 50 GB/s,
    0.741 s, and gathers 19.33 GB in half of that.
    """
    path = real("simai/workload_analytical.txt")
    columns = np.array([line.split("\t") for line in path.read_text().splitlines()[2:]])
    passes = columns[:, [2, 5, 8]].astype(float).sum(axis=1) * 1e-9
    updates = 100e-9 * np.count_nonzero(columns[:, 9] != "NONE")
    found = fabric.trace("switch:n=9216,rate_gbps=400", path, algorithm="direct")
    assert (found.ranks, found.timeline.counts.tolist()) == (9216, [768] * 12)
    assert found.mean(found.times.compute) == pytest.approx(passes.sum() + updates, rel=1e-9)
    each = [p for p in found.prices if p.exchanged.group == "DP_EP"]
    assert {p.exchanged.collective: round(p.outcome.time_s, 3) for p in each} == {
        "reduce-scatter": 0.741, "all-gather": 0.370
    }  # fmt: skip
    assert [p.times for p in found.prices if p.exchanged.group == "PP"] == [2 * 24 * 8]
    steps = list(accumulate(segment["end_us"] - segment["start_us"] for segment in found.segments()))
    assert steps[-1] == pytest.approx(found.makespan_s * 1e6, rel=1e-9)


def test_the_real_workload_takes_what_simai_adds_up(real):
    """With our collectives at the sum of its analytical mode (Layer.cc): computation, collectives of inputs and weights
    with nothing hidden, and (p - 1)/(m v) of all but embedding and weights. Ours hides 30 ms behind the gradients that
    are computed last, and counts sends in the bubble."""
    path = real("simai/workload_analytical.txt")
    layers, found = read_schedule(path).layers, fabric.trace("switch:n=9216,rate_gbps=400", path, algorithm="direct")
    price = {p.exchanged: p.outcome.time_s for p in found.prices} | {None: 0.0}
    each = [
        (
            sum(one.seconds for one in (row.forward, row.input_gradient, row.weight_gradient))
            + sum(price.get(one.exchanged, 0.0) for one in (row.forward, row.input_gradient)),
            price[row.weight_gradient.exchanged], row.name != "embedding_layer",
        )
        for row in layers.rows
    ]  # fmt: skip
    bubble = sum(own for own, _, counts in each if counts) * 11 / (24 * 8)
    assert found.makespan_s == pytest.approx(sum(own + late for own, late, _ in each) + bubble, rel=1e-3)


@pytest.mark.parametrize(
    ("sizes", "says"),
    [({"ranks": 8}, "has 8 ranks"), ({"ranks": 4, "tp": 3}, "does not divide"), ({"vpp": 0}, "vpp: 0 is not from 1")],
)
def test_sizes_that_do_not_fit(step, sizes, says):
    with pytest.raises(FabricError, match=says):
        fabric.trace(FOUR, step(row(forward=(MS, *NONE)), **sizes))
