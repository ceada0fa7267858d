/*
 * Consumer migration: a group changes its protocol while it has members
 * (KIP-848, group.consumer.migration.policy).
 *
 * A classic group becomes a consumer group when the first member joins it by
 * the consumer protocol; its members go on with what they have, by the classic
 * protocol (consumer_classic.h).  A consumer group becomes a classic one when
 * the last member of the consumer protocol is gone.
 *
 * The shard's lock is held.
 */
#ifndef COORD_CONSUMER_MIGRATION_H
#define COORD_CONSUMER_MIGRATION_H

#include "coord/consumer_change.h"

/* --- Classic to consumer (consumer_upgrade.c) ----------------------------- */

/*
 * Emit the end of a classic group with members, and the consumer group that it
 * becomes: *consumer is that group as it will be, for the caller to free.
 *
 * GROUP_ID_NOT_FOUND where it must stay what it is, UNKNOWN_SERVER_ERROR where
 * its members have not agreed on a protocol, or share partitions; with a text
 * (static, or in arena) or a null one.  Whoever is parked in the group is told
 * to rejoin also then, unless it is the policy, the protocol's type or the size
 * that keeps it, as Kafka does it.
 */
enum kp_error consumer_upgrade(struct group *group, struct arena *arena,
    struct consumer_group **consumer, struct slice *message) WARN_UNUSED;

/* --- Consumer to classic (consumer_downgrade.c) --------------------------- */

/* Does the group become a classic one when these members go? */
bool consumer_downgrades(const struct consumer_group *consumer,
    struct consumer_member *const *leaving, int32_t count);

/* And when a member of the classic protocol takes the static member's place? */
bool consumer_downgrades_for(const struct consumer_group *consumer,
    const struct consumer_member *replaced);

/* How it comes that it does. */
struct consumer_downgrade {
	struct consumer_member *const *leaving;
	int32_t leaving_count;
	const struct consumer_member *replaced; /* NULL: nobody */
	const struct consumer_member *joining;  /* in its place */
	bool rebalances;
};

/*
 * Emit the end of the change's group and the classic group that it becomes,
 * which has the last epoch as its generation, and append them behind what was
 * emitted.  The change's group is gone then; its draft as well.
 */
enum kp_error consumer_downgrade(struct consumer_change *change,
    const struct consumer_downgrade *how) WARN_UNUSED;

#endif
