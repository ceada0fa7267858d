/*
 * Streams creator: creates the topics that streams applications need for
 * themselves, in the background, each once at a time.
 *
 * Members ask again with every heartbeat until the topics are there.  What went
 * wrong is remembered for a while, in which nothing is tried again, so that
 * they can be told.  (DefaultAutoTopicCreationManager of Kafka)
 *
 * Thread: any.  The mutex is a leaf.
 */
#ifndef COORD_STREAMS_CREATOR_H
#define COORD_STREAMS_CREATOR_H

#include "base/arena.h"
#include "base/base.h"

struct controller;
struct kp_create_topics_request_topic;
struct streams_creator;

/* The controller outlives what is asked of it. */
struct streams_creator *streams_creator_new(struct controller *controller);

/* Nothing is under way: the controller has stopped. */
void streams_creator_free(struct streams_creator *creator);

/*
 * Create those of the topics that nobody is creating, and of which no error is
 * remembered.  They are copied.  Errors are remembered for so long.
 */
void streams_creator_create(struct streams_creator *creator,
    const struct kp_create_topics_request_topic *topics, int32_t count,
    int32_t remember_ms);

/*
 * Why some of the topics could not be created: "a (why), b (why)", the first of
 * them, and how many more; in arena.  Null where nothing is known against them.
 */
struct slice streams_creator_errors(struct streams_creator *creator,
    const struct kp_create_topics_request_topic *topics, int32_t count,
    struct arena *arena);

#endif
