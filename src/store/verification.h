/*
 * Verifications: producers whose next transactional batch has to bring a guard
 * (KIP-890; VerificationStateEntry, VerificationGuard of Kafka).
 *
 * Before the first batch of a transaction is appended the coordinator is
 * asked whether the partition belongs to it, without the log's lock.  What
 * the question was about may be over when the answer comes, so it is asked
 * with a guard, which is good until a transaction begins or ends.
 *
 * An entry also keeps the lowest sequence that was seen: one that is above it
 * came out of order, however its question was answered.
 *
 * Not thread-safe: guarded by the log's lock.
 */
#ifndef STORE_VERIFICATION_H
#define STORE_VERIFICATION_H

#include "base/base.h"

/* No guard: no entry has it. */
#define VERIFICATION_NONE 0

/* Beyond so many entries the oldest one gives way. */
#define VERIFICATIONS_MAX 4096

struct verification {
	int64_t producer_id;
	int64_t timestamp_ms;	/* when it was made */
	uint64_t guard;
	int32_t lowest_sequence;
	int16_t producer_epoch;
	bool supports_epoch_bump; /* each transaction has a new epoch */
};

struct verifications {
	struct verification *entries; /* owned; no order */
	size_t count;
	size_t capacity;
	uint64_t last_guard;
};

/* What a batch that asks says. */
struct verification_start {
	int64_t producer_id;
	int64_t now_ms;
	int32_t base_sequence;	/* -1: it has none */
	int16_t producer_epoch;
	bool supports_epoch_bump;
};

void verification_all_init(struct verifications *all);
void verification_all_fini(struct verifications *all);

/* The producer's guard; its entry is made where there is none. */
uint64_t verification_begin(
    struct verifications *all, const struct verification_start *start);

/* The producer's entry, or NULL. */
const struct verification *verification_find(
    const struct verifications *all, int64_t producer_id);

/* A transaction of the producer has begun or ended. */
void verification_end(struct verifications *all, int64_t producer_id);

/* Drop entries that were made expiration_ms or more ago. */
void verification_all_expire(
    struct verifications *all, int64_t now_ms, int64_t expiration_ms);

#endif
