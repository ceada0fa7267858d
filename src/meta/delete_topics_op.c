/*
 * Deleting topics, by name or by id: the checks in the order of Kafka's
 * ControllerApis.
 */
#include "base/base.h"
#include "base/tally.h"
#include "meta/configs.h"
#include "meta/topic_ops.h"
#include "wire/generated/metadata_remove_topic_record.h"

/* From here on entries have an id, and a text for the error. */
#define VERSION_IDS 6
/* Before, a disabled deletion was a bad request. */
#define VERSION_DISABLED 3

struct deletion {
	struct delete_topics_op *op;
	struct controller *controller;
	struct kp_delete_topics_response_topic *out;
};

static enum kp_error
refuse(struct deletion *deletion, enum kp_error error)
{
	deletion->out->error_message = slice_str(kp_error_message(error));
	return error;
}

static enum kp_error
refuse_request(struct deletion *deletion, const char *message)
{
	deletion->out->error_message = slice_str(message);
	return KP_INVALID_REQUEST;
}

static bool
may(const struct deletion *deletion, enum access_operation operation,
    struct slice name)
{
	return access_allowed(deletion->op->access, operation, ACCESS_TOPIC,
	    name);
}

static bool
may_delete(const struct deletion *deletion, struct slice name)
{
	return access_allowed(deletion->op->access, ACCESS_DELETE,
		   ACCESS_CLUSTER, ACCESS_CLUSTER_NAME) ||
	    may(deletion, ACCESS_DELETE, name);
}

static enum kp_error
delete(struct deletion *deletion, const struct topic_image *topic)
{
	const struct kp_remove_topic_record record = {
		.topic_id = topic->id,
	};

	if (!mutation_quota_spend(
		deletion->op->quota, topic->partitions_count))
		return KP_THROTTLING_QUOTA_EXCEEDED;
	controller_emit(deletion->controller, METADATA_RECORD_REMOVE_TOPIC,
	    &record);
	return KP_NONE;
}

/* Whether a topic is there is only told to those who may describe it. */
static enum kp_error
delete_named(struct deletion *deletion, struct slice name)
{
	const struct topic_image *topic =
	    delta_topic(controller_view(deletion->controller), name);

	if (!may(deletion, ACCESS_DESCRIBE, name) &&
	    !may_delete(deletion, name))
		return refuse(deletion, KP_TOPIC_AUTHORIZATION_FAILED);
	if (topic == NULL)
		return refuse(deletion, KP_UNKNOWN_TOPIC_OR_PARTITION);
	if (!may_delete(deletion, name))
		return refuse(deletion, KP_TOPIC_AUTHORIZATION_FAILED);
	deletion->out->topic_id = topic->id;
	return delete(deletion, topic);
}

static enum kp_error
delete_identified(struct deletion *deletion, struct uuid id)
{
	const struct topic_image *topic =
	    delta_topic_by_id(controller_view(deletion->controller), id);

	if (topic == NULL)
		return refuse(deletion, KP_UNKNOWN_TOPIC_ID);
	if (may(deletion, ACCESS_DESCRIBE, topic->name))
		deletion->out->name =
		    arena_copy(deletion->op->arena, topic->name);
	if (!may_delete(deletion, topic->name))
		return refuse(deletion, KP_TOPIC_AUTHORIZATION_FAILED);
	return delete(deletion, topic);
}

/* --- The request's entries ------------------------------------------------ */

static enum kp_error
whole_request_error(const struct delete_topics_op *op,
    const struct controller *controller)
{
	if (!configs_broker_bool(controller_configs(controller),
		"delete.topic.enable"))
		return op->version < VERSION_DISABLED ?
		    KP_INVALID_REQUEST :
		    KP_TOPIC_DELETION_DISABLED;
	return op->request->timeout_ms <= 0 ? KP_REQUEST_TIMED_OUT : KP_NONE;
}

static struct kp_delete_topics_response_topic *
next_out(struct delete_topics_op *op)
{
	return &op->response.responses[op->response.responses_count++];
}

/* What is asked for how often; keys are the request's and ids'. */
struct asked {
	struct tally names;
	struct tally ids;
	/* The topics that names lead to: gone once they are deleted. */
	struct tally ids_of_names;
	struct uuid *ids_found;
	struct tally seen_names;
	struct tally seen_ids;
};

static bool
is_named(const struct kp_delete_topics_request_topic *entry)
{
	return !slice_is_null(entry->name) && uuid_is_zero(entry->topic_id);
}

static bool
is_identified(const struct kp_delete_topics_request_topic *entry)
{
	return slice_is_null(entry->name) && !uuid_is_zero(entry->topic_id);
}

static void
asked_init(struct asked *asked, const struct delete_topics_op *op,
    const struct delta *view)
{
	const struct kp_delete_topics_request *request = op->request;
	size_t count = (size_t)MAX(request->topics_count, 0);

	tally_init(&asked->names);
	tally_init(&asked->ids);
	tally_init(&asked->ids_of_names);
	tally_init(&asked->seen_names);
	tally_init(&asked->seen_ids);
	asked->ids_found =
	    arena_xcalloc(op->arena, count, sizeof(*asked->ids_found));
	for (size_t i = 0; i < count; i++) {
		if (is_named(&request->topics[i]))
			(void)tally_add(&asked->names,
			    request->topics[i].name);
		if (is_identified(&request->topics[i]))
			(void)tally_add(&asked->ids,
			    MAP_KEY(request->topics[i].topic_id));
	}
	for (size_t i = 0; i < count; i++) {
		const struct kp_delete_topics_request_topic *entry =
		    &request->topics[i];
		const struct topic_image *topic;

		if (!is_named(entry) ||
		    tally_count(&asked->names, entry->name) > 1 ||
		    (topic = delta_topic(view, entry->name)) == NULL)
			continue;
		asked->ids_found[i] = topic->id;
		(void)tally_add(&asked->ids_of_names,
		    MAP_KEY(asked->ids_found[i]));
	}
}

static void
asked_fini(struct asked *asked)
{
	tally_fini(&asked->names);
	tally_fini(&asked->ids);
	tally_fini(&asked->ids_of_names);
	tally_fini(&asked->seen_names);
	tally_fini(&asked->seen_ids);
}

/* Is the entry answered by another one? */
static bool
answered_elsewhere(struct asked *asked,
    const struct kp_delete_topics_request_topic *entry)
{
	if (is_named(entry))
		return tally_add(&asked->seen_names, entry->name) > 1;
	if (!is_identified(entry))
		return false;
	return tally_add(&asked->seen_ids, MAP_KEY(entry->topic_id)) > 1 ||
	    (tally_count(&asked->ids, MAP_KEY(entry->topic_id)) == 1 &&
		tally_count(&asked->ids_of_names, MAP_KEY(entry->topic_id)) >
		    0);
}

static enum kp_error
delete_by_name(struct deletion *deletion, const struct asked *asked,
    int32_t index)
{
	struct slice name = deletion->op->request->topics[index].name;

	if (tally_count(&asked->names, name) > 1)
		return refuse_request(deletion, "Duplicate topic name.");
	if (tally_count(&asked->ids, MAP_KEY(asked->ids_found[index])) > 0) {
		deletion->out->topic_id = asked->ids_found[index];
		return refuse_request(deletion,
		    "The provided topic name maps to an ID that was already "
		    "supplied.");
	}
	return delete_named(deletion, name);
}

static enum kp_error
delete_entry(struct deletion *deletion, const struct asked *asked,
    int32_t index)
{
	const struct kp_delete_topics_request_topic *entry =
	    &deletion->op->request->topics[index];

	if (is_named(entry))
		return delete_by_name(deletion, asked, index);
	if (!is_identified(entry))
		return refuse_request(deletion,
		    slice_is_null(entry->name) ?
			"Neither topic name nor id were specified." :
			"You may not specify both topic name and topic id.");
	if (tally_count(&asked->ids, MAP_KEY(entry->topic_id)) > 1)
		return refuse_request(deletion, "Duplicate topic id.");
	return delete_identified(deletion, entry->topic_id);
}

static void
run_entries(struct delete_topics_op *op, struct controller *controller,
    enum kp_error whole)
{
	const struct kp_delete_topics_request *request = op->request;
	struct deletion deletion = { op, controller, NULL };
	struct asked asked;

	/* Before anything is deleted, while names still lead to ids. */
	asked_init(&asked, op, controller_view(controller));
	for (int32_t i = 0; i < request->topics_count; i++) {
		const struct kp_delete_topics_request_topic *entry =
		    &request->topics[i];
		enum kp_error error = whole;

		if (answered_elsewhere(&asked, entry))
			continue;
		deletion.out = next_out(op);
		deletion.out->name = entry->name;
		deletion.out->topic_id = entry->topic_id;
		if (error == KP_NONE)
			error = delete_entry(&deletion, &asked, i);
		deletion.out->error_code = (int16_t)error;
	}
	asked_fini(&asked);
}

/* Versions without ids. */
static void
run_names(struct delete_topics_op *op, struct controller *controller,
    enum kp_error whole)
{
	const struct kp_delete_topics_request *request = op->request;
	struct deletion deletion = { op, controller, NULL };
	struct tally names, seen;

	tally_init(&names);
	tally_init(&seen);
	for (int32_t i = 0; i < request->topic_names_count; i++)
		(void)tally_add(&names, request->topic_names[i]);
	for (int32_t i = 0; i < request->topic_names_count; i++) {
		struct slice name = request->topic_names[i];
		enum kp_error error = whole;

		if (tally_add(&seen, name) > 1)
			continue;
		deletion.out = next_out(op);
		deletion.out->name = name;
		if (error == KP_NONE)
			error = tally_count(&names, name) > 1 ?
			    refuse_request(&deletion,
				"Duplicate topic name.") :
			    delete_named(&deletion, name);
		deletion.out->error_code = (int16_t)error;
	}
	tally_fini(&names);
	tally_fini(&seen);
}

static void
run(struct controller_op *base, struct controller *controller)
{
	struct delete_topics_op *op =
	    CONTAINER_OF(base, struct delete_topics_op, op);
	enum kp_error whole = whole_request_error(op, controller);
	int32_t count = MAX(op->version >= VERSION_IDS ?
		op->request->topics_count :
		op->request->topic_names_count, 0);

	kp_defaults(&kp_delete_topics_response, &op->response);
	mutation_quota_begin(op->quota);
	op->response.responses = kp_array(op->arena,
	    &kp_delete_topics_response_topic_struct, count);
	assert(op->response.responses != NULL);
	if (op->version >= VERSION_IDS)
		run_entries(op, controller, whole);
	else
		run_names(op, controller, whole);
}

void
delete_topics_op_init(struct delete_topics_op *op)
{
	memset(op, 0, sizeof(*op));
	op->op.run = run;
}
