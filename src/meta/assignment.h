/*
 * Assignment: the replicas of new partitions, as a request spells them out or
 * as the controller picks them, and the records that create the partitions.
 */
#ifndef META_ASSIGNMENT_H
#define META_ASSIGNMENT_H

#include "base/arena.h"
#include "base/base.h"
#include "base/uuid.h"
#include "meta/controller.h"
#include "wire/error.h"

struct assignment_partition {
	const int32_t *replicas;
	const struct uuid *directories;
	int32_t replicas_count;
};

/* The partitions of one topic that are about to be created. */
struct assignment {
	struct assignment_partition *partitions;
	int32_t partitions_count;
};

/*
 * Are these brokers registered, none of them twice, at least one of them
 * alive, and as many as factor (-1: any number)?  Kafka's code, and its text
 * in *message.
 */
enum kp_error assignment_check(const struct controller *controller,
    const int32_t *brokers, int32_t count, int32_t factor,
    struct arena *arena, struct slice *message) WARN_UNUSED;

/* Fill in the partition for these brokers, which assignment_check passed. */
void assignment_take(struct controller *controller, const int32_t *brokers,
    int32_t count, struct arena *arena, struct assignment_partition *out);

/*
 * Let the controller pick factor replicas for each of count partitions.
 * INVALID_REPLICATION_FACTOR where there are too few brokers.
 */
enum kp_error assignment_place(struct controller *controller, int32_t count,
    int32_t factor, struct arena *arena, struct assignment *assignment,
    struct slice *message) WARN_UNUSED;

/* Emit a record for each partition; the first one's index is first. */
void assignment_emit(struct controller *controller, struct uuid topic_id,
    int32_t first, const struct assignment *assignment, struct arena *arena);

#endif
