"""Types of the kernel that looks for cycles of waiting."""

import numpy as np
from numpy.typing import NDArray

def first_cycle(pred_ptr: NDArray[np.int64], pred: NDArray[np.int32]) -> int:
    """An item that waits for itself through its predecessors, or -1 if none does, O(items + predecessors).

    Parameters
    ----------
    pred_ptr, pred
        item f waits for pred[pred_ptr[f]:pred_ptr[f + 1]], shapes (F + 1) and (predecessors).

    Raises
    ------
    ValueError
        if an array has the wrong type, shape or range.
    """
