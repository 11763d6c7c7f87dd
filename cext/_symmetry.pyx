"""Automorphisms that are checked, never believed, and the orbits of what passes."""

import numpy as np

from cext import _checks

from cext._types cimport index_t, offset_t


cdef enum:
    MOVED = 0      # the permutation is an automorphism
    REFUSED = 1    # it is none
    PARALLEL = 2   # a row names a head twice: arcs have no image of their own


cdef int _map_row(
    index_t v,
    const offset_t[::1] indptr,
    const index_t[::1] heads,
    const index_t[::1] arc_colour,
    const index_t[::1] permutation,
    offset_t[::1] arc_to,
    index_t[::1] image,
) noexcept nogil:
    """Write the image of every arc of v, an arc of the node that v goes to; arc_to[u] is that node's arc to u."""
    cdef offset_t first = indptr[permutation[v]], last = indptr[permutation[v] + 1], a, b
    cdef index_t u
    if last - first != indptr[v + 1] - indptr[v]:
        return REFUSED
    for b in range(first, last):
        u = heads[b]
        a = arc_to[u]
        if first <= a < b and heads[a] == u:
            return PARALLEL
        arc_to[u] = b
    for a in range(indptr[v], indptr[v + 1]):
        u = permutation[heads[a]]
        b = arc_to[u]
        if b < first or b >= last or heads[b] != u or arc_colour[b] != arc_colour[a]:
            return REFUSED
        image[a] = <index_t> b
    return MOVED


def verify_automorphism(
    const offset_t[::1] indptr,
    const index_t[::1] heads,
    const index_t[::1] arc_colour,
    const index_t[::1] node_colour,
    const index_t[::1] permutation,
):
    """The image of every arc, int32[A], if the permutation of nodes is an automorphism that keeps colours, else None.

    See ``_symmetry.pyi``. Raises ValueError for a malformed array.

    >>> import numpy as np                              # a triangle: it turns, and turns no more with a node painted
    >>> i = np.int32
    >>> triangle = np.array([0, 2, 4, 6]), np.array([1, 2, 0, 2, 0, 1], i), np.zeros(6, i)
    >>> verify_automorphism(*triangle, np.zeros(3, i), np.array([1, 2, 0], i))
    array([3, 2, 5, 4, 0, 1], dtype=int32)
    >>> verify_automorphism(*triangle, np.array([1, 0, 0], i), np.array([1, 2, 0], i)) is None
    True
    """
    cdef offset_t V = indptr.shape[0] - 1, A = heads.shape[0]
    _checks.check_graph(np.asarray(indptr), np.asarray(heads))
    _checks.check_length(A, arc_colour=arc_colour)
    _checks.check_length(V, node_colour=node_colour, permutation=permutation)
    cdef index_t[::1] image = np.empty(A, np.int32)
    cdef index_t[::1] origin = np.full(V, -1, np.int32)
    cdef offset_t[::1] arc_to = np.full(V, -1, np.int64)
    cdef index_t v, w
    cdef int answer = MOVED
    with nogil:
        for v in range(V):
            w = permutation[v]
            if w < 0 or w >= V or origin[w] >= 0 or node_colour[w] != node_colour[v]:
                answer = REFUSED
                break
            origin[w] = v
        if answer == MOVED:
            for v in range(V):
                answer = _map_row(v, indptr, heads, arc_colour, permutation, arc_to, image)
                if answer != MOVED:
                    break
    if answer == PARALLEL:
        raise ValueError("a row of the graph names a head twice; merge parallel arcs into one with a colour of its own")
    return np.asarray(image) if answer == MOVED else None


cdef inline index_t _root(index_t[::1] parent, index_t item) noexcept nogil:
    """The lowest item known to share an orbit with this one; halves the path on the way."""
    while parent[item] != item:
        parent[item] = parent[parent[item]]
        item = parent[item]
    return item


def orbits(images, offset_t items):
    """Label of each item, int32[items], the same for items that the maps of ``images`` join: 0, 1, ... by lowest item.

    See ``_symmetry.pyi``. Raises ValueError for a malformed array.

    >>> import numpy as np                              # a turn of 0 1 2 and a swap of 3 and 5
    >>> orbits([np.array([1, 2, 0, 3, 4, 5], np.int32), np.array([0, 1, 2, 5, 4, 3], np.int32)], 6)
    array([0, 0, 0, 1, 2, 1], dtype=int32)
    """
    if items < 0 or items > np.iinfo(np.int32).max:
        raise ValueError(f"items must be 0 to 2^31 - 1, got {items}")
    cdef index_t[::1] parent = np.arange(items, dtype=np.int32)
    cdef index_t[::1] label = np.empty(items, np.int32)
    cdef const index_t[::1] image
    cdef index_t i, a, b, labels = 0
    for mapped in images:
        image = mapped
        _checks.check_length(items, image=image)
        _checks.check_range("image", np.asarray(image), items)
        with nogil:
            for i in range(items):
                a = parent[i]
                b = parent[image[i]]
                if a == b:
                    continue
                a = _root(parent, a)
                b = _root(parent, b)
                if a < b:
                    parent[b] = a
                elif b < a:
                    parent[a] = b
    with nogil:
        for i in range(items):
            if parent[i] == i:
                label[i] = labels
                labels += 1
            else:
                label[i] = label[_root(parent, i)]
    return np.asarray(label)
