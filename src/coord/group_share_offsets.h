/*
 * Group share offsets: what is kept of share groups, when groups and topics
 * begin and end.  The shard's lock is held.
 */
#ifndef COORD_GROUP_SHARE_OFFSETS_H
#define COORD_GROUP_SHARE_OFFSETS_H

#include "coord/share_group.h"
#include "coord/share_group_states.h"

/*
 * Have the share coordinator begin to keep these as soon as all that has been
 * appended is committed, and write down what came of it.  Takes states.
 */
void group_share_initialize(
    struct group_shard *shard, struct share_group_states *states);

/*
 * The group, which has no members, is to be deleted: the share coordinator
 * forgets it first.  True where that is under way: call is answered, or the
 * group deleted, when it has.  False, with *error left alone or set, where the
 * caller goes on.
 */
bool group_share_forget(struct share_group *share, struct group_call *call,
    enum kp_error *error) WARN_UNUSED;

/* Topics with these ids are no more: emit what is kept without them. */
void group_share_emit_dropped(
    const struct share_group *share, const struct map *ids);

#endif
