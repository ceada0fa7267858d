/*
 * Replaying records: one function a record type.
 *
 * What a record says about topics, brokers, configs, features and producer
 * ids is understood here; the others are kept as they are, by their identity.
 */
#include "base/base.h"
#include "meta/broker_ops.h"
#include "meta/client_quota.h"
#include "meta/delta_inner.h"
#include "meta/image_key.h"
#include "meta/metadata_record.h"
#include "wire/generated/metadata_access_control_entry_record.h"
#include "wire/generated/metadata_broker_registration_change_record.h"
#include "wire/generated/metadata_clear_elr_record.h"
#include "wire/generated/metadata_client_quota_record.h"
#include "wire/generated/metadata_config_record.h"
#include "wire/generated/metadata_delegation_token_record.h"
#include "wire/generated/metadata_feature_level_record.h"
#include "wire/generated/metadata_fence_broker_record.h"
#include "wire/generated/metadata_partition_change_record.h"
#include "wire/generated/metadata_partition_record.h"
#include "wire/generated/metadata_producer_ids_record.h"
#include "wire/generated/metadata_register_broker_record.h"
#include "wire/generated/metadata_register_controller_record.h"
#include "wire/generated/metadata_remove_access_control_entry_record.h"
#include "wire/generated/metadata_remove_delegation_token_record.h"
#include "wire/generated/metadata_remove_topic_record.h"
#include "wire/generated/metadata_remove_user_scram_credential_record.h"
#include "wire/generated/metadata_topic_record.h"
#include "wire/generated/metadata_unfence_broker_record.h"
#include "wire/generated/metadata_unregister_broker_record.h"
#include "wire/generated/metadata_user_scram_credential_record.h"

/* A pointer array that grows by doubling. */
#define APPEND(array, count, element)                                       \
	do {                                                                \
		if (((count) & ((count)-1)) == 0)                           \
			(array) = xrealloc((array),                         \
			    MAX((count)*2, (size_t)1) * sizeof(*(array)));  \
		(array)[(count)++] = (element);                             \
	} while (0)

static struct slice
own(struct slice slice)
{
	return slice_of(slice_dup(slice), slice.len);
}

/* --- Topics -------------------------------------------------------------- */

static struct delta_topic *
topic_change(struct delta *delta, struct uuid id)
{
	struct delta_topic *change =
	    map_get(&delta->topics_by_id, MAP_KEY(id));
	const struct topic_image *old;

	if (change != NULL)
		return change;
	change = xcalloc(1, sizeof(*change));
	change->id = id;
	old = image_topic_by_id(delta->image, id);
	if (old != NULL) {
		change->old = topic_image_ref(old);
		change->new = topic_image_ref(old);
	}
	map_set(&delta->topics_by_id, MAP_KEY(change->id), change);
	APPEND(delta->topics, delta->topics_count, change);
	return change;
}

/* A topic that exists, as one that may be changed; NULL where there is none. */
static struct topic_image *
writable_topic(struct delta *delta, struct uuid id)
{
	struct delta_topic *change;
	const struct topic_image *shared;

	if (delta_topic_by_id(delta, id) == NULL)
		return NULL;
	change = topic_change(delta, id);
	if (!change->writable) {
		shared = change->new;
		change->new = topic_image_clone(shared);
		change->writable = true;
		topic_image_unref(shared);
	}
	return (struct topic_image *)(uintptr_t)change->new;
}

static void
note_colliding(struct delta *delta, struct delta_topic *change)
{
	char text[TOPIC_IMAGE_NAME_LEN_MAX];
	struct delta_colliding *colliding;
	struct slice key;

	if (!image_key_colliding(change->new->name, text, &key))
		return;
	colliding = map_get(&delta->topics_colliding, key);
	if (colliding == NULL) {
		colliding = xcalloc(1, sizeof(*colliding));
		colliding->name = own(key);
		map_set(&delta->topics_colliding, colliding->name, colliding);
	}
	colliding->topic = change;
}

static int
replay_topic(struct delta *delta, const struct kp_topic_record *record)
{
	struct delta_topic *change;
	const char *reason;

	/* Names become directories' names. */
	if (!topic_image_name_valid(record->name, &reason)) {
		delta_complain("a topic is created with an impossible name: "
			       "%s",
		    reason);
		return -1;
	}
	if (delta_topic_by_id(delta, record->topic_id) != NULL ||
	    delta_topic(delta, record->name) != NULL) {
		delta_complain("topic %.*s is created twice",
		    SLICE_ARG(record->name));
		return -1;
	}
	change = topic_change(delta, record->topic_id);
	change->new = topic_image_new(record->name, record->topic_id);
	change->writable = true;
	map_set(&delta->topics_by_name, change->new->name, change);
	note_colliding(delta, change);
	return 0;
}

static void
drop_configs(struct delta *delta, struct slice topic);

/* The name goes with the topic that it belongs to, and so do its keys. */
static void
forget_name(struct delta *delta, struct delta_topic *change)
{
	char text[TOPIC_IMAGE_NAME_LEN_MAX];
	struct delta_colliding *colliding;
	struct slice key;

	if (map_get(&delta->topics_by_name, change->new->name) == change)
		map_remove(&delta->topics_by_name, change->new->name);
	if (!image_key_colliding(change->new->name, text, &key))
		return;
	colliding = map_get(&delta->topics_colliding, key);
	if (colliding == NULL || colliding->topic != change)
		return;
	map_remove(&delta->topics_colliding, key);
	free((void *)(uintptr_t)colliding->name.data);
	free(colliding);
}

static int
replay_remove_topic(struct delta *delta,
    const struct kp_remove_topic_record *record)
{
	struct delta_topic *change;

	if (delta_topic_by_id(delta, record->topic_id) == NULL) {
		delta_complain("a topic that does not exist is removed");
		return -1;
	}
	change = topic_change(delta, record->topic_id);
	drop_configs(delta, change->new->name);
	forget_name(delta, change);
	topic_image_unref(change->new);
	change->new = NULL;
	change->writable = false;
	return 0;
}

/* --- Partitions ---------------------------------------------------------- */

static int
set_partition(struct topic_image *topic, int32_t index,
    const struct partition_image *partition)
{
	if (partition != NULL &&
	    topic_image_set_partition(topic, index, partition) == 0)
		return 0;
	delta_complain("partition %d of topic %.*s makes no sense", index,
	    SLICE_ARG(topic->name));
	return -1;
}

static int
replay_partition(struct delta *delta,
    const struct kp_partition_record *record)
{
	struct topic_image *topic = writable_topic(delta, record->topic_id);

	if (topic == NULL) {
		delta_complain("a partition of a topic that does not exist");
		return -1;
	}
	return set_partition(topic, record->partition_id,
	    partition_image_new(record));
}

static int
replay_partition_change(struct delta *delta,
    const struct kp_partition_change_record *record)
{
	struct topic_image *topic = writable_topic(delta, record->topic_id);
	const struct partition_image *old = NULL;

	if (topic != NULL)
		old = topic_image_partition(topic, record->partition_id);
	if (old == NULL) {
		delta_complain("a partition that does not exist changes");
		return -1;
	}
	return set_partition(topic, record->partition_id,
	    partition_image_change(old, record));
}

static bool
partition_has_elr(const struct partition_image *partition)
{
	return partition != NULL &&
	    (partition->elr.count > 0 || partition->last_known_elr.count > 0);
}

static bool
topic_has_elr(const struct topic_image *topic)
{
	for (int32_t i = 0; i < topic->partitions_count; i++)
		if (partition_has_elr(topic->partitions[i]))
			return true;
	return false;
}

static int
clear_elr_of(struct delta *delta, const struct topic_image *shown)
{
	struct topic_image *topic;

	if (shown == NULL || !topic_has_elr(shown))
		return 0;
	topic = writable_topic(delta, shown->id);
	for (int32_t i = 0; i < topic->partitions_count; i++)
		if (partition_has_elr(topic->partitions[i]) &&
		    set_partition(topic, i,
			partition_image_clear_elr(topic->partitions[i])) != 0)
			return -1;
	return 0;
}

static int
clear_elr_of_all(struct delta *delta)
{
	const struct topic_image *topic;

	for (size_t at = 0; (topic = image_topic_next(delta->image, &at)) !=
	     NULL;)
		if (clear_elr_of(delta, delta_topic_by_id(delta, topic->id)) !=
		    0)
			return -1;
	for (size_t i = 0; i < delta->topics_count; i++)
		if (clear_elr_of(delta, delta->topics[i]->new) != 0)
			return -1;
	return 0;
}

static int
replay_clear_elr(struct delta *delta, const struct kp_clear_elr_record *record)
{
	if (record->topic_name.len == 0)
		return clear_elr_of_all(delta);
	return clear_elr_of(delta, delta_topic(delta, record->topic_name));
}

/* --- Brokers ------------------------------------------------------------- */

static struct delta_broker *
broker_change(struct delta *delta, int32_t id)
{
	struct delta_broker *change = delta_broker_find(delta, id);
	const struct broker_image *old;

	if (change != NULL)
		return change;
	change = xcalloc(1, sizeof(*change));
	change->id = id;
	old = image_broker(delta->image, id);
	if (old != NULL) {
		change->old = broker_image_ref(old);
		change->new = broker_image_ref(old);
	}
	APPEND(delta->brokers, delta->brokers_count, change);
	return change;
}

/* Takes over the reference of new, which may be NULL. */
static void
set_broker(struct delta *delta, int32_t id, const struct broker_image *new)
{
	struct delta_broker *change = broker_change(delta, id);

	broker_image_unref(change->new);
	change->new = new;
}

static int
replay_registration_change(struct delta *delta,
    const struct kp_broker_registration_change_record *record)
{
	const struct broker_image *old =
	    delta_broker(delta, record->broker_id);

	if (old == NULL || old->record.broker_epoch != record->broker_epoch) {
		delta_complain("broker %d changes in epoch %ld, but is not "
			       "registered in that",
		    record->broker_id, record->broker_epoch);
		return -1;
	}
	set_broker(delta, record->broker_id,
	    broker_image_change(old, record));
	return 0;
}

/* FenceBroker and UnfenceBroker are what older releases wrote. */
static int
replay_fencing(struct delta *delta, int32_t id, int64_t epoch, int8_t fenced)
{
	const struct kp_broker_registration_change_record change = {
		.broker_id = id,
		.broker_epoch = epoch,
		.fenced = fenced,
	};

	return replay_registration_change(delta, &change);
}

/* --- Configs ------------------------------------------------------------- */

static struct delta_configs *
configs_change(struct delta *delta, int8_t type, struct slice name)
{
	struct delta_configs *change;
	struct image_key key;
	const struct config_set *old;

	image_key_init(&key, type, name);
	change = map_get(&delta->configs_by_key, image_key_slice(&key));
	if (change == NULL) {
		change = xcalloc(1, sizeof(*change));
		change->type = type;
		change->name = own(name);
		change->key = image_key_copy(&key);
		old = image_configs(delta->image,
		    (enum image_config_type)type, name);
		if (old != NULL) {
			change->old = config_set_ref(old);
			change->new = config_set_ref(old);
		}
		map_set(&delta->configs_by_key, change->key, change);
		APPEND(delta->configs, delta->configs_count, change);
	}
	image_key_fini(&key);
	return change;
}

static int
replay_config(struct delta *delta, const struct kp_config_record *record)
{
	struct delta_configs *change = configs_change(delta,
	    record->resource_type, record->resource_name);
	struct config_set *set;

	if (!change->writable) {
		set = config_set_clone(change->new);
		config_set_unref(change->new);
		change->new = set;
		change->writable = true;
	}
	set = (struct config_set *)(uintptr_t)change->new;
	if (slice_is_null(record->value))
		config_set_remove(set, record->name);
	else
		config_set_put(set, record->name, record->value);
	if (set->count == 0) {
		config_set_unref(set);
		change->new = NULL;
		change->writable = false;
	}
	return 0;
}

/* A topic's configs go with it; no records say so. */
static void
drop_configs(struct delta *delta, struct slice topic)
{
	struct delta_configs *change;

	if (delta_configs_of(delta, IMAGE_CONFIG_TOPIC, topic) == NULL)
		return;
	change = configs_change(delta, IMAGE_CONFIG_TOPIC, topic);
	config_set_unref(change->new);
	change->new = NULL;
	change->writable = false;
}

/* --- Features and producer ids ------------------------------------------- */

static bool
level_known(struct slice name, int16_t level)
{
	size_t count;
	const struct broker_ops_feature *features =
	    broker_ops_features(&count);

	for (size_t i = 0; i < count; i++)
		if (slice_equal_str(name, features[i].name))
			return level == 0 || (level >= features[i].min &&
			    level <= features[i].max);
	return false;
}

static int
replay_feature(struct delta *delta,
    const struct kp_feature_level_record *record)
{
	struct delta_feature change;

	if (!level_known(record->name, record->feature_level)) {
		delta_complain("feature %.*s at level %d is not known here",
		    SLICE_ARG(record->name), record->feature_level);
		return -1;
	}
	for (size_t i = 0; i < delta->features_count; i++) {
		if (slice_equal(delta->features[i].name, record->name)) {
			delta->features[i].level = record->feature_level;
			return 0;
		}
	}
	change.name = own(record->name);
	change.level = record->feature_level;
	APPEND(delta->features, delta->features_count, change);
	return 0;
}

static int
replay_producer_ids(struct delta *delta,
    const struct kp_producer_ids_record *record)
{
	if (record->next_producer_id < 0) {
		delta_complain("%ld is no producer id",
		    record->next_producer_id);
		return -1;
	}
	delta->producer_id_next = record->next_producer_id;
	return 0;
}

/* --- Kept records -------------------------------------------------------- */

/* value null removes. */
static int
keep(struct delta *delta, enum metadata_record_type type,
    struct slice identity, struct slice value)
{
	struct delta_kept *change;
	struct image_key key;

	image_key_init(&key, (int16_t)type, identity);
	change = map_get(&delta->kept_by_key, image_key_slice(&key));
	if (change == NULL) {
		change = xcalloc(1, sizeof(*change));
		change->api_key = (int16_t)type;
		change->identity = own(identity);
		change->key = image_key_copy(&key);
		map_set(&delta->kept_by_key, change->key, change);
		APPEND(delta->kept, delta->kept_count, change);
	}
	image_key_fini(&key);
	free((void *)(uintptr_t)change->value.data);
	change->value = slice_is_null(value) ? SLICE_NULL : own(value);
	return 0;
}

uint8_t *
delta_scram_identity(
    struct slice name, int8_t mechanism, struct slice *identity)
{
	uint8_t *bytes = xmalloc(1 + name.len);

	bytes[0] = (uint8_t)mechanism;
	if (name.len > 0)
		memcpy(bytes + 1, name.data, name.len);
	*identity = slice_of(bytes, 1 + name.len);
	return bytes;
}

static int
keep_scram(struct delta *delta, struct slice name, int8_t mechanism,
    struct slice value)
{
	struct slice identity;
	uint8_t *bytes = delta_scram_identity(name, mechanism, &identity);
	int result = keep(
	    delta, METADATA_RECORD_USER_SCRAM_CREDENTIAL, identity, value);

	free(bytes);
	return result;
}

static int
keep_quota(struct delta *delta, const struct kp_client_quota_record *record,
    struct slice value)
{
	struct buf identity;
	int result;

	buf_init(&identity, METADATA_RECORD_BATCH_LEN_MAX);
	result = client_quota_identity(
	    record->entity, record->entity_count, record->key, &identity);
	if (result == 0)
		result = keep(delta, METADATA_RECORD_CLIENT_QUOTA,
		    buf_slice(&identity),
		    record->remove ? SLICE_NULL : value);
	buf_fini(&identity);
	return result;
}

static int
replay_kept(struct delta *delta, const struct metadata_record *record)
{
	const void *body = record->body;

	switch (record->type) {
	case METADATA_RECORD_ACCESS_CONTROL_ENTRY: {
		const struct kp_access_control_entry_record *acl = body;

		return keep(delta, record->type,
		    slice_of(acl->id.bytes, sizeof(acl->id.bytes)),
		    record->value);
	}
	case METADATA_RECORD_REMOVE_ACCESS_CONTROL_ENTRY: {
		const struct kp_remove_access_control_entry_record *acl = body;

		return keep(delta, METADATA_RECORD_ACCESS_CONTROL_ENTRY,
		    slice_of(acl->id.bytes, sizeof(acl->id.bytes)),
		    SLICE_NULL);
	}
	case METADATA_RECORD_DELEGATION_TOKEN: {
		const struct kp_delegation_token_record *token = body;

		return keep(delta, record->type, token->token_id,
		    record->value);
	}
	case METADATA_RECORD_REMOVE_DELEGATION_TOKEN: {
		const struct kp_remove_delegation_token_record *token = body;

		return keep(delta, METADATA_RECORD_DELEGATION_TOKEN,
		    token->token_id, SLICE_NULL);
	}
	case METADATA_RECORD_USER_SCRAM_CREDENTIAL: {
		const struct kp_user_scram_credential_record *user = body;

		return keep_scram(delta, user->name, user->mechanism,
		    record->value);
	}
	case METADATA_RECORD_REMOVE_USER_SCRAM_CREDENTIAL: {
		const struct kp_remove_user_scram_credential_record *user =
		    body;

		return keep_scram(delta, user->name, user->mechanism,
		    SLICE_NULL);
	}
	case METADATA_RECORD_CLIENT_QUOTA:
		return keep_quota(delta, body, record->value);
	case METADATA_RECORD_REGISTER_CONTROLLER: {
		const struct kp_register_controller_record *controller = body;

		return keep(delta, record->type,
		    slice_of(&controller->controller_id,
			sizeof(controller->controller_id)),
		    record->value);
	}
	default:
		return 0;	/* NoOp, ZkMigrationState: nothing to keep */
	}
}

/* --- Transactions -------------------------------------------------------- */

static int
replay_one(struct delta *delta, const struct metadata_record *record);

static int
replay_value(struct delta *delta, struct slice value)
{
	struct metadata_record record;
	struct arena arena;
	const char *reason;
	int result;

	arena_init(&arena, SIZE_MAX);
	result = metadata_record_decode(value, &arena, &record, &reason);
	assert(result == 0);	/* it was decoded once already */
	result = replay_one(delta, &record);
	arena_reset(&arena);
	return result;
}

static int
end_transaction(struct delta *delta)
{
	int result = 0;

	delta->in_transaction = false;
	for (size_t i = 0; i < delta->pending_count && result == 0; i++)
		result = replay_value(delta, delta->pending[i]);
	delta_pending_drop(delta);
	return result;
}

/* --- All ----------------------------------------------------------------- */

static int
replay_one(struct delta *delta, const struct metadata_record *record)
{
	const void *body = record->body;

	switch (record->type) {
	case METADATA_RECORD_TOPIC:
		return replay_topic(delta, body);
	case METADATA_RECORD_REMOVE_TOPIC:
		return replay_remove_topic(delta, body);
	case METADATA_RECORD_PARTITION:
		return replay_partition(delta, body);
	case METADATA_RECORD_PARTITION_CHANGE:
		return replay_partition_change(delta, body);
	case METADATA_RECORD_CLEAR_ELR:
		return replay_clear_elr(delta, body);
	case METADATA_RECORD_CONFIG:
		return replay_config(delta, body);
	case METADATA_RECORD_FEATURE_LEVEL:
		return replay_feature(delta, body);
	case METADATA_RECORD_PRODUCER_IDS:
		return replay_producer_ids(delta, body);
	case METADATA_RECORD_REGISTER_BROKER: {
		const struct kp_register_broker_record *broker = body;

		set_broker(delta, broker->broker_id,
		    broker_image_new(broker));
		return 0;
	}
	case METADATA_RECORD_UNREGISTER_BROKER: {
		const struct kp_unregister_broker_record *broker = body;

		set_broker(delta, broker->broker_id, NULL);
		return 0;
	}
	case METADATA_RECORD_BROKER_REGISTRATION_CHANGE:
		return replay_registration_change(delta, body);
	case METADATA_RECORD_FENCE_BROKER: {
		const struct kp_fence_broker_record *fence = body;

		return replay_fencing(delta, fence->id, fence->epoch, 1);
	}
	case METADATA_RECORD_UNFENCE_BROKER: {
		const struct kp_unfence_broker_record *unfence = body;

		return replay_fencing(delta, unfence->id, unfence->epoch, -1);
	}
	default:
		return replay_kept(delta, record);
	}
}

int
delta_replay(struct delta *delta, const struct metadata_record *record)
{
	switch (record->type) {
	case METADATA_RECORD_BEGIN_TRANSACTION:
		delta->in_transaction = true;
		return 0;
	case METADATA_RECORD_END_TRANSACTION:
		return end_transaction(delta);
	case METADATA_RECORD_ABORT_TRANSACTION:
		delta->in_transaction = false;
		delta_pending_drop(delta);
		return 0;
	default:
		if (!delta->in_transaction)
			return replay_one(delta, record);
		APPEND(delta->pending, delta->pending_count,
		    own(record->value));
		return 0;
	}
}
