/*
 * What the steps of streams_configure share: how many partitions was decided
 * for topics so far, and what is wrong.
 */
#ifndef COORD_STREAMS_CONFIGURING_H
#define COORD_STREAMS_CONFIGURING_H

#include "base/map.h"
#include "coord/streams_configure.h"

struct streams_configuring {
	const struct streams_topology *topology;
	const struct streams_topics *topics;
	struct arena *arena; /* scratch */
	struct slice message;
	struct streams_configured *out;
	struct map decided;     /* struct decided, by name */
	struct map repartition; /* by name, for streams_copartition.c */
	bool any_fixed;         /* of the repartition topics */
	int32_t fixed_count;    /* partitions that they have; 0: they differ */
};

/* --- streams_configuring.c ----------------------------------------------- */

void streams_decide(
    struct streams_configuring *c, struct slice name, int32_t partitions);
/* 0: not decided yet. */
int32_t streams_decided(
    const struct streams_configuring *c, struct slice name) WARN_UNUSED;
/* 0: there is none. */
int32_t streams_existing(
    const struct streams_configuring *c, struct slice name) WARN_UNUSED;
/* What is there counts before what was decided. */
int32_t streams_partitions(
    const struct streams_configuring *c, struct slice name) WARN_UNUSED;

/* That is the status now, with a copy of the detail. */
void streams_wrong(
    struct streams_configuring *c, enum streams_status status,
    struct slice detail);
/* The answer for a topology that is none, with its message. */
enum kp_error streams_invalid(
    struct streams_configuring *c, struct slice message) WARN_UNUSED;

/* The first of the names, and how many more there are, in the arena. */
struct slice streams_summary(
    struct arena *arena, const struct slice *names, int32_t count);
/* Sort them; of what is there twice one is kept. */
void streams_sort_names(struct slice *names, int32_t *count);

/* --- The steps, in their order; false: what is wrong has been said -------- */

/* Are the indexes of joined topics valid?  Asked before anything else. */
bool streams_indexes_valid(struct streams_configuring *c) WARN_UNUSED;

/* Repartition topics: RepartitionTopics of Kafka. */
enum kp_error streams_decide_repartition(
    struct streams_configuring *c) WARN_UNUSED;

/* Joined topics: CopartitionedTopicsEnforcer of Kafka. */
void streams_note_repartitions(struct streams_configuring *c);
bool streams_copartition(struct streams_configuring *c) WARN_UNUSED;

/* Of the subtopologies' own topics those that are not there. */
void streams_find_missing(struct streams_configuring *c);

#endif
