#include "meta/alter_client_quotas_op.h"

#include "base/map.h"
#include "base/tally.h"
#include "meta/client_quota.h"

/* More than the longest name of each type takes. */
#define IDENTITY_LEN_MAX ((size_t)16 << 20)

/* An entity of the request. */
struct target {
	struct kp_client_quota_record_entity *parts; /* each type once */
	int32_t parts_count;
	struct slice identity;
	enum kp_error error;
	struct slice message;
};

struct alteration {
	struct alter_client_quotas_op *op;
	struct controller *controller;
	struct target *targets; /* in the order of the request */
	int32_t targets_count;
	struct map by_identity;
};

static void
refuse(struct target *target, struct slice message)
{
	target->error = KP_INVALID_REQUEST;
	target->message = message;
}

static struct slice
identity_of(const struct alteration *alteration, const struct target *target,
    struct slice key)
{
	struct buf buf;
	struct slice identity = SLICE_NULL;

	buf_init(&buf, IDENTITY_LEN_MAX);
	if (client_quota_identity(target->parts, target->parts_count, key,
		&buf) == 0)
		identity = arena_copy(alteration->op->arena, buf_slice(&buf));
	buf_fini(&buf);
	return identity;
}

/* --- The entity ----------------------------------------------------------- */

static int
rank(struct slice name)
{
	enum client_quota_type type;

	return client_quota_type_find(name, &type) == 0 ? (int)type :
							    CLIENT_QUOTA_TYPES;
}

static int
compare_parts(const void *a, const void *b)
{
	const struct kp_client_quota_record_entity *left = a, *right = b;
	int order = rank(left->entity_type) - rank(right->entity_type);

	return order != 0 ?
	    order :
	    slice_compare(left->entity_type, right->entity_type);
}

/* Of a type that comes twice the last name counts. */
static void
take_parts(const struct alteration *alteration,
    const struct kp_alter_client_quotas_request_entry *entry,
    struct target *target)
{
	int32_t count = MAX(entry->entity_count, 0);
	struct map by_type;

	map_init(&by_type);
	target->parts = arena_xcalloc(
	    alteration->op->arena, (size_t)count, sizeof(*target->parts));
	for (int32_t i = 0; i < count; i++) {
		struct slice type = entry->entity[i].entity_type;
		struct kp_client_quota_record_entity *part =
		    map_get(&by_type, type);

		if (part == NULL)
			part = &target->parts[target->parts_count++];
		part->entity_type = type;
		part->entity_name = entry->entity[i].entity_name;
		map_set(&by_type, part->entity_type, part);
	}
	map_fini(&by_type);
	if (target->parts_count > 0)
		qsort(target->parts, (size_t)target->parts_count,
		    sizeof(*target->parts), compare_parts);
	target->identity = identity_of(alteration, target, slice_str(""));
}

static void
check_parts(struct arena *arena, struct target *target)
{
	enum client_quota_type type;

	if (target->parts_count == 0)
		refuse(target, slice_str("Invalid empty client quota entity"));
	for (int32_t i = 0; i < target->parts_count; i++) {
		const struct kp_client_quota_record_entity *part =
		    &target->parts[i];

		if (client_quota_type_find(part->entity_type, &type) != 0)
			refuse(target,
			    arena_printf(arena,
				"Unhandled client quota entity type: %.*s",
				SLICE_ARG(part->entity_type)));
		else if (!slice_is_null(part->entity_name) &&
		    part->entity_name.len == 0)
			refuse(target,
			    arena_printf(arena, "Empty %.*s not supported",
				SLICE_ARG(part->entity_type)));
		if (target->error != KP_NONE)
			return;
	}
}

static void
check_address(struct arena *arena, const struct client_quota_entity *entity,
    bool resolved, struct target *target)
{
	if (!entity->has[CLIENT_QUOTA_IP])
		return;
	if (entity->has[CLIENT_QUOTA_USER] ||
	    entity->has[CLIENT_QUOTA_CLIENT_ID])
		refuse(target,
		    slice_str("Invalid quota entity combination, IP entity "
			      "shouldnot be combined with User or ClientId"));
	else if (!resolved)
		refuse(target,
		    arena_printf(arena,
			"%.*s is not a valid IP or resolvable host.",
			SLICE_ARG(entity->names[CLIENT_QUOTA_IP])));
}

/* --- Its keys ------------------------------------------------------------- */

/* The value that stands, with all that was decided before in the batch. */
static bool
current_value(const struct alteration *alteration, const struct target *target,
    struct slice key, double *value)
{
	struct slice kept =
	    delta_kept_value(controller_view(alteration->controller),
		METADATA_RECORD_CLIENT_QUOTA,
		identity_of(alteration, target, key));
	struct metadata_record record;
	const char *reason;

	if (slice_is_null(kept) ||
	    metadata_record_decode(
		kept, alteration->op->arena, &record, &reason) != 0)
		return false;
	*value = ((const struct kp_client_quota_record *)record.body)->value;
	return true;
}

static bool
same_value(double a, double b)
{
	/* NaN is the same as itself, as in Java's Double. */
	return memcmp(&a, &b, sizeof(a)) == 0 || (a != a && b != b);
}

static void
emit(const struct alteration *alteration, const struct target *target,
    const struct kp_alter_client_quotas_request_op *change)
{
	const struct kp_client_quota_record record = {
		.entity = target->parts,
		.entity_count = target->parts_count,
		.key = change->key,
		.value = change->remove ? 0 : change->value,
		.remove = change->remove,
	};
	double value;
	bool set = current_value(alteration, target, change->key, &value);

	if (change->remove ? !set : set && same_value(value, change->value))
		return;
	controller_emit(
	    alteration->controller, METADATA_RECORD_CLIENT_QUOTA, &record);
}

/* All of an entity's keys are changed, or none. */
static void
change_keys(const struct alteration *alteration, struct target *target,
    const struct client_quota_entity *entity,
    const struct kp_alter_client_quotas_request_entry *entry)
{
	for (int32_t i = 0; i < entry->ops_count; i++) {
		const struct kp_alter_client_quotas_request_op *change =
		    &entry->ops[i];

		if (change->remove)
			continue;
		target->error = client_quota_check(entity, change->key,
		    change->value, alteration->op->arena, &target->message);
		if (target->error != KP_NONE)
			return;
	}
	if (alteration->op->request->validate_only)
		return;
	for (int32_t i = 0; i < entry->ops_count; i++)
		emit(alteration, target, &entry->ops[i]);
}

static bool
has_key_twice(const struct kp_alter_client_quotas_request_entry *entry)
{
	struct tally keys;
	bool twice = false;

	tally_init(&keys);
	for (int32_t i = 0; i < entry->ops_count && !twice; i++)
		twice = tally_add(&keys, entry->ops[i].key) > 1;
	tally_fini(&keys);
	return twice;
}

/* --- The request ---------------------------------------------------------- */

static struct slice
duplicate_message(struct arena *arena, const struct target *target)
{
	struct slice text =
	    slice_str("Ignoring duplicate entity ClientQuotaEntity(entries={");

	for (int32_t i = 0; i < target->parts_count; i++) {
		struct slice name = target->parts[i].entity_name;

		text = arena_printf(arena, "%.*s%s%.*s=%.*s", SLICE_ARG(text),
		    i == 0 ? "" : ", ",
		    SLICE_ARG(target->parts[i].entity_type),
		    SLICE_ARG(slice_is_null(name) ? slice_str("null") : name));
	}
	return arena_printf(arena, "%.*s})", SLICE_ARG(text));
}

/*
 * Who comes a second time is told so, and what was said of him first is done
 * nevertheless; as in Kafka, which also tells it of a key that comes twice.
 */
static void
take_entry(struct alteration *alteration, int32_t at)
{
	struct alter_client_quotas_op *op = alteration->op;
	const struct kp_alter_client_quotas_request_entry *entry =
	    &op->request->entries[at];
	struct target *target = &alteration->targets[alteration->targets_count];
	struct client_quota_entity entity;
	struct target *before;

	take_parts(alteration, entry, target);
	before = map_get(&alteration->by_identity, target->identity);
	if (before != NULL) {
		refuse(before, duplicate_message(op->arena, before));
		memset(target, 0, sizeof(*target));
		return;
	}
	alteration->targets_count++;
	map_set(&alteration->by_identity, target->identity, target);
	if (has_key_twice(entry)) {
		refuse(target, duplicate_message(op->arena, target));
		return;
	}
	check_parts(op->arena, target);
	if (target->error != KP_NONE ||
	    client_quota_entity_of(
		target->parts, target->parts_count, &entity) != 0)
		return;
	check_address(op->arena, &entity,
	    op->resolved == NULL || op->resolved[at], target);
	if (target->error == KP_NONE)
		change_keys(alteration, target, &entity, entry);
}

static void
answer(const struct target *target, struct arena *arena,
    struct kp_alter_client_quotas_response_entry *entry)
{
	entry->error_code = (int16_t)target->error;
	entry->error_message = target->message;
	entry->entity = arena_xcalloc(
	    arena, (size_t)target->parts_count, sizeof(*entry->entity));
	entry->entity_count = target->parts_count;
	for (int32_t i = 0; i < target->parts_count; i++) {
		entry->entity[i].entity_type = target->parts[i].entity_type;
		entry->entity[i].entity_name = target->parts[i].entity_name;
	}
}

static int64_t
changes_asked(const struct kp_alter_client_quotas_request *request)
{
	int64_t total = 0;

	for (int32_t i = 0; i < request->entries_count; i++)
		total += MAX(request->entries[i].ops_count, 0);
	return total;
}

static void
run(struct controller_op *base, struct controller *controller)
{
	struct alter_client_quotas_op *op =
	    CONTAINER_OF(base, struct alter_client_quotas_op, op);
	int32_t count = MAX(op->request->entries_count, 0);
	struct alteration alteration = { .op = op, .controller = controller };

	kp_defaults(&kp_alter_client_quotas_response, &op->response);
	if (changes_asked(op->request) > CONTROLLER_RECORDS_MAX) {
		op->op.error = KP_POLICY_VIOLATION;
		return;
	}
	alteration.targets = arena_xcalloc(
	    op->arena, (size_t)count, sizeof(*alteration.targets));
	map_init(&alteration.by_identity);
	for (int32_t i = 0; i < count; i++)
		take_entry(&alteration, i);
	map_fini(&alteration.by_identity);
	op->response.entries = kp_array(op->arena,
	    &kp_alter_client_quotas_response_entry_struct,
	    alteration.targets_count);
	assert(op->response.entries != NULL);
	op->response.entries_count = alteration.targets_count;
	for (int32_t i = 0; i < alteration.targets_count; i++)
		answer(&alteration.targets[i], op->arena,
		    &op->response.entries[i]);
}

void
alter_client_quotas_op_init(struct alter_client_quotas_op *op)
{
	memset(op, 0, sizeof(*op));
	op->op.run = run;
}
