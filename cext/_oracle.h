/* Shortest paths from 16 sources at once, a lane each, in whole numbers.

   Lengths and distances are int32, so that sums are exact, no length is absorbed, and every machine finds the same
   trees. The graph is read backwards: a slot a of node v is the arc heads[a] -> v. */

#ifndef AIFABRIC_ORACLE_H
#define AIFABRIC_ORACLE_H

#include <stdint.h>

#define LANES 16
#define FAR 0x3fffffff /* no path yet; FAR + a length fits int32 */

#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDE
#endif

typedef int32_t lanes_t __attribute__((vector_size(4 * LANES), aligned(4)));

/* Lower one node over its slots; say whether any lane fell. */
static inline __attribute__((always_inline)) int lower(
    const int64_t *indptr, const int32_t *heads, const int32_t *length, int64_t v, lanes_t *dist)
{
    lanes_t best = dist[v];
    for (int64_t a = indptr[v]; a < indptr[v + 1]; a++) {
        lanes_t through = dist[heads[a]] + length[a];
        lanes_t nearer = through < best;
        best = (through & nearer) | (best & ~nearer);
    }
    lanes_t change = best ^ dist[v];
    dist[v] = best;
    int32_t fell = 0;
    for (int i = 0; i < LANES; i++)
        fell |= change[i];
    return fell;
}

/* Bellman-Ford sweeps, there and back, over nodes with a neighbour that fell, until none falls.

   dist holds 0 at each lane's source and FAR elsewhere; dirty flags the nodes to look at first. A node that does not
   forward keeps what it holds, so that no path crosses it. Returns the number of sweeps. */
WIDE static int relax(int64_t nodes, const int64_t *indptr, const int32_t *heads, const int32_t *length,
                      const uint8_t *forwards, lanes_t *dist, uint8_t *dirty)
{
    int sweeps = 0, left = 1;
    while (left) {
        left = 0;
        for (int64_t i = 0; i < nodes; i++) {
            int64_t v = sweeps & 1 ? nodes - 1 - i : i;
            if (!dirty[v])
                continue;
            dirty[v] = 0;
            if (!forwards[v] || !lower(indptr, heads, length, v, dist))
                continue;
            for (int64_t a = indptr[v]; a < indptr[v + 1]; a++)
                dirty[heads[a]] = 1;
            left = 1;
        }
        sweeps++;
    }
    return sweeps;
}

/* Write the distance of every node, those that do not forward too, and the slot that its path comes in by. */
WIDE static void settle(int64_t nodes, const int64_t *indptr, const int32_t *heads, const int32_t *length,
                        const lanes_t *dist, lanes_t *reach, lanes_t *into)
{
    for (int64_t v = 0; v < nodes; v++) {
        lanes_t best = {0}, slot = {0};
        best += FAR;
        slot -= 1;
        for (int64_t a = indptr[v]; a < indptr[v + 1]; a++) {
            lanes_t through = dist[heads[a]] + length[a];
            lanes_t nearer = through < best;
            best = (through & nearer) | (best & ~nearer);
            slot = ((int32_t)a & nearer) | (slot & ~nearer);
        }
        reach[v] = best;
        into[v] = slot;
    }
}

/* exp(x) for x <= 0 to 1e-9, the same bits on every machine; below -700 it stays at exp(-700). */
static inline double decay(double x)
{
    const double shift = 6755399441055744.0; /* 1.5 * 2^52: its low bits hold the rounded whole number */
    union {
        double real;
        int64_t bits;
    } whole, power;
    double t = (x < -700.0 ? -700.0 : x) * 1.4426950408889634;
    whole.real = t + shift;
    double r = (t - (whole.real - shift)) * 0.6931471805599453;
    power.real = 1.0 + r * (1.0 + r * (1.0 / 2 + r * (1.0 / 6 + r * (1.0 / 24 + r * (1.0 / 120 + r * (1.0 / 720
                 + r * (1.0 / 5040)))))));
    power.bits += whole.bits << 52;
    return power.real;
}

/* price = exp(sharpness (use + step change - top)); sums of price, price change, price change^2 and price use. */
WIDE static void weigh(int64_t arcs, const double *use, const double *change, double step, double sharpness, double top,
                       double *price, double *sums)
{
    double part[4][8] = {{0}};
    int64_t a = 0;
    for (; a + 8 <= arcs; a += 8)
        for (int i = 0; i < 8; i++) {
            double p = decay(sharpness * (use[a + i] + step * change[a + i] - top));
            price[a + i] = p;
            part[0][i] += p;
            part[1][i] += p * change[a + i];
            part[2][i] += p * change[a + i] * change[a + i];
            part[3][i] += p * use[a + i];
        }
    for (int i = 0; a < arcs; a++, i++) {
        double p = decay(sharpness * (use[a] + step * change[a] - top));
        price[a] = p;
        part[0][i] += p;
        part[1][i] += p * change[a];
        part[2][i] += p * change[a] * change[a];
        part[3][i] += p * use[a];
    }
    for (int k = 0; k < 4; k++) {
        sums[k] = 0;
        for (int i = 0; i < 8; i++)
            sums[k] += part[k][i];
    }
}

#endif
