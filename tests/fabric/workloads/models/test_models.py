"""Models: parameters against what their publishers count, caches against arithmetic, files of one's own."""

import json

import pytest

from fabric.workloads.models.hugging_face import read_config
from fabric.workloads.models.model import Model
from fabric.workloads.models.zoo import made, model, models
from topologies.errors import ConfigError

# parameters that checkpoints on Hugging Face have (their safetensors' totals)
EXACT = {
    "llama-2-7b": 6_738_415_616, "llama-2-13b": 13_015_864_320, "llama-2-70b": 68_976_648_192,
    "llama-3-8b": 8_030_261_248, "llama-3.1-70b": 70_553_706_496, "llama-3.1-405b": 405_853_388_800,
    "mixtral-8x7b": 46_702_792_704, "qwen2-7b": 7_615_616_512, "qwen3-30b-a3b": 30_532_122_624,
}  # fmt: skip
# billions in all and active, as published, to their digits
PUBLISHED = {
    "gpt3-175b": (175, 175), "megatron-22b": (22, 22), "megatron-530b": (530, 530), "megatron-1t": (1008, 1008),
    "bloom-176b": (176.2, 176.2), "deepseek-v3": (671, 37),
    "gpt-oss-120b": (116.83, 5.13), "gpt-oss-20b": (20.91, 3.61),
    "qwen3-235b-a22b": (235, 22), "kimi-k2": (1026, 32), "llama-4-maverick": (400, 17), "mixtral-8x22b": (141, 39),
    "nemotron-3-nano": (31.6, 3.2), "nemotron-3-super": (120.6, 12.2), "qwen3.5-397b-a17b": (397, 17),
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_parameters_are_those_of_the_checkpoint(name: str) -> None:
    assert model(name).params == EXACT[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_agree_with_what_is_published(name: str) -> None:
    total, active = PUBLISHED[name]
    assert model(name).params / 1e9 == pytest.approx(total, rel=0.005)
    found = model(name)
    between = (found.multiplied_params / 1e9, found.active_params / 1e9)  # publishers count the table of tokens or not
    assert between[0] * 0.98 <= active <= between[1] * 1.02


@pytest.mark.parametrize(
    ("name", "bytes_per_token"),
    [("llama-2-70b", 327_680), ("llama-3.1-405b", 516_096), ("mixtral-8x7b", 131_072), ("gpt3-175b", 4_718_592),
     ("deepseek-r1", 70_272)],
)  # fmt: skip
def test_cache_of_a_token_is_exact(name: str, bytes_per_token: int) -> None:
    assert model(name).kv_bytes_per_token("bf16") == bytes_per_token
    assert model(name).kv_bytes_per_token("fp8") == bytes_per_token / 2
    assert model(name).kv_bytes(1000) == 1000 * bytes_per_token


def test_windowed_layers_stop_growing() -> None:
    oss = model("gpt-oss-120b")
    layer = 2 * 8 * 64 * 2
    assert oss.kv_bytes(100) == 36 * layer * 100
    assert oss.kv_bytes(1000) == 18 * layer * 1000 + 18 * layer * 128


def test_operations_of_a_token_are_those_of_megatron() -> None:
    """Korthikanti et al., appendix A: 72 B s l h^2 (1 + s/6h + V/12lh) without recomputation, for a step."""
    found = model("megatron-530b")
    s, layers, h, v = 2048, 105, 20480, 51200
    theirs = 72 * s * layers * h**2 * (1 + s / (6 * h) + v / (12 * layers * h))
    assert found.train_flops(s, causal=False) * s == pytest.approx(theirs, rel=1e-3)


def test_weights_by_precision() -> None:
    found = model("deepseek-v3")
    assert found.weight_bytes("bf16") == 2 * found.params
    mixed = found.routed_params * 0.5625 + found.dense_params * 1.0
    assert found.weight_bytes("nvfp4", dense="fp8") == mixed


def test_every_row_has_a_source_and_one_name() -> None:
    rows = models()
    assert all(row.source for row in rows.values())
    names = [name for row in rows.values() for name in (row.name, *row.aliases)]
    assert len({name.lower() for name in names}) == len(set(names))
    assert all(model(name.upper()) for name in names)


def test_a_config_json_gives_the_row(tmp_path) -> None:  # type: ignore[no-untyped-def]
    keys = {
        "architectures": ["MixtralForCausalLM"], "hidden_size": 4096, "intermediate_size": 14336,
        "max_position_embeddings": 32768, "num_attention_heads": 32, "num_experts_per_tok": 2, "num_hidden_layers": 32,
        "num_key_value_heads": 8, "num_local_experts": 8, "sliding_window": None, "tie_word_embeddings": False,
        "vocab_size": 32000,
    }  # fmt: skip
    path = tmp_path / "config.json"
    path.write_text(json.dumps(keys))
    assert read_config(path).params == model("mixtral-8x7b").params
    path.write_text(json.dumps({**keys, "architectures": ["MixtralForCausalLLM"]}))
    with pytest.raises(ConfigError, match="did you mean 'MixtralForCausalLM'"):
        model(path)
    path.write_text("[1")
    with pytest.raises(ConfigError, match=r"not a config\.json"):
        model(path)
    path.write_text(json.dumps({key: value for key, value in keys.items() if key != "hidden_size"}))
    with pytest.raises(ConfigError, match="no hidden_size"):
        model(path)


def test_a_model_of_ones_own_as_toml(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "mine.toml"
    path.write_text("layers = 2\nhidden = 64\nheads = 4\nffn = 128\nvocab = 100\nsequence = 32\n")
    assert (model(path).name, model(path).params) == ("mine", 95_040)
    path.write_text("layers = 2\nhidden = 64\nheads = 4\nfnn = 128\nvocab = 100\nsequence = 32\n")
    with pytest.raises(ConfigError, match="did you mean 'ffn'"):
        model(path)


@pytest.mark.parametrize(
    ("changed", "why"),
    [({"heads": 5}, "do not divide hidden"), ({"kv_heads": 3}, "do not divide 4 heads"), ({"ffn": 0}, "without ffn"),
     ({"layers": -1}, "not a whole number"), ({"layers": 0}, "are 1 or more"), ({"hidden": 64.5}, "not a whole number"),
     ({"moe_layers": 2}, "give all three"), ({"window_layers": 1}, "without a window"),
     ({"linear_layers": 3}, "more window, linear"), ({"vocab": "100"}, "not a whole number")],
)  # fmt: skip
def test_what_is_no_model_says_so(changed: dict[str, object], why: str) -> None:
    row = {"layers": 2, "hidden": 64, "heads": 4, "ffn": 128, "vocab": 100, "sequence": 32}
    with pytest.raises(ConfigError, match=why):
        made({**row, **changed}, "mine", "here")


def test_a_wrong_name_gets_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'llama-3\.1-405b'"):
        model("llama-3.1-406b")
    assert isinstance(model("DeepSeekV3"), Model)
