"""Flows: what is sent from which rank to which, when, and after what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cext import first_cycle
from topologies.errors import ConfigError, unknown

KEYS = ("source", "target", "bytes", "release", "duration", "pred_ptr", "pred", "processor")


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """F flows between ranks, and what they wait for.

    `source`, `target` int32[F] are ranks; `bytes` float64[F]. A flow is released `release` float64[F] seconds after
    its last predecessor has finished (after time 0 without any); its predecessors are flows
    pred[pred_ptr[f]:pred_ptr[f + 1]], int32 and int64[F + 1]. A computation is a flow from a rank to itself without
    bytes, and takes `duration` float64[F] seconds; a flow with bytes has none. Computations with one `processor`
    int32[F], a number below F, run one after the other as they are ready; -1 and None: with no other.
    """

    source: NDArray[np.int32]
    target: NDArray[np.int32]
    bytes: NDArray[np.float64]
    release: NDArray[np.float64]
    duration: NDArray[np.float64]
    pred_ptr: NDArray[np.int64]
    pred: NDArray[np.int32]
    processor: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.source)

    @classmethod
    def of(cls, flows: "Flows | Mapping[str, ArrayLike] | NDArray[Any]", ranks: int) -> "Flows":
        """Flows from a mapping or a structured array with `source`, `target`, `bytes` and any of the other fields.

        ConfigError says which flow is wrong: a rank that is not one of 0 to ranks - 1, an amount that is negative,
        infinite or nan, bytes to oneself, predecessors that wait for each other.

        >>> Flows.of({"source": [0, 1], "target": [1, 0], "bytes": 1e6, "pred_ptr": [0, 0, 1], "pred": [0]}, 2).pred
        array([0], dtype=int32)
        """
        given = _fields(flows)
        missing = [key for key in KEYS[:3] if key not in given]
        if missing:
            raise ConfigError(f"flows have no {' and no '.join(missing)}; give source, target and bytes")
        n = max((np.size(given[key]) for key in KEYS[:5] if key in given), default=0)
        if n >= np.iinfo(np.int32).max:
            raise ConfigError(f"{n:,} flows are too many; give fewer than 2^31")
        made = cls(
            _integers("source", given["source"], n, np.int32),
            _integers("target", given["target"], n, np.int32),
            _amounts("bytes", given["bytes"], n),
            _amounts("release", given.get("release", 0.0), n),
            _amounts("duration", given.get("duration", 0.0), n),
            _integers("pred_ptr", given.get("pred_ptr", 0), n + 1, np.int64),
            _integers("pred", given.get("pred", []), None, np.int32),
            None if given.get("processor") is None else _integers("processor", given["processor"], n, np.int32),
        )
        _check(made, ranks)
        return made


def _fields(flows: "Flows | Mapping[str, ArrayLike] | NDArray[Any]") -> dict[str, Any]:
    if isinstance(flows, Flows):
        return {key: getattr(flows, key) for key in KEYS}
    if isinstance(flows, np.ndarray):
        if flows.dtype.names is None:
            raise ConfigError("flows are an array without fields; give a structured array or a mapping")
        flows = {name: flows[name] for name in flows.dtype.names}
    for name in flows:
        if name not in KEYS:
            raise ConfigError(unknown("field of flows", str(name), KEYS))
    return dict(flows)


def _column(name: str, values: Any, n: int | None) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ConfigError(f"flows: {name} is no list of numbers: {error}") from None
    if array.ndim == 0 and n is not None:
        array = np.full(n, array)
    if array.ndim != 1 or (n is not None and len(array) != n):
        raise ConfigError(f"flows: {name} has shape {array.shape}; {n} values are needed, one a flow")
    if array.size and array.dtype.kind not in "iuf":
        raise ConfigError(f"flows: {name} holds {array.dtype}, not numbers")
    return array


def _integers(name: str, values: Any, n: int | None, dtype: Any) -> NDArray[Any]:
    array = _column(name, values, n)
    whole = array.astype(dtype)
    wrong = np.flatnonzero(whole != array)
    if wrong.size:
        raise ConfigError(f"flows: {name} of {wrong[0]} is {array[wrong[0]]}; give a whole number")
    return np.ascontiguousarray(whole)


def _amounts(name: str, values: Any, n: int) -> NDArray[np.float64]:
    array = np.ascontiguousarray(_column(name, values, n), dtype=np.float64)
    wrong = np.flatnonzero(~(np.isfinite(array) & (array >= 0)))
    if wrong.size:
        raise ConfigError(f"flows: {name} of flow {wrong[0]} is {array[wrong[0]]}; give a number of zero or more")
    return array


def _first(wrong: NDArray[np.bool_]) -> int | None:
    return int(np.argmax(wrong)) if wrong.any() else None


def _check(flows: Flows, ranks: int) -> None:
    for name, array in (("source", flows.source), ("target", flows.target)):
        f = _first((array < 0) | (array >= ranks))
        if f is not None:
            raise ConfigError(f"flows: {name} of flow {f} is {array[f]}; ranks are 0 to {ranks - 1}")
    own = flows.source == flows.target
    f = _first(own & (flows.bytes > 0))
    if f is not None:
        raise ConfigError(
            f"flows: flow {f} sends {flows.bytes[f]:g} bytes from rank {flows.source[f]} to itself; leave it out, or "
            "give a duration without bytes"
        )
    f = _first(~own & (flows.duration > 0))
    if f is not None:
        raise ConfigError(f"flows: flow {f} has a duration and another target; a computation stays on its rank")
    ptr, pred, n = flows.pred_ptr, flows.pred, len(flows)
    f = None if flows.processor is None else _first((flows.processor < -1) | (flows.processor >= n))
    if f is not None and flows.processor is not None:
        raise ConfigError(f"flows: processor of flow {f} is {flows.processor[f]}; give -1, or 0 to {n - 1}")
    if ptr[0] != 0 or ptr[-1] != len(pred) or (np.diff(ptr) < 0).any():
        raise ConfigError(f"flows: pred_ptr must climb from 0 to {len(pred)}, the number of predecessors")
    place = _first((pred < 0) | (pred >= n))
    if place is not None:
        raise ConfigError(f"flows: predecessor {pred[place]} is no flow; flows are 0 to {n - 1}")
    f = int(first_cycle(ptr, pred))
    if f >= 0:
        raise ConfigError(f"flows: flow {f} waits for itself through its predecessors; break the cycle")
