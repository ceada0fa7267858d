/*
 * Streams topology: what a streams application does, as its first member has
 * said (KIP-1071): subtopologies, with the topics that each reads and writes.
 * It is kept in the log as it was said, and is immutable.
 */
#ifndef COORD_STREAMS_TOPOLOGY_H
#define COORD_STREAMS_TOPOLOGY_H

#include "base/arena.h"
#include "base/base.h"
#include "wire/generated/group_streams_group_topology.h"

struct kp_streams_group_heartbeat_request_topology;

/* The generated names of nested structs are longer than a line. */
#define streams_topology_part kp_streams_group_topology_value_subtopology
#define streams_topology_topic kp_streams_group_topology_value_topic_info
#define streams_topology_config kp_streams_group_topology_value_topic_config

struct streams_topology {
	int32_t epoch;
	/* In the order of Kafka's map of them. */
	struct streams_topology_part *subtopologies;
	int32_t subtopologies_count;
	/* private */
	struct arena arena;  /* all of it */
	struct slice sorted; /* the bytes, with the subtopologies by id */
};

/*
 * A copy of what the record says, for streams_topology_free.  NULL where that
 * is none: two subtopologies have the same id.
 */
struct streams_topology *streams_topology_new(
    const struct kp_streams_group_topology_value *value);
void streams_topology_free(struct streams_topology *topology);

/* What a record says that keeps the member's topology; it borrows from it. */
struct kp_streams_group_topology_value streams_topology_said(
    const struct kp_streams_group_heartbeat_request_topology *said,
    struct arena *arena);

/* The same, whatever the order of subtopologies? */
bool streams_topology_equal(
    const struct streams_topology *a, const struct streams_topology *b);

/* What it holds in memory, roughly. */
size_t streams_topology_bytes(const struct streams_topology *topology);

/* The subtopology that reads the topic, repartitioned or not; or NULL. */
const struct streams_topology_part *streams_topology_reader(
    const struct streams_topology *topology, struct slice topic);

/*
 * All topics that have to be there, each once, in the order of Kafka's set of
 * them: those that are read, and changelogs.
 */
struct slice *streams_topology_required(const struct streams_topology *topology,
    struct arena *arena, int32_t *count);

#endif
