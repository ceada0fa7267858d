/*
 * Consumer protocol: what consumers of the classic protocol tell each other in
 * bytes that a broker of classic groups passes on unread: a version, and a
 * subscription or an assignment by topic names (ConsumerProtocol of Kafka).
 *
 * Topics that do not exist have no id, and are left out.
 */
#ifndef COORD_CONSUMER_PROTOCOL_H
#define COORD_CONSUMER_PROTOCOL_H

#include "coord/consumer_assignment.h"
#include "coord/group_image.h"

/* What a member says when it joins. */
struct consumer_subscription {
	const struct slice *topics; /* as it names them */
	int32_t topics_count;
	struct slice rack_id;             /* null: not said */
	struct consumer_assignment owned; /* epochs are 0 */
	int32_t generation_id; /* in which it got these; -1: not said */
};

/*
 * Read one.  -1 where it is malformed.  Texts point into bytes, all else is in
 * the arena.
 */
int consumer_protocol_subscription(struct group_image *image,
    struct slice bytes, struct arena *arena,
    struct consumer_subscription *subscription) WARN_UNUSED;

/* The same of an assignment; *custom: it carries an assignor's own data. */
int consumer_protocol_assignment(struct group_image *image, struct slice bytes,
    struct arena *arena, struct consumer_assignment *assignment,
    bool *custom) WARN_UNUSED;

/*
 * The assignment for a member that has joined with metadata, whose version it
 * has; in the arena.
 */
struct slice consumer_protocol_encode(struct group_image *image,
    const struct consumer_assignment *assignment, struct slice metadata,
    struct arena *arena);

#endif
