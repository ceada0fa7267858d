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

struct config_change {
	/* in */
	struct controller *controller;
	struct arena *arena;
	const struct access *access;
	int32_t node_id;
	int8_t type;		/* enum image_config_type, or nonsense */
	struct slice name;
	/* between begin and end */
	const struct config_set *old;
	struct config_set *set;
	/* out */
	struct slice message;
};

/* Take up the resource's set; what is kept of it is all or nothing. */
void config_change_begin(struct config_change *change, bool keep);

/*
 * Does one operation of the request make sense by itself?  This comes before
 * permissions.  A code, and a text in change->message.
 */
enum kp_error config_change_screen(struct config_change *change,
    struct slice name, int8_t operation, struct slice value);

/* Carry it out on the set. */
enum kp_error config_change_apply(struct config_change *change,
    struct slice name, int8_t operation, struct slice value);

/* May it be altered, does it exist, is the new set valid? */
enum kp_error config_change_permitted(const struct config_change *change);
enum kp_error config_change_check(struct config_change *change);

/* Emit a record for each key that changes. */
void config_change_emit(struct config_change *change);

void config_change_end(struct config_change *change);

/* What tells a request's resources apart, in arena. */
struct slice config_change_resource(struct arena *arena, int8_t type,
    struct slice name);

/* Is a request with so many resources and configs small enough? */
enum kp_error config_change_whole(int32_t resources, int64_t configs,
    struct slice *message);

#endif
