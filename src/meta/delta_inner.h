/*
 * What the delta's own files share.
 */
#ifndef META_DELTA_INNER_H
#define META_DELTA_INNER_H

#include "base/log.h"
#include "meta/delta.h"

/* A topic of the delta by its name with '.' read as '_'. */
struct delta_colliding {
	struct slice name;		/* owned */
	struct delta_topic *topic;
};

/* One line: why the metadata log cannot be true. */
#define delta_complain(...) log_error("meta", "metadata: " __VA_ARGS__)

/* The change of a broker in the delta, or NULL. */
struct delta_broker *delta_broker_find(const struct delta *delta, int32_t id);

/* Forget the records of an open transaction. */
void delta_pending_drop(struct delta *delta);

#endif
