"""config.json of many families against the rows of models.toml, whose shapes come from other sources."""

import json
from typing import Any

import pytest

from fabric.workloads.models.hugging_face import configured, read_config
from fabric.workloads.models.zoo import model
from topologies.errors import ConfigError


def plain(layers: int, hidden: int, heads: int, vocab: int, sequence: int, ffn: int, kv: int = 0) -> dict[str, Any]:
    """Keys as most families write them."""
    shapes = {
        "num_hidden_layers": layers, "hidden_size": hidden, "num_attention_heads": heads, "vocab_size": vocab,
        "max_position_embeddings": sequence, "intermediate_size": ffn,
    }  # fmt: skip
    return shapes | ({"num_key_value_heads": kv} if kv else {})


GEMMA_3 = {
    "architectures": ["Gemma3ForConditionalGeneration"], "vision_config": {"hidden_size": 1152},
    "text_config": {  # 4B: heads, vocabulary and context are the class's defaults
        "model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34,
        "sliding_window": 1024,
    },
}  # fmt: skip
SEEN = [
    ("gpt2-xl", "GPT2LMHeadModel", {"n_layer": 48, "n_embd": 1600, "n_head": 25, "vocab_size": 50257, "n_ctx": 1024,
                                    "n_positions": 1024, "n_inner": None}),
    ("falcon-7b", "FalconForCausalLM", {"num_hidden_layers": 32, "hidden_size": 4544, "num_attention_heads": 71,
                                        "multi_query": True, "new_decoder_architecture": False, "vocab_size": 65024}),
    ("falcon-40b", "FalconForCausalLM", {"num_hidden_layers": 60, "hidden_size": 8192, "num_attention_heads": 128,
                                         "num_kv_heads": 8, "multi_query": True, "new_decoder_architecture": True,
                                         "vocab_size": 65024}),
    ("starcoder-15b", "GPTBigCodeForCausalLM", {"n_layer": 40, "n_embd": 6144, "n_head": 48, "n_inner": 24576,
                                                "n_positions": 8192, "multi_query": True, "vocab_size": 49152}),
    ("bloom-176b", "BloomForCausalLM", {"n_layer": 70, "n_embed": 14336, "num_attention_heads": 112,
                                        "vocab_size": 250880}),
    ("gpt-neox-20b", "GPTNeoXForCausalLM", {**plain(44, 6144, 64, 50432, 2048, 24576), "tie_word_embeddings": False}),
    ("opt-13b", "OPTForCausalLM", {"num_hidden_layers": 40, "hidden_size": 5120, "num_attention_heads": 40,
                                   "ffn_dim": 20480, "max_position_embeddings": 2048, "vocab_size": 50272}),
    ("mpt-7b", "MPTForCausalLM", {"n_layers": 32, "d_model": 4096, "n_heads": 32, "max_seq_len": 2048,
                                  "vocab_size": 50432, "attn_config": {"alibi": True}}),
    ("dbrx-132b", "DbrxForCausalLM", {"n_layers": 40, "d_model": 6144, "n_heads": 48, "max_seq_len": 32768,
                                      "vocab_size": 100352, "attn_config": {"kv_n_heads": 8},
                                      "ffn_config": {"ffn_hidden_size": 10752, "moe_num_experts": 16, "moe_top_k": 4}}),
    ("gemma-7b", "GemmaForCausalLM", {**plain(28, 3072, 16, 256000, 8192, 24576, 16), "head_dim": 256}),
    ("gemma-2-27b", "Gemma2ForCausalLM", {**plain(46, 4608, 32, 256000, 8192, 36864, 16), "head_dim": 128,
                                          "sliding_window": 4096}),
    ("phi-2", "PhiForCausalLM", {**plain(32, 2560, 32, 51200, 2048, 10240), "num_key_value_heads": None}),
    ("phi-3-mini", "Phi3ForCausalLM", {**plain(32, 3072, 32, 32064, 4096, 8192, 32), "sliding_window": 262144}),
    ("phi-3.5-moe", "PhiMoEForCausalLM", {**plain(32, 4096, 32, 32064, 131072, 6400, 8), "num_local_experts": 16,
                                          "num_experts_per_tok": 2, "sliding_window": 131072}),
    ("command-r-35b", "CohereForCausalLM", plain(40, 8192, 64, 256000, 131072, 22528, 64)),
    ("olmo-2-13b", "Olmo2ForCausalLM", plain(40, 5120, 40, 100352, 4096, 13824)),
    ("nemotron-4-15b", "NemotronForCausalLM", plain(32, 6144, 48, 256000, 4096, 24576, 8)),
    ("glm-4.5-air", "Glm4MoeForCausalLM", {**plain(46, 4096, 96, 151552, 131072, 10944, 8), "head_dim": 128,
                                           "attention_bias": True, "first_k_dense_replace": 1, "n_routed_experts": 128,
                                           "n_shared_experts": 1, "num_experts_per_tok": 8,
                                           "moe_intermediate_size": 1408}),
    ("qwen2-57b-a14b", "Qwen2MoeForCausalLM", {**plain(28, 3584, 28, 151936, 32768, 18944, 4), "num_experts": 64,
                                               "num_experts_per_tok": 8, "moe_intermediate_size": 2560,
                                               "shared_expert_intermediate_size": 20480, "decoder_sparse_step": 1,
                                               "mlp_only_layers": [], "sliding_window": 65536}),
    ("qwen3-next-80b-a3b", "Qwen3NextForCausalLM", {**plain(48, 2048, 16, 151936, 262144, 5120, 2), "head_dim": 256,
                                                    "full_attention_interval": 4, "linear_num_value_heads": 32,
                                                    "linear_value_head_dim": 128, "linear_num_key_heads": 16,
                                                    "linear_key_head_dim": 128, "num_experts": 512,
                                                    "num_experts_per_tok": 10, "moe_intermediate_size": 512,
                                                    "shared_expert_intermediate_size": 512}),
    ("mistral-small-24b", "Mistral3ForConditionalGeneration", {
        "text_config": {"model_type": "mistral", "head_dim": 128, **plain(40, 5120, 32, 131072, 32768, 32768, 8)}}),
    ("gemma-3-4b", None, GEMMA_3),
    ("llama-3.2-11b-vision", "MllamaForConditionalGeneration", {
        "text_config": {"model_type": "mllama_text_model", **plain(40, 4096, 32, 128256, 131072, 14336, 8)}}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "architecture", "keys"), SEEN, ids=[name for name, *_ in SEEN])
def test_a_config_gives_the_models_shapes(name: str, architecture: str | None, keys: dict[str, Any]) -> None:
    document = keys if architecture is None else {**keys, "architectures": [architecture]}
    found, row = configured(document, name, "config.json"), model(name)
    assert found.params == pytest.approx(row.params, rel=1e-3)  # extra norms and biases
    assert found.multiplied_params == pytest.approx(row.multiplied_params, rel=1e-3)
    assert found.kv_bytes(32768) == row.kv_bytes(32768)
    assert found.sequence == row.sequence


def test_windows_that_all_layers_have() -> None:
    """Mistral 7B v0.1 keeps 4,096 tokens in every layer."""
    keys = {"architectures": ["MistralForCausalLM"], **plain(32, 4096, 32, 32000, 32768, 14336, 8)}
    found = configured({**keys, "sliding_window": 4096}, "mistral", "config.json")
    assert (found.window_layers, found.kv_bytes(32768)) == (32, found.kv_bytes(4096))
    assert configured({**keys, "sliding_window": None}, "mistral", "config.json").window_layers == 0


def test_a_type_stands_for_an_architecture(tmp_path) -> None:  # type: ignore[no-untyped-def]
    folder = tmp_path / "my-model"
    folder.mkdir()
    path = folder / "config.json"
    path.write_text(json.dumps({"model_type": "llama", **plain(2, 64, 4, 100, 32, 128)}))
    assert (read_config(path).params, read_config(path).name) == (95_040, "my-model")


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"architectures": ["BertModel"]}, "no architecture is named 'BertModel'; write the shapes as TOML"),
        ({"architectures": None}, "neither architectures nor a model_type"),
        ({"hidden_size": True}, "hidden = True of model"),
        ({"hidden_size": 64.5}, "hidden = 64.5 of model"),
        ({"hidden_size": 10**30}, "is not a whole number from 0 to"),
        ({"hidden_size": "64"}, "hidden = '64' of model"),
        ({"intermediate_size": None}, r"config\.json: model 'config.*' 2 dense layers without ffn|without ffn"),
        ({"vocab_size": None}, "no vocab_size"),
        ({"num_attention_heads": 5}, "5 heads do not divide hidden"),
        ({"architectures": 7}, "a key holds what it does not hold elsewhere"),
        ({"text_config": 7}, "a key holds what it does not hold elsewhere"),
    ],
)
def test_what_is_no_model_says_where_and_why(tmp_path, changed, why) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"architectures": ["LlamaForCausalLM"], **plain(2, 64, 4, 100, 32, 128), **changed}))
    with pytest.raises(ConfigError, match=why) as said:
        read_config(path)
    assert str(said.value).startswith(str(path))


def test_a_decoder_that_is_not_known_is_read_as_a_llama_and_says_so() -> None:
    """Experts in all layers but the first, by a list: two matrices and a gate of 4096 x 2048 each."""
    keys = {**plain(4, 4096, 32, 32000, 32768, 14336, 8), "moe_intermediate_size": 2048, "num_experts": 16}
    keys |= {"num_experts_per_tok": 2, "moe_layer_freq": [0, 1, 1, 1], "architectures": ["NobodysForCausalLM"]}
    found = configured(keys, "mine", "by hand")
    assert found.note.startswith("architecture NobodysForCausalLM is not known")
    assert (found.moe_layers, found.plain_layers, found.routed_params) == (3, 1, 3 * 16 * 3 * 4096 * 2048)
    with pytest.raises(ConfigError, match="no architecture is named 'NobodysModel'"):
        configured({**keys, "architectures": ["NobodysModel"]}, "mine", "by hand")
