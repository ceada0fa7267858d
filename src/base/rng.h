/*
 * Random numbers: a small seeded generator (xoshiro256**), so that a test's
 * seed reproduces its run, and seeds from the system for real use.  Not for
 * secrets: those come from OpenSSL's RAND_bytes.
 */
#ifndef BASE_RNG_H
#define BASE_RNG_H

#include "base/base.h"

struct rng {
	uint64_t state[4];
};

void rng_init(struct rng *rng, uint64_t seed);
void rng_init_random(struct rng *rng);

uint64_t rng_next(struct rng *rng);
/* Evenly in [0, bound); bound is above 0. */
uint64_t rng_below(struct rng *rng, uint64_t bound);
void rng_bytes(struct rng *rng, void *data, size_t len);

#endif
