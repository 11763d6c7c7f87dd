"""Names of models as checkpoints and benchmarks write them."""

import pytest

from fabric.workloads.models.model_names import plain, spellings, stated_precision
from fabric.workloads.models.zoo import model, models
from topologies.errors import ConfigError

WRITTEN = {
    "meta-llama/Llama-3.3-70B-Instruct": "llama-3.1-70b",
    "Llama v3.1 405B": "llama-3.1-405b",
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": "nemotron-3-nano",
    "Qwen/Qwen3-235B-A22B-Instruct-2507-FP8": "qwen3-235b-a22b",
    "DeepSeek-R1-Distill-Qwen-32B": "qwen2.5-32b",
    "DeepSeek R1 0528": "deepseek-v3",
    "meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8": "llama-4-maverick",
    "mistralai/Mistral-7B-Instruct-v0.3": "mistral-7b",
    "llama2-70b-interactive-99.9": "llama-2-70b",
    "llama3_1-8b": "llama-3.1-8b",
    "amd/Llama-2-70b-chat-hf-WMXFP4FP8-AMXFP4FP8-AMP-KVFP8": "llama-2-70b",
    "Qwen2.5-7B-Instruct-GPTQ-Int4": "qwen2-7b",
    "GPT-3 (175B)": "gpt3-175b",
    "DeepSeekV3 (w/o MTP)": "deepseek-v3",
    "Qwen3_30B_a3B (tokendrop)": "qwen3-30b-a3b",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_checkpoint_finds_its_shapes(name: str) -> None:
    assert model(name).name == WRITTEN[name]


def test_no_two_models_share_a_spelling() -> None:
    own = [spelled for row in models().values() for spelled in {plain(n) for n in (row.name, row.title, *row.aliases)}]
    assert len(own) == len(set(own))


def test_words_that_tell_shapes_are_kept() -> None:
    for name in ("Llama-2-71B", "Mixtral-8x8B-Instruct", "Qwen3-235B-A23B", "Instruct"):
        with pytest.raises(ConfigError, match="no model is named"):
            model(name)
    assert list(spellings("")) == []


def test_a_name_states_its_precision() -> None:
    names = ("a/B-NVFP4", "B-Instruct-FP8-KV", "B-w4a16", "B")
    assert [stated_precision(name) for name in names] == ["nvfp4", "fp8", "int4", None]


# Billions of parameters, all and active, as publishers state them: shapes that were recalled must add up to them.
PUBLISHED = {
    "opt-66b": (66, 66), "palm-540b": (540, 540), "falcon-40b": (41.8, 41.8), "llama-65b": (65.2, 65.2),
    "llama-3.2-3b": (3.21, 3.21), "mistral-large-123b": (123, 123), "codestral-22b": (22.2, 22.2),
    "qwen2.5-32b": (32.8, 32.8), "qwen2-57b-a14b": (57.4, 14.2), "qwen3-next-80b-a3b": (80, 3.9),
    "deepseek-v2": (236, 21), "deepseek-v2-lite": (15.7, 2.6), "deepseek-v4-flash": (284, 13),
    "deepseek-v4-pro": (1600, 49),
    "glm-4.5": (355, 32), "glm-4.5-air": (106, 12), "minimax-text-01": (456, 45.9), "mimo-v2-flash": (309, 15),
    "gemma-2-27b": (27.2, 27.2), "gemma-3-27b": (27, 27), "phi-4": (14.7, 14.7), "command-r-plus-104b": (104, 104),
    "yi-34b": (34.4, 34.4), "dbrx-132b": (132, 36), "grok-1": (314, 86), "arctic-480b": (480, 17),
    "ernie-4.5-300b-a47b": (300, 47), "hunyuan-a13b": (80, 13), "nemotron-nano-9b-v2": (8.9, 8.9),
    "nemotron-super-49b": (49.9, 49.9), "inkling": (975, 41), "inkling-small": (276, 12), "moonlight-16b-a3b": (16, 3),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_shapes_add_up_to_what_is_published(name: str) -> None:
    row, (params, active) = model(name), PUBLISHED[name]
    assert (row.params / 1e9, row.active_params / 1e9) == pytest.approx((params, active), rel=0.13)
    assert row.params / 1e9 == pytest.approx(params, rel=0.05)
