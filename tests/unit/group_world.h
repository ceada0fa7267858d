/*
 * Group world: a shard of groups whose log is in memory and whose clock is
 * stepped, with topics that come and go.
 */
#ifndef UNIT_GROUP_WORLD_H
#define UNIT_GROUP_WORLD_H

#include "base/arena.h"
#include "coord/group_shard.h"
#include "coord/share_group_states.h"
#include "unit/shard_log.h"

struct world {
	struct shard_log log;
	struct group_settings settings;
	struct shard_settings shard_settings;
	struct budget memory;
	struct group_image *image;
	struct group_resolver resolver;
	/* The share coordinator: it does what it is told, and remembers. */
	struct share_group_persister persister;
	enum kp_error persister_error;	/* of all calls */
	bool persister_silent;		/* they are not done; and lost */
	enum share_state_operation persisted; /* the last ones */
	struct share_state_call persisted_calls[32];
	int32_t persisted_count;	/* of the last ones */
	int persists_count;		/* how often it was asked */
	struct group_common common;
	struct group_shard shard;
	struct arena arena;
	struct share_group_states *lost; /* that are not done yet; or NULL */
	uint32_t topics_count; /* that were made, for their ids */
	char resolving[64];    /* the group that asked for it; "": none */
};

/* An active shard with an empty log; groups have no initial delay. */
void world_init(struct world *world);
void world_fini(struct world *world);

/* Another shard over the same log. */
void world_restart(struct world *world);
void world_load(struct world *world);
void world_unload(struct world *world);

/* Let time pass, with every timer on the way. */
void world_pass(struct world *world, int64_t ms);

/* What has been appended so far is committed. */
void world_commit(struct world *world);

/* A topic, new or with so many partitions now; its id. */
struct uuid world_topic(
    struct world *world, const char *name, int32_t partitions);
void world_drop_topic(struct world *world, const char *name);

/* A group's own setting; text NULL removes it. */
void world_group_setting(
    struct world *world, const char *group, const char *name, const char *text);

/* Resolve the expressions of the group that has asked for it, if one has. */
bool world_resolve(struct world *world);

#endif
