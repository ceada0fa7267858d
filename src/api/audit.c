#include "api/audit.h"

#include <stdarg.h>
#include <stdio.h>

#include "api/api.h"
#include "base/log.h"
#include "base/log_limit.h"
#include "net/loop.h"
#include "net/timer.h"
#include "wire/codec.h"

#define LOGINS_LOGGER "auth"
#define CHANGES_LOGGER "klamm.audit"
#define NETWORK_LOGGER "net"

/* Entries of a request with a line of their own; the rest have one together. */
#define ENTRIES_MAX 64

/* What a line says of an entry; names are cut to it. */
#define TEXT_LEN 1024

struct audit {
	int64_t interval_ms;
	struct log_limit *decisions;
	struct log_limit *logins;
	struct log_limit *changes;
	struct log_limit *network;
	struct loop *loop; /* NULL: not started */
	struct task start;
	struct timer timer;
};

/* --- Life ----------------------------------------------------------------- */

static void
on_timer(struct timer *timer)
{
	struct audit *audit = CONTAINER_OF(timer, struct audit, timer);

	log_limit_sweep(audit->decisions);
	log_limit_sweep(audit->logins);
	log_limit_sweep(audit->changes);
	log_limit_sweep(audit->network);
	timer_start(audit->loop, timer, audit->interval_ms);
}

static void
on_start(struct task *task)
{
	struct audit *audit = CONTAINER_OF(task, struct audit, start);

	timer_start(audit->loop, &audit->timer, audit->interval_ms);
}

struct audit *
audit_new(int64_t interval_ms)
{
	struct audit *audit = xcalloc(1, sizeof(*audit));

	audit->interval_ms = interval_ms;
	audit->decisions = log_limit_new(
	    interval_ms, LOG_INFO, log_logger_name(LOG_AUTHORIZER));
	audit->logins = log_limit_new(interval_ms, LOG_INFO, LOGINS_LOGGER);
	audit->changes = log_limit_new(interval_ms, LOG_INFO, CHANGES_LOGGER);
	audit->network = log_limit_new(interval_ms, LOG_INFO, NETWORK_LOGGER);
	timer_init(&audit->timer, on_timer);
	return audit;
}

void
audit_start(struct audit *audit, struct loop *loop)
{
	if (audit->interval_ms == 0)
		return;
	audit->loop = loop;
	audit->start.run = on_start;
	loop_post(loop, &audit->start);
}

void
audit_free(struct audit *audit)
{
	if (audit == NULL)
		return;
	log_limit_free(audit->decisions);
	log_limit_free(audit->logins);
	log_limit_free(audit->changes);
	log_limit_free(audit->network);
	free(audit);
}

struct log_limit *
audit_network_lines(struct audit *audit)
{
	return audit->network;
}

/* --- Decisions ------------------------------------------------------------ */

/* SecurityUtils.resourceTypeName of Kafka. */
static const char *
resource_type_text(enum acl_resource_type type)
{
	switch (type) {
	case ACL_RESOURCE_TOPIC:
		return "Topic";
	case ACL_RESOURCE_GROUP:
		return "Group";
	case ACL_RESOURCE_CLUSTER:
		return "Cluster";
	case ACL_RESOURCE_TRANSACTIONAL_ID:
		return "TransactionalId";
	case ACL_RESOURCE_DELEGATION_TOKEN:
		return "DelegationToken";
	case ACL_RESOURCE_USER:
		return "User";
	case ACL_RESOURCE_ANY:
		break;
	}
	return "Any";
}

static const char *
rule_text(enum authorizer_rule rule, bool allowed)
{
	switch (rule) {
	case AUTHORIZER_RULE_SUPER_USER:
		return "SuperUser";
	case AUTHORIZER_RULE_ACL:
		return "MatchingAcl";
	case AUTHORIZER_RULE_DEFAULT:
	case AUTHORIZER_RULE_NONE:
		break;
	}
	return allowed ? "DefaultAllow" : "DefaultDeny";
}

/*
 * Create and Delete on the cluster are asked for before those on a topic, and
 * say nothing where they are denied (logIfDenied of Kafka's actions).
 */
static bool
is_first_try(enum acl_operation operation, enum acl_resource_type type)
{
	return type == ACL_RESOURCE_CLUSTER &&
	    (operation == ACL_CREATE || operation == ACL_DELETE);
}

/* Who: "User:alice from host = 127.0.0.1" */
static struct slice
peer_text(const struct principal *principal, char text[TEXT_LEN])
{
	int len = snprintf(text, TEXT_LEN, "%.*s from host = %.*s",
	    SLICE_ARG(principal->name), SLICE_ARG(principal->host));

	return slice_of(text, MIN((size_t)len, (size_t)TEXT_LEN - 1));
}

static bool
decision_admitted(const struct request *request, enum acl_operation operation,
    enum acl_resource_type type)
{
	const struct audit *audit = request->server->audit;
	char kind[64], peer[TEXT_LEN];

	if (audit == NULL)
		return true;
	snprintf(kind, sizeof(kind), "denied %s on %s",
	    acl_operation_name(operation), resource_type_text(type));
	return log_limit_admits(
	    audit->decisions, kind, peer_text(&request->principal, peer));
}

void
audit_decision(const struct request *request, enum acl_operation operation,
    enum acl_resource_type type, struct slice name, bool allowed,
    enum authorizer_rule rule)
{
	const struct principal *principal = &request->principal;
	enum log_level level = allowed ? LOG_DEBUG : LOG_INFO;

	if (!log_logger_enabled(LOG_AUTHORIZER, level))
		return;
	if (!allowed &&
	    (is_first_try(operation, type) ||
		!decision_admitted(request, operation, type)))
		return;
	log_logger_write(LOG_AUTHORIZER, level,
	    "Principal = %.*s is %s operation = %s from host = %.*s on "
	    "resource = %s:LITERAL:%.*s for request = %s with "
	    "resourceRefCount = 1 based on rule %s",
	    SLICE_ARG(principal->name), allowed ? "Allowed" : "Denied",
	    acl_operation_name(operation), SLICE_ARG(principal->host),
	    resource_type_text(type), SLICE_ARG(name),
	    request->messages->name, rule_text(rule, allowed));
}

/* --- Logins --------------------------------------------------------------- */

void
audit_failed_login(struct audit *audit, const struct connection *connection,
    struct slice message)
{
	if (audit == NULL ||
	    log_limit_admits(audit->logins, "failed authentication",
		slice_str(connection_peer_host(connection))))
		log_info(LOGINS_LOGGER, "%s: failed authentication (%.*s)",
		    connection_id(connection), SLICE_ARG(message));
}

/* --- Requests ------------------------------------------------------------- */

void
audit_invalid_request(const struct request *request,
    const struct connection *connection, size_t len)
{
	const struct audit *audit = request->server->audit;

	if (audit == NULL ||
	    log_limit_admits(audit->network, "invalid request",
		slice_str(connection_peer_host(connection))))
		log_info(NETWORK_LOGGER,
		    "[%s] invalid %s request, version %d, of %zu bytes",
		    connection_id(connection), request->messages->name,
		    request->version, len);
}

/* --- Changes -------------------------------------------------------------- */

/* A walk over a response, whose structs name what they are about. */
struct walk {
	const struct request *request;
	int entries;
	int failed; /* of those without a line */
};

/* What an entry is about, from the outside in; cut where it is too long. */
struct subject {
	char text[TEXT_LEN];
	size_t len;
};

PRINTF_LIKE(2, 3) static void
subject_add(struct subject *subject, const char *format, ...)
{
	size_t room = TEXT_LEN - subject->len;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(subject->text + subject->len, room, format, args);
	va_end(args);
	subject->len += MIN((size_t)len, room - 1);
}

/*
 * The fields that name something: nothing else is written, so that no value
 * of a setting and no password ever is.
 */
static const char *const naming[] = {
	"feature", "group", "groupId", "host", "hostFilter", "name",
	"operation", "partitionId", "partitionIndex", "patternType",
	"patternTypeFilter", "permissionType", "principal", "principalFilter",
	"principalName", "resourceName", "resourceNameFilter",
	"resourcePatternType", "resourceType", "resourceTypeFilter", "tokenId",
	"topic", "topicName", "user",
};

static bool
names(const struct kp_field *field)
{
	for (size_t i = 0; i < COUNT_OF(naming); i++)
		if (strcmp(naming[i], field->name) == 0)
			return true;
	return false;
}

static void
add_fields(struct subject *subject, const struct kp_struct *type,
    const void *data, int version)
{
	for (unsigned i = 0; i < type->field_count; i++) {
		const struct kp_field *field = &type->fields[i];
		const void *at = (const char *)data + field->offset;

		if (!kp_field_present(field, version) || !names(field))
			continue;
		if (field->kind == KP_STRING)
			subject_add(subject, " %s = %.*s", field->name,
			    SLICE_ARG(*(const struct slice *)at));
		else if (field->kind == KP_INT8)
			subject_add(subject, " %s = %d", field->name,
			    *(const int8_t *)at);
		else if (field->kind == KP_INT32)
			subject_add(subject, " %s = %d", field->name,
			    *(const int32_t *)at);
	}
}

static const struct kp_field *
field_find(const struct kp_struct *type, const char *name, int version)
{
	for (unsigned i = 0; i < type->field_count; i++)
		if (strcmp(type->fields[i].name, name) == 0 &&
		    kp_field_present(&type->fields[i], version))
			return &type->fields[i];
	return NULL;
}

static const char *
elements_of(const struct kp_field *field, const void *data, int32_t *count)
{
	const void *at = (const char *)data + field->offset;
	const char *elements;

	memcpy(&elements, at, sizeof(elements));
	*count = kp_count_get(at);
	return elements;
}

static bool
is_structs(const struct kp_field *field, int version)
{
	return field->kind == KP_ARRAY && field->element == KP_STRUCT &&
	    kp_field_present(field, version);
}

/*
 * The request's entry with the same index, where there is one for each: of an
 * answer that says nothing but what came of it (CreateAcls, DeleteAcls), and
 * for the names of the settings (AlterConfigs).
 */
static const void *
asked(const struct walk *walk, int32_t index, int32_t count,
    const struct kp_struct **type)
{
	const struct kp_struct *body = walk->request->messages->request->body;
	const void *data = walk->request->body;

	for (unsigned i = 0; i < body->field_count; i++) {
		const struct kp_field *field = &body->fields[i];
		const char *elements;
		int32_t all;

		if (!is_structs(field, walk->request->version))
			continue;
		elements = elements_of(field, data, &all);
		*type = field->type;
		return all == count ?
		    elements + (size_t)index * field->type->size :
		    NULL;
	}
	return NULL;
}

static void
add_config(struct subject *subject, const struct kp_struct *type,
    const char *config, int version)
{
	const struct kp_field *name = field_find(type, "name", version);

	assert(name != NULL && name->kind == KP_STRING);
	subject_add(subject, " config = %.*s",
	    SLICE_ARG(*(const struct slice *)(const void *)(
		config + name->offset)));
}

static void
add_asked(struct subject *subject, const struct walk *walk, int32_t index,
    int32_t count, bool named)
{
	int version = walk->request->version;
	const struct kp_struct *type;
	const void *entry = asked(walk, index, count, &type);
	const struct kp_field *configs;
	const char *elements;
	int32_t configs_count;

	if (entry == NULL)
		return;
	if (!named)
		add_fields(subject, type, entry, version);
	configs = field_find(type, "configs", version);
	if (configs == NULL)
		return;
	elements = elements_of(configs, entry, &configs_count);
	for (int32_t i = 0; i < configs_count; i++)
		add_config(subject, configs->type,
		    elements + (size_t)i * configs->type->size, version);
}

/* Of a denial the authorizer has said more. */
static bool
is_denial(enum kp_error error)
{
	return error == KP_TOPIC_AUTHORIZATION_FAILED ||
	    error == KP_GROUP_AUTHORIZATION_FAILED ||
	    error == KP_CLUSTER_AUTHORIZATION_FAILED ||
	    error == KP_DELEGATION_TOKEN_AUTHORIZATION_FAILED;
}

static bool
change_admitted(const struct request *request, enum kp_error error)
{
	const struct audit *audit = request->server->audit;
	char kind[64], peer[TEXT_LEN];

	if (is_denial(error))
		return false;
	if (error == KP_NONE || audit == NULL)
		return true;
	snprintf(kind, sizeof(kind), "%s with %s", request->messages->name,
	    kp_error_name(error));
	return log_limit_admits(
	    audit->changes, kind, peer_text(&request->principal, peer));
}

static void
write_change(struct walk *walk, const struct subject *subject,
    enum kp_error error)
{
	const struct request *request = walk->request;
	const struct principal *principal = &request->principal;

	if (++walk->entries > ENTRIES_MAX) {
		walk->failed += error != KP_NONE;
		return;
	}
	if (change_admitted(request, error))
		log_info(CHANGES_LOGGER,
		    "Principal = %.*s from host = %.*s request = %s "
		    "resource =%s result = %s",
		    SLICE_ARG(principal->name), SLICE_ARG(principal->host),
		    request->messages->name,
		    subject->len == 0 ? " Cluster" : subject->text,
		    kp_error_name(error));
}

static enum kp_error
error_in(const struct kp_struct *type, const void *data, int version,
    bool *there)
{
	const struct kp_field *field = field_find(type, "errorCode", version);
	int16_t code = 0;

	*there = field != NULL;
	if (field != NULL)
		memcpy(&code, (const char *)data + field->offset, sizeof(code));
	return (enum kp_error)code;
}

/* Write what type says, and what the structs in it say; how many lines. */
static void
walk_struct(struct walk *walk, const struct kp_struct *type, const void *data,
    const struct subject *subject, bool top)
{
	int version = walk->request->version, before = walk->entries;
	bool there;
	enum kp_error error = error_in(type, data, version, &there);

	for (unsigned i = 0; i < type->field_count; i++) {
		const struct kp_field *field = &type->fields[i];
		const char *elements;
		int32_t count;

		if (!is_structs(field, version) ||
		    strcmp(field->name, "configs") == 0)
			continue;
		elements = elements_of(field, data, &count);
		for (int32_t j = 0; j < count; j++) {
			const char *entry =
			    elements + (size_t)j * field->type->size;
			struct subject inner = *subject;

			add_fields(&inner, field->type, entry, version);
			if (top)
				add_asked(&inner, walk, j, count,
				    inner.len > subject->len);
			walk_struct(walk, field->type, entry, &inner, false);
		}
	}
	if (there && (error != KP_NONE || walk->entries == before))
		write_change(walk, subject, error);
}

/* What is only checked changes nothing. */
static bool
only_checks(const struct request *request)
{
	const struct kp_field *field = field_find(
	    request->messages->request->body, "validateOnly", request->version);

	return field != NULL &&
	    *((const bool *)request->body + field->offset);
}

void
audit_change(const struct request *request, const void *response)
{
	const struct kp_message *answer = request->messages->response;
	struct walk walk = { .request = request };
	struct subject subject = { .len = 0 };

	if (!log_enabled(LOG_INFO) || only_checks(request))
		return;
	add_fields(&subject, request->messages->request->body, request->body,
	    request->version);
	add_fields(&subject, answer->body, response, request->version);
	walk_struct(&walk, answer->body, response, &subject, true);
	if (walk.entries > ENTRIES_MAX)
		log_info(CHANGES_LOGGER,
		    "Principal = %.*s from host = %.*s request = %s: %d more, "
		    "of which %d failed",
		    SLICE_ARG(request->principal.name),
		    SLICE_ARG(request->principal.host),
		    request->messages->name, walk.entries - ENTRIES_MAX,
		    walk.failed);
}
