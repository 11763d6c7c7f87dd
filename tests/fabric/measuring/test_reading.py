"""Files of measurements: columns, spellings, units, and what is no row."""

import pytest

from fabric.measuring.reading import collective_of, read_measured, read_rows
from topologies.errors import ConfigError

HEAD = "system,gpus,nodes,collective,size_bytes,time_us,algbw_GBps,busbw_GBps,kind,notes\n"


def only(line):
    rows, skipped = read_rows(HEAD + line)
    return rows[0] if rows else skipped[0]


@pytest.mark.parametrize(
    ("spelt", "ours"),
    [
        ("alltoall", "all-to-all"), ("all_to_all", "all-to-all"), ("all-to-all", "all-to-all"),
        ("alltoall_perf", "all-to-all"), ("all_to_all_single", "all-to-all"), ("a2a", "all-to-all"),
        ("AllReduce", "all-reduce"), ("all_reduce_perf", "all-reduce"), ("ncclAllReduce", "all-reduce"),
        ("hccl_all_reduce_test", "all-reduce"), ("psum", "all-reduce"), ("ALLREDUCE", "all-reduce"),
        ("ncclAllGather", "all-gather"), ("all_gather_into_tensor", "all-gather"), ("rccl-AllGather", "all-gather"),
        ("reduce_scatter_perf", "reduce-scatter"), ("ReduceScatter", "reduce-scatter"),
        ("reduce_scatter_tensor", "reduce-scatter"), ("bcast", "broadcast"), ("broadcast_perf", "broadcast"),
        ("reduce_perf", "reduce"), ("sendrecv", "send-recv"), ("sendrecv_perf", "send-recv"),
        ("alltoallv", None), ("gather", None), ("scatter_perf", None), ("", None), ("p2p", None), ("perf", None),
    ],
)  # fmt: skip
def test_names_of_collectives(spelt, ours):
    assert collective_of(spelt) == ours


def test_time_comes_from_the_column_then_from_the_bandwidths():
    assert only("H100,8,1,all_reduce,8000000,5,1,1,log,").measured_us(8) == 5
    assert only("H100,8,1,all_reduce,8000000,,4,1,log,").measured_us(8) == 2000
    assert only("H100,8,1,all_reduce,8000000,,,7,log,").measured_us(8) == 2000  # 8 MB x 1.75 / 7 GB/s
    assert only("H100,8,1,all_gather,8000000,,,7,log,").measured_us(8) == 1000  # 8 MB x 0.875 / 7 GB/s


def test_bandwidths_in_powers_of_two_are_put_right():
    row = only(f"Ascend,8,1,all_reduce,{2**30},,1,,log,algbw is GiB/s")
    assert row.measured_us(8) == pytest.approx(1e6)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("H100,8,1,all_reduce,8,,,1,slide,", "kind slide"),
        ("H100,8,1,all_reduce,8,,,1,threshold,", "kind threshold"),
        ("H100,8,1,all_reduce,8,,,0.49,log,", "too coarsely"),
        ("H100,8,1,all_reduce,8,,,,log,", "no bandwidth"),
        ("H100,8,1,all_reduce,8,-1,nan,inf,log,", "no bandwidth"),
        ("H100,8,1,all_reduce,much,1,,,log,", "no size"),
        ("H100,8,1,all_reduce,0,1,,,log,", "no size"),
        ("H100,8.5,1,all_reduce,8,1,,,log,", "gpus '8.5'"),
        ("H100,8,one,all_reduce,8,1,,,log,", "nodes 'one'"),
        ("H100,8,1,alltoallv,8,1,,,log,", "alltoallv"),
    ],
)
def test_rows_that_are_none_say_why(line, why):
    assert why in only(line).reason


def test_sizes_with_units_and_every_kind_but_two():
    assert only("H100,8,1,all_reduce,1 MiB,1,,,bench,").size_bytes == 1 << 20
    assert only("H100,8,1,all_reduce,1e6,1,,,,").size_bytes == 10**6
    assert only("H100,8,1,all_reduce,64K,1,,,,").size_bytes == 65536


def test_order_of_columns_and_more_columns_are_free():
    rows, _ = read_rows("colour,TIME_US,Collective, size_bytes ,system\nred,7,allgather,64,H100\n\n")
    assert (rows[0].time_us, rows[0].ranks, rows[0].size_bytes) == (7, None, 64)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no column system"),
        ("system,collective\n", "size_bytes, time_us or algbw_GBps or busbw_GBps"),
        ("system,collective,size_bytes,time_us\n", "no rows"),
    ],
)
def test_files_that_are_none_say_why_in_a_line(text, why):
    with pytest.raises(ConfigError, match=why) as error:
        read_rows(text)
    assert "\n" not in str(error.value)


def test_the_shipped_subset_is_small_and_has_its_sources():
    rows, skipped = read_measured()
    assert 200 < len(rows) < 500 and not skipped
    assert {row.collective for row in rows} == {
        "all-reduce", "all-gather", "reduce-scatter", "all-to-all", "broadcast", "reduce",
    }  # fmt: skip
    text = read_measured.__globals__["SHIPPED"].read_text()
    assert all("github:" in line or "http" in line for line in text.splitlines()[1:])
