/*
 * Assignor: who of a group's members shall read which partitions.
 *
 * The two that Kafka has for consumer groups: uniform, which spreads the
 * partitions evenly and leaves as many as it can where they are, and range,
 * which gives each member a run of each topic and does not care where they
 * were; and simple, the one of share groups, where members share partitions
 * (org.apache.kafka.coordinator.group.assignor).
 *
 * A job is an array of topics, and of members with what they subscribe to and
 * had.  All assignors give assigned to every member.  Members that come first
 * get what is left over; which order that is decides the caller.
 */
#ifndef COORD_ASSIGNOR_H
#define COORD_ASSIGNOR_H

#include "base/arena.h"
#include "base/base.h"
#include "coord/consumer_assignment.h"

struct assignor_topic {
	struct uuid id;
	int32_t partitions_count; /* above 0 */
};

struct assignor_member {
	struct slice id;
	struct slice instance_id; /* null: a dynamic member */
	const int32_t *topics;    /* indexes, ascending */
	int32_t topics_count;
	struct consumer_assignment had;
	struct consumer_assignment assigned; /* out, in the arena */
};

struct assignor_job {
	const struct assignor_topic *topics;
	int32_t topics_count;
	struct assignor_member *members;
	int32_t members_count; /* above 0 */
	bool homogeneous;      /* all subscribe to all topics */
	/* Simple: what can be given at all; NULL: everything. */
	const struct consumer_assignment *assignable;
	struct arena *arena;   /* for what is given, and scratch */
};

void assignor_uniform(struct assignor_job *job);
void assignor_range(struct assignor_job *job);
void assignor_simple(struct assignor_job *job);

/* --- For the assignors --------------------------------------------------- */

/* The index of the topic, or -1. */
struct assignor_index;
struct assignor_index *assignor_index_new(const struct assignor_job *job);
void assignor_index_free(struct assignor_index *index);
int32_t assignor_index_find(
    const struct assignor_index *index, struct uuid topic_id);

/*
 * Partitions of all topics have a number: those of the first topic from 0 on,
 * then those of the second.
 */
const int32_t *assignor_first_numbers(
    const struct assignor_job *job, int32_t *total);

/* The topic that has the number: the last whose first is not above it. */
int32_t assignor_topic_of(
    const int32_t *first_numbers, int32_t topics_count, int32_t number);

/* A list of partitions per member, that grows. */
struct assignor_list {
	int32_t *numbers;
	int32_t count;
	int32_t capacity;
};

void assignor_list_add(
    struct assignor_list *list, int32_t number, struct arena *arena);

/* What the lists, one for each member, say becomes assigned. */
void assignor_conclude(struct assignor_job *job,
    const struct assignor_list *lists, const int32_t *first_numbers);

/* Uniform, where members differ in what they subscribe to. */
void assignor_uniform_mixed(struct assignor_job *job);

#endif
