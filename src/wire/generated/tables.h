/*
 * What the generated tables offer to message.c and error.c, and to nobody
 * else.  Written by hand.
 */
#ifndef WIRE_GENERATED_TABLES_H
#define WIRE_GENERATED_TABLES_H

#include "base/base.h"
#include "wire/message.h"

struct kp_record_table {
	const struct kp_record *records;	/* by type */
	size_t count;
};

/* What a client does after an error. */
enum kp_client_action {
	KP_CLIENT_NONE,
	KP_CLIENT_FAIL,
	KP_CLIENT_RETRY,
	KP_CLIENT_REFRESH	/* read the metadata again, then retry */
};

struct kp_error_row {
	const char *name;
	enum kp_client_action action;
	const char *message;
};

extern const struct kp_api kp_apis[];			/* by key */
extern const struct kp_record_table kp_record_tables[];	/* by kp_log */
extern const struct kp_error_row kp_error_rows[];	/* by code + 1 */

#endif
