#include "base/rng.h"

#include <sys/random.h>

static uint64_t
rotate_left(uint64_t v, int bits)
{
	return (v << bits) | (v >> (64 - bits));
}

/* splitmix64 spreads one seed over the state, which must not be all zero. */
void
rng_init(struct rng *rng, uint64_t seed)
{
	for (size_t i = 0; i < COUNT_OF(rng->state); i++) {
		uint64_t z = (seed += 0x9e3779b97f4a7c15u);

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
		rng->state[i] = z ^ (z >> 31);
	}
}

void
rng_init_random(struct rng *rng)
{
	ssize_t n = getrandom(rng->state, sizeof(rng->state), 0);

	assert(n == (ssize_t)sizeof(rng->state));
}

uint64_t
rng_next(struct rng *rng)
{
	uint64_t *s = rng->state;
	uint64_t result = rotate_left(s[1] * 5, 7) * 9;
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotate_left(s[3], 45);
	return result;
}

uint64_t
rng_below(struct rng *rng, uint64_t bound)
{
	uint64_t threshold, r;

	assert(bound > 0);
	threshold = -bound % bound;	/* drop the uneven rest */
	do
		r = rng_next(rng);
	while (r < threshold);
	return r % bound;
}

void
rng_bytes(struct rng *rng, void *data, size_t len)
{
	uint8_t *p = data;

	while (len > 0) {
		uint64_t r = rng_next(rng);
		size_t n = MIN(len, sizeof(r));

		memcpy(p, &r, n);
		p += n;
		len -= n;
	}
}
