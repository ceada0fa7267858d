/*
 * A cluster of one in a temporary directory, for tests of the metadata:
 * formatted, with a controller that runs, and broker RIG_NODE registered.
 */
#ifndef UNIT_META_RIG_H
#define UNIT_META_RIG_H

#include "unit/unit.h"

#include "base/arena.h"
#include "base/uuid.h"
#include "meta/controller.h"
#include "meta/metadata_log.h"
#include "unit/disk_fault.h"

#define META_RIG_NODE 1

struct meta_rig {
	char *directory;
	struct uuid directory_id;
	struct disk_fault fault;
	struct config_set *file;	/* the static configuration */
	struct metadata_log_settings log_settings;
	struct metadata_log *log;
	struct image *image;
	struct configs *configs;
	struct controller *controller;
	struct arena arena;		/* of answers */
	uint64_t seed;			/* of the controller's last start */
	int failures;			/* of the log, as it was told */

	/* Before start: whom to tell of deltas; may be NULL. */
	controller_subscriber_fn subscriber;
	void *subscriber_context;
	struct listener_stores *stores;	/* before start; may be NULL */
};

/* A formatted directory; nothing is open yet. */
void meta_rig_init(struct meta_rig *rig);

/* Everything of it, stopped if it runs. */
void meta_rig_fini(struct meta_rig *rig);

/* As a test's fixture: *state is a rig, or a struct that begins with one. */
int meta_rig_setup(void **state);
int meta_rig_teardown(void **state);

/* Set a key of the static configuration, before start. */
void meta_rig_config(struct meta_rig *rig, const char *key,
    const char *value);

/* Open the log and load it into an image; -1 where either refuses. */
int meta_rig_load(struct meta_rig *rig);

/* Load, start the controller, register the broker and unfence it. */
void meta_rig_start(struct meta_rig *rig);
void meta_rig_join(struct meta_rig *rig, bool unclean);

/* Close everything, in order or as if the process had died. */
void meta_rig_stop(struct meta_rig *rig);
void meta_rig_kill(struct meta_rig *rig);

/* Have op done; its error. */
enum kp_error meta_rig_call(struct meta_rig *rig, struct controller_op *op);

/* Create a topic, which must succeed; set a topic's config likewise. */
void meta_rig_topic(struct meta_rig *rig, const char *name,
    int32_t partitions);
void meta_rig_topic_config(struct meta_rig *rig, const char *name,
    const char *key, const char *value);
void meta_rig_delete(struct meta_rig *rig, const char *name);

/* A topic of the image; NULL where there is none. */
const struct topic_image *meta_rig_find(struct meta_rig *rig,
    const char *name);

/* The path of a file in the metadata log's directory, on the heap. */
char *meta_rig_path(const struct meta_rig *rig, const char *name);

/* The operation that emits one record, for records that no op writes. */
struct meta_rig_emit {
	struct controller_op op;
	enum metadata_record_type type;
	const void *body;
};
enum kp_error meta_rig_emit(struct meta_rig *rig,
    enum metadata_record_type type, const void *body);

#endif
