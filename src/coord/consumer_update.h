/*
 * Consumer update: a member of a consumer group joins or is heard of, by
 * either protocol.  It says something of itself, the group gets a new epoch and
 * a new target where that calls for them, and the member makes its next step.
 *
 *	consumer_update_begin(&update, shard, consumer, group_id);
 *	consumer_update_known(&update, member);	or new, or replaced
 *	... change update.draft ...
 *	consumer_update_describe(&update);
 *	consumer_change_target(&update.change);
 *	error = consumer_update_reconcile(&update);
 *	error = consumer_change_append(&update.change);
 *	consumer_update_end(&update);
 *
 * The shard's lock is held throughout.
 */
#ifndef COORD_CONSUMER_UPDATE_H
#define COORD_CONSUMER_UPDATE_H

#include "coord/consumer_change.h"

struct consumer_update {
	struct consumer_change change;
	const struct consumer_member *known; /* as what it was before */
	struct consumer_member draft;        /* as what it will be */
	struct consumer_member copy; /* of one that is new, or replaced */
	struct consumer_assignment owned;
	bool owned_known;   /* it has said what it owns */
	bool subscribed;    /* its subscription has changed */
	bool reassigned;    /* what it has, or its epoch */
	bool assigned_anew; /* what it is to have */
};

void consumer_update_begin(struct consumer_update *update,
    struct group_shard *shard, struct consumer_group *consumer,
    struct slice group_id);
void consumer_update_end(struct consumer_update *update);

/*
 * Who it is: one that is not there yet, one that is, or a static member that
 * takes an old one's place, and its target, under another id.
 */
void consumer_update_new(struct consumer_update *update, struct slice id);
void consumer_update_known(
    struct consumer_update *update, const struct consumer_member *member);
void consumer_update_replaced(struct consumer_update *update,
    const struct consumer_member *member, struct slice id);

/* Set the draft's topics to names, which are borrowed. */
void consumer_update_topics(
    struct consumer_update *update, const struct slice *names, int32_t count);

/* Is there memory for what the draft takes more than it had? */
bool consumer_update_fits(const struct consumer_update *update);

/* Write down what it says of itself, and the group's new epoch. */
void consumer_update_describe(struct consumer_update *update);

/*
 * Write down its step towards the target.  FENCED_MEMBER_EPOCH where it has to
 * begin anew.
 */
enum kp_error consumer_update_reconcile(
    struct consumer_update *update) WARN_UNUSED;

#endif
