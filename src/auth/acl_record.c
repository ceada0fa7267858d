#include "auth/acl_record.h"

#include "base/log.h"
#include "meta/delta.h"
#include "meta/metadata_record.h"
#include "wire/generated/metadata_access_control_entry_record.h"

#define LOGGER "kafka.authorizer.logger"

bool
acl_record_is(const struct delta_kept *kept, struct uuid *id)
{
	if (kept->api_key != METADATA_RECORD_ACCESS_CONTROL_ENTRY)
		return false;
	assert(kept->identity.len == sizeof(id->bytes));
	memcpy(id->bytes, kept->identity.data, sizeof(id->bytes));
	return true;
}

bool
acl_record_decode(struct slice value, struct arena *arena, struct acl *acl)
{
	const struct kp_access_control_entry_record *body;
	struct metadata_record record;
	const char *reason;
	struct slice fault;

	if (metadata_record_decode(value, arena, &record, &reason) != 0) {
		log_warn(
		    LOGGER, "an access control entry is skipped: %s", reason);
		return false;
	}
	body = record.body;
	*acl = (struct acl){
		.resource_type = body->resource_type,
		.pattern_type = body->pattern_type,
		.operation = body->operation,
		.permission = body->permission_type,
		.resource_name = body->resource_name,
		.principal = body->principal,
		.host = body->host,
	};
	fault = acl_fault(acl, arena);
	if (slice_is_null(fault))
		return true;
	log_warn(LOGGER, "an access control entry is skipped: %.*s",
	    SLICE_ARG(fault));
	return false;
}
