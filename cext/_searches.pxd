"""Shortest paths under positive lengths, from eight sources at once."""

from libc.math cimport INFINITY

from cext._types cimport flag_t, index_t, offset_t, value_t


cdef extern from *:
    """
    #include <stdint.h>

    #define LANES 8
    #if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
    #define WIDEST __attribute__((target_clones("avx512f", "avx2", "default")))
    #else
    #define WIDEST
    #endif

    /* Settle the distances of LANES searches at once; only nodes that forward pass anything on. Up and down the nodes
       in turn, so that a path needs a sweep for each turn of its labels and not for each hop. */
    WIDEST static void relax(
        int64_t nodes, const int64_t *indptr, const int32_t *heads, const double *length, const uint8_t *forwards,
        double *dist, uint8_t *dirty)
    {
        int again = 1, down = 0;
        while (again) {
            again = 0;
            for (int64_t step = 0; step < nodes; step++) {
                int64_t u = down ? nodes - 1 - step : step;
                if (!dirty[u])
                    continue;
                dirty[u] = 0;
                if (!forwards[u])
                    continue;
                double here[LANES];
                for (int i = 0; i < LANES; i++)
                    here[i] = dist[u * LANES + i];
                for (int64_t a = indptr[u]; a < indptr[u + 1]; a++) {
                    double *there = dist + (int64_t) heads[a] * LANES;
                    int64_t nearer = 0;
                    for (int i = 0; i < LANES; i++) {
                        double by = here[i] + length[a];
                        nearer |= -(int64_t) (by < there[i]);
                        there[i] = by < there[i] ? by : there[i];
                    }
                    if (nearer) {
                        dirty[heads[a]] = 1;
                        again |= down ? heads[a] > u : heads[a] < u;
                    }
                }
            }
            down = !down;
        }
    }
    """
    enum:
        LANES
    void relax(
        offset_t nodes, const offset_t *indptr, const index_t *heads, const value_t *length, const flag_t *forwards,
        value_t *dist, flag_t *dirty,
    ) noexcept nogil


cdef inline index_t trace(index_t source, index_t target, index_t lane, const offset_t[::1] indptr,
                          const index_t[::1] heads, const index_t[::1] twin, const flag_t[::1] forwards,
                          const value_t[::1] length, const value_t[:, ::1] dist, index_t[::1] path) noexcept nogil:
    """Write the arcs of a shortest path, last arc first; return how many, -1 if they do not fit."""
    cdef index_t v = target, u, hops = 0
    cdef offset_t a
    while v != source:
        if hops == path.shape[0]:
            return -1
        for a in range(indptr[v], indptr[v + 1]):
            u = heads[a]
            if (forwards[u] or u == source) and dist[u, lane] + length[twin[a]] == dist[v, lane]:
                path[hops] = twin[a]
                hops += 1
                v = u
                break
        else:
            return -1
    return hops


cdef inline void search_lanes(offset_t first, offset_t last, const index_t[::1] sources,
                              const offset_t[::1] source_ptr, const offset_t[::1] members, const index_t[::1] target,
                              const offset_t[::1] indptr, const index_t[::1] heads, const index_t[::1] twin,
                              const flag_t[::1] forwards, const value_t[::1] length, const value_t[::1] beat,
                              value_t[:, ::1] dist, flag_t[::1] dirty, value_t[::1] nearest, index_t[:, ::1] found,
                              index_t[::1] found_hops) noexcept nogil:
    """Distances of all pairs of up to LANES sources, and the path of each pair that is shorter than beat."""
    cdef offset_t V = indptr.shape[0] - 1, a, j, i
    cdef index_t lane, s
    dist[:, :] = INFINITY
    for lane in range(last - first):
        s = sources[first + lane]
        dist[s, lane] = 0
        for a in range(indptr[s], indptr[s + 1]):
            dist[heads[a], lane] = min(dist[heads[a], lane], length[a])
            dirty[heads[a]] = 1
    relax(V, &indptr[0], &heads[0], &length[0], &forwards[0], &dist[0, 0], &dirty[0])
    for lane in range(last - first):
        s = sources[first + lane]
        for j in range(source_ptr[first + lane], source_ptr[first + lane + 1]):
            i = members[j]
            nearest[i] = dist[target[i], lane]
            found_hops[i] = 0
            if nearest[i] < beat[i]:
                found_hops[i] = trace(s, target[i], lane, indptr, heads, twin, forwards, length, dist, found[i])
