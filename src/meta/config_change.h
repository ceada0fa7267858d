/*
 * Config change: the new set of configs of one resource, from what it has and
 * what a request asks for; checked, and turned into records.
 */
#ifndef META_CONFIG_CHANGE_H
#define META_CONFIG_CHANGE_H

#include "base/arena.h"
#include "base/base.h"
#include "meta/access.h"
#include "meta/controller.h"
#include "wire/error.h"

enum config_change_operation {
	CONFIG_CHANGE_SET = 0,
	CONFIG_CHANGE_DELETE = 1,
	CONFIG_CHANGE_APPEND = 2,
	CONFIG_CHANGE_SUBTRACT = 3,
};

/* What a request asks for one key. */
struct config_change_item {
	struct slice name;
	struct slice value;
	int8_t operation;	/* enum config_change_operation, or nonsense */
};

struct config_change {
	/* in */
	struct controller *controller;
	struct arena *arena;
	const struct access *access;
	int32_t node_id;
	int8_t type;		/* enum image_config_type, or nonsense */
	struct slice name;
	bool replace;		/* what items do not name is deleted */
	const struct config_change_item *items;
	int32_t items_count;
	bool validate_only;
	size_t *joined_bytes;	/* by APPEND and SUBTRACT of the request */
	/* while it runs */
	const struct config_set *old;
	struct config_set *set;
	/* out */
	struct slice message;
};

/* What a request that asks for too much is told. */
#define CONFIG_CHANGE_EXCESSIVE \
	"Unable to perform excessively large batch operation."

/*
 * Check the items, the permission and the set that they make, and emit a
 * record for each key that changes, or nothing.  Kafka's code, and a text in
 * change->message.
 */
enum kp_error config_change_run(struct config_change *change) WARN_UNUSED;

#endif
