/*
 * Consumer regex: regular expressions that members of consumer groups
 * subscribe by, and the topics that match them.
 *
 * Matching all topics takes its time, so it happens on another thread, for one
 * group at a time; what was found is written down, and members see it at their
 * next heartbeats.  A topic matches that the member whose heartbeat asked for
 * it may describe.
 */
#ifndef COORD_CONSUMER_REGEX_H
#define COORD_CONSUMER_REGEX_H

#include "coord/consumer_group.h"

struct authorizer;

/*
 * Is it an expression that RE2 would take?  INVALID_REGULAR_EXPRESSION and the
 * reason in *message, made in arena; the empty text is none, and fine.
 */
enum kp_error consumer_regex_check(
    struct slice text, struct arena *arena, struct slice *message) WARN_UNUSED;

/*
 * A member of the group has been heard of: have its expressions resolved where
 * that is due.  Lock held.
 */
void consumer_regex_refresh(
    struct consumer_group *consumer, const struct principal *principal);

/*
 * Resolve what the group subscribes by: what a group_resolver does.  It takes
 * the shard's lock, twice.  No lock held.
 */
void consumer_regex_run(struct group_shard *shard, struct slice group_id,
    const struct principal *principal, struct authorizer *authorizer);

#endif
