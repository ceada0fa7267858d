/*
 * Deleting topics, by name or by id: the checks in the order of Kafka's
 * ControllerApis.
 */
#include "base/base.h"
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

static void
emit(struct deletion *deletion, const struct topic_image *topic)
{
	const struct kp_remove_topic_record record = {
		.topic_id = topic->id,
	};

	controller_emit(deletion->controller, METADATA_RECORD_REMOVE_TOPIC,
	    &record);
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
	emit(deletion, topic);
	return KP_NONE;
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
	emit(deletion, topic);
	return KP_NONE;
}

/* --- The request's entries ------------------------------------------------- */

static bool
names(const struct kp_delete_topics_request_topic *entry,
    const struct delta *view, struct uuid id)
{
	const struct topic_image *topic;

	if (slice_is_null(entry->name))
		return false;
	topic = delta_topic(view, entry->name);
	return topic != NULL && uuid_equal(topic->id, id);
}

/* Is the entry's topic asked for by another entry too, by name or id? */
static bool
repeated(const struct deletion *deletion, int32_t index, bool before)
{
	const struct kp_delete_topics_request *request =
	    deletion->op->request;
	const struct kp_delete_topics_request_topic *entry =
	    &request->topics[index];
	const struct delta *view = controller_view(deletion->controller);

	for (int32_t i = 0; i < (before ? index : request->topics_count);
	     i++) {
		const struct kp_delete_topics_request_topic *other =
		    &request->topics[i];

		if (i == index)
			continue;
		if (!slice_is_null(entry->name) &&
		    slice_equal(entry->name, other->name))
			return true;
		if (!uuid_is_zero(entry->topic_id) &&
		    (uuid_equal(entry->topic_id, other->topic_id) ||
			names(other, view, entry->topic_id)))
			return true;
	}
	return false;
}

static enum kp_error
delete_entry(struct deletion *deletion, int32_t index, bool twice)
{
	const struct kp_delete_topics_request_topic *entry =
	    &deletion->op->request->topics[index];
	bool named = !slice_is_null(entry->name);
	bool identified = !uuid_is_zero(entry->topic_id);

	deletion->out->name = entry->name;
	deletion->out->topic_id = entry->topic_id;
	if (named == identified) {
		deletion->out->error_message = slice_str(named ?
			"You may not specify both topic name and topic id." :
			"Neither topic name nor id were specified.");
		return KP_INVALID_REQUEST;
	}
	if (twice) {
		deletion->out->error_message = slice_str(
		    named ? "Duplicate topic name." : "Duplicate topic id.");
		return KP_INVALID_REQUEST;
	}
	return named ? delete_named(deletion, entry->name) :
		       delete_identified(deletion, entry->topic_id);
}

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

static void
run_entries(struct delete_topics_op *op, struct controller *controller,
    enum kp_error whole)
{
	const struct kp_delete_topics_request *request = op->request;
	size_t count = (size_t)MAX(request->topics_count, 0);
	bool *twice = arena_xcalloc(op->arena, count, sizeof(*twice));
	struct deletion deletion = { op, controller, NULL };

	/* Before anything is deleted, while names still lead to ids. */
	for (size_t i = 0; i < count; i++)
		twice[i] = repeated(&deletion, (int32_t)i, false);
	for (size_t i = 0; i < count; i++) {
		const struct kp_delete_topics_request_topic *entry =
		    &request->topics[i];
		enum kp_error error = whole;

		if (twice[i] && repeated(&deletion, (int32_t)i, true))
			continue;
		deletion.out = next_out(op);
		deletion.out->name = entry->name;
		deletion.out->topic_id = entry->topic_id;
		if (error == KP_NONE)
			error = delete_entry(&deletion, (int32_t)i, twice[i]);
		deletion.out->error_code = (int16_t)error;
	}
}

static bool
name_repeated(const struct kp_delete_topics_request *request, int32_t index,
    int32_t end)
{
	for (int32_t i = 0; i < end; i++)
		if (i != index &&
		    slice_equal(request->topic_names[i],
			request->topic_names[index]))
			return true;
	return false;
}

static void
run_names(struct delete_topics_op *op, struct controller *controller,
    enum kp_error whole)
{
	const struct kp_delete_topics_request *request = op->request;
	struct deletion deletion = { op, controller, NULL };

	for (int32_t i = 0; i < request->topic_names_count; i++) {
		enum kp_error error = whole;

		if (name_repeated(request, i, i))
			continue;
		deletion.out = next_out(op);
		deletion.out->name = request->topic_names[i];
		if (error == KP_NONE &&
		    name_repeated(request, i, request->topic_names_count)) {
			deletion.out->error_message =
			    slice_str("Duplicate topic name.");
			error = KP_INVALID_REQUEST;
		}
		if (error == KP_NONE)
			error = delete_named(&deletion,
			    request->topic_names[i]);
		deletion.out->error_code = (int16_t)error;
	}
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
