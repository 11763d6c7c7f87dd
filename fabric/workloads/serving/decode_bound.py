"""What a network alone allows a decode with spread experts: the time of its dispatches and combines at line rate."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DecodeBound:
    """Seconds of both exchanges of one layer and of all layers, and tokens a second of a user at that pace."""

    layer_s: float
    step_s: float
    tokens_per_s: float


def decode_bound(
    layers: int, hidden: int, copies: int, tokens: int, link_bytes_per_s: float, *, dispatch_bytes: float = 1.0,
    combine_bytes: float = 2.0, micro_batches: int = 2,
) -> DecodeBound:  # fmt: skip
    """The bound of a device with `tokens` tokens a micro-batch, each copied to `copies` experts, shared ones counted.

    With two micro-batches one computes while the other exchanges, so that a layer takes twice its exchange.
    Source: Zhao et al., 'Insights into DeepSeek-V3', arXiv:2505.09343, section 2.3.2 (which takes 7K as 7,000).

    >>> bound = decode_bound(61, 7000, 9, 32, 50e9)
    >>> round(bound.layer_s * 1e6, 2), round(bound.step_s * 1e3, 2), int(bound.tokens_per_s)
    (120.96, 14.76, 67)
    """
    layer_s = (dispatch_bytes + combine_bytes) * tokens * copies * hidden / link_bytes_per_s
    step_s = micro_batches * layer_s * layers
    return DecodeBound(layer_s, step_s, 1 / step_s)
