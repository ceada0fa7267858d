/*
 * Config request: the changes of several resources that one request asks for,
 * however it puts them.
 */
#ifndef META_CONFIG_REQUEST_H
#define META_CONFIG_REQUEST_H

#include "meta/config_change.h"

struct config_request_resource {
	int8_t type;				/* in */
	struct slice name;			/* in */
	struct config_change_item *items;	/* in */
	int32_t items_count;			/* in */
	enum kp_error error;			/* out */
	struct slice message;			/* out, or null */
};

struct config_request {
	struct controller *controller;
	struct arena *arena;
	const struct access *access;
	int32_t node_id;
	bool replace;		/* what items do not name is deleted */
	bool validate_only;
	struct config_request_resource *resources;
	int32_t count;
};

/*
 * Room for count resources, in the arena; a negative count is none.  Items of
 * each are the caller's to make (config_request_items).
 */
void config_request_resources(struct config_request *request, int32_t count);

/* Room for a resource's items, in the arena; a negative count is none. */
void config_request_items(const struct config_request *request,
    struct config_request_resource *resource, int32_t count);

/*
 * Make the changes, each resource by itself.  One that stands there twice is
 * refused, and all are where they are too many.
 */
void config_request_run(struct config_request *request);

#endif
