"""Workloads of SimAI: what a row says, and one line for what cannot be read."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fabric
from fabric.schedules import read_schedule
from fabric.schedules.simai import Exchanged
from topologies.errors import ConfigError, FabricError

HEAD = "HYBRID_TRANSFORMER_FWD_IN_BCKWD model_parallel_NPU_group: 2 ep: 2 pp: 1 vpp: 1 ga: 1 all_gpus: 8"
ROW = "mlp\t-1\t1500\tALLGATHER\t64\t2500\tALLTOALL_EP\t32\t500\tREDUCESCATTER_DP_EP\t16\t100"
WHOLE = f"{HEAD} checkpoints: 0 checkpoint_initiates: 0\n2\n{ROW}\n{ROW.replace('ALLGATHER', 'NONE')}\n"


@pytest.fixture
def read(tmp_path):
    def write(text):
        (tmp_path / "w.txt").write_text(text)
        return read_schedule(tmp_path / "w.txt")

    return write


def test_a_row(read):
    layers = read(WHOLE).layers
    assert (layers.ranks, layers.data, layers.numbering) == (8, 4, {"tp": 2, "ep": 2, "dp": 2, "pp": 1})
    first, second = layers.rows
    assert first.forward.seconds == pytest.approx(1.5e-6) and first.update_s == pytest.approx(1e-7)
    assert first.forward.exchanged == Exchanged("all-gather", "TP", 64) and second.forward.exchanged is None
    assert first.input_gradient.exchanged == Exchanged("all-to-all", "EP", 32)
    assert first.weight_gradient.exchanged == Exchanged("reduce-scatter", "DP_EP", 16)
    assert [layers.size(group) for group in ("TP", "EP", "DP", "DP_EP", "PP")] == [2, 2, 4, 2, 1]


def test_the_real_workload(real):
    layers = read_schedule(real("simai/workload_analytical.txt")).layers
    assert (layers.ranks, layers.tensor, layers.experts, layers.stages, layers.chunks) == (9216, 2, 16, 12, 8)
    assert (len(layers.rows), layers.data, layers.stage_bytes) == (1789, 384, 50331648)
    assert sum(layers.repeats()) == 24 * (2 + 8 * 9)  # embedding, final column, and 8 layers of 9 rows


def test_it_is_not_run_flow_by_flow(read):
    with pytest.raises(ConfigError, match="use aifabric trace"):
        read(WHOLE).program(1.0)
    with pytest.raises(ConfigError, match="has layers, not messages"):
        fabric.replay("switch:n=8", read(WHOLE))


WRONG = {
    "empty": ("", "is empty"),
    "no workload": ("hello\n1\n", "is none of HYBRID_TRANSFORMER_FWD_IN_BCKWD"),
    "a strange key": (WHOLE.replace("vpp", "vvp"), "did you mean 'vpp'"),
    "no number": (WHOLE.replace("ep: 2", "ep: two"), "ep: 'two' is not a whole number"),
    "no ranks": (WHOLE.replace("all_gpus: 8 ", ""), "no all_gpus"),
    "a key twice": (WHOLE.replace("vpp: 1", "vpp: 1 vpp: 2"), "vpp stands there twice"),
    "recomputation": (WHOLE.replace("checkpoints: 0", "checkpoints: 1 5"), "recomputation is not read"),
    "too few rows": (WHOLE.replace("\n2\n", "\n3\n"), "2 layers follow, line 2 says 3"),
    "no count": (WHOLE.replace("\n2\n", "\nx\n"), "line 2: 'x'"),
    "a column too few": (WHOLE.replace("\t100", "", 1), "line 3: 11 columns, not 12"),
    "a negative time": (WHOLE.replace("1500", "-1500", 1), "line 3: time '-1500'"),
    "a strange collective": (WHOLE.replace("ALLGATHER", "GATHER", 1), "collective 'GATHER' is none of"),
    "a strange ending": (WHOLE.replace("ALLTOALL_EP", "ALLTOALL_CP", 1), "with _EP or _DP_EP"),
    "groups that do not divide": (WHOLE.replace("pp: 1", "pp: 3", 1), "does not divide all_gpus 8"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files(name, read):
    text, says = WRONG[name]
    with pytest.raises(ConfigError, match=says) as caught:
        read(text)
    assert "w.txt" in str(caught.value) and "\n" not in str(caught.value)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_raise_fabric_errors_only(data, read):
    """Cut off anywhere, or with a character changed."""
    at = data.draw(st.integers(0, len(WHOLE) - 1))
    if data.draw(st.booleans()):
        text = WHOLE[:at]
    else:
        text = WHOLE[:at] + data.draw(st.characters(codec="utf-8", exclude_characters="\r")) + WHOLE[at + 1 :]
    try:
        assert read(text).layers.rows
    except FabricError as error:
        assert "\n" not in str(error)
