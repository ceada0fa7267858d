/*
 * Whoever may do nothing gets nothing: every API that is served, asked by a
 * principal without rights, answers with Kafka's errors for that, and with
 * them where its answer has them.
 *
 * Requests are made from the tables of fields: each string is "x", each array
 * has one element.  An API without a row below fails the test, so none is
 * added without a thought for who may use it.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "e2e/broker_process.h"
#include "e2e/raw_client.h"
#include "wire/codec.h"
#include "wire/error.h"
#include "wire/generated/api_versions.h"

#define HIGHEST (-1)

/*
 * The error codes of the answer in their order, by Kafka's matrix (KafkaApis,
 * ControllerApis).  What is asked for by a topic's id is asked for at a version
 * that has names.
 */
struct row {
	const char *api;
	int version;
	const char *errors;
};

static const struct row rows[] = {
	{ "Produce", 12, "29" },
	{ "Fetch", 12, "0 29" },
	{ "ListOffsets", HIGHEST, "29" },
	{ "Metadata", HIGHEST, "29 0" },
	{ "OffsetCommit", HIGHEST, "30" },
	{ "OffsetFetch", HIGHEST, "30" },
	{ "FindCoordinator", HIGHEST, "30" },
	{ "JoinGroup", HIGHEST, "30" },
	{ "Heartbeat", HIGHEST, "30" },
	{ "LeaveGroup", HIGHEST, "30" },
	{ "SyncGroup", HIGHEST, "30" },
	{ "DescribeGroups", HIGHEST, "30" },
	{ "ListGroups", HIGHEST, "0" },
	{ "ApiVersions", HIGHEST, "0" },
	{ "SaslHandshake", HIGHEST, "34" },
	{ "SaslAuthenticate", HIGHEST, "34" },
	{ "DescribeClientQuotas", HIGHEST, "31" },
	{ "AlterClientQuotas", HIGHEST, "31" },
	{ "DescribeUserScramCredentials", HIGHEST, "31" },
	{ "AlterUserScramCredentials", HIGHEST, "31" },
	{ "CreateTopics", HIGHEST, "29" },
	{ "DeleteTopics", 5, "29" },
	{ "DeleteRecords", HIGHEST, "29" },
	{ "InitProducerId", HIGHEST, "53" },
	{ "OffsetForLeaderEpoch", HIGHEST, "29" },
	{ "AddPartitionsToTxn", HIGHEST, "31" },
	{ "AddOffsetsToTxn", HIGHEST, "53" },
	{ "EndTxn", HIGHEST, "53" },
	{ "WriteTxnMarkers", HIGHEST, "31" },
	{ "TxnOffsetCommit", HIGHEST, "53" },
	{ "DescribeAcls", HIGHEST, "31" },
	{ "CreateAcls", HIGHEST, "31" },
	{ "DeleteAcls", HIGHEST, "31" },
	{ "DescribeConfigs", HIGHEST, "29" },
	{ "AlterConfigs", HIGHEST, "29" },
	{ "AlterReplicaLogDirs", HIGHEST, "31" },
	{ "DescribeLogDirs", HIGHEST, "31" },
	{ "CreatePartitions", HIGHEST, "29" },
	{ "CreateDelegationToken", HIGHEST, "64" },
	{ "RenewDelegationToken", HIGHEST, "64" },
	{ "ExpireDelegationToken", HIGHEST, "64" },
	{ "DescribeDelegationToken", HIGHEST, "64" },
	{ "DeleteGroups", HIGHEST, "30" },
	{ "ElectLeaders", HIGHEST, "31 31" },
	{ "IncrementalAlterConfigs", HIGHEST, "29" },
	{ "AlterPartitionReassignments", HIGHEST, "31 31" },
	{ "ListPartitionReassignments", HIGHEST, "31" },
	{ "OffsetDelete", HIGHEST, "30" },
	{ "DescribeQuorum", HIGHEST, "31" },
	{ "DescribeCluster", HIGHEST, "0" },
	{ "DescribeProducers", HIGHEST, "29" },
	{ "DescribeTransactions", HIGHEST, "53" },
	{ "ListTransactions", HIGHEST, "0" },
	{ "ConsumerGroupHeartbeat", HIGHEST, "30" },
	{ "ConsumerGroupDescribe", HIGHEST, "30" },
	{ "ListConfigResources", HIGHEST, "31" },
	{ "DescribeTopicPartitions", HIGHEST, "29" },
	{ "UpdateFeatures", HIGHEST, "31" },
	{ "ShareGroupHeartbeat", HIGHEST, "30" },
	{ "ShareGroupDescribe", HIGHEST, "30" },
	{ "ShareFetch", HIGHEST, "30" },
	{ "ShareAcknowledge", HIGHEST, "30" },
	{ "InitializeShareGroupState", HIGHEST, "31" },
	{ "ReadShareGroupState", HIGHEST, "31" },
	{ "WriteShareGroupState", HIGHEST, "31" },
	{ "DeleteShareGroupState", HIGHEST, "31" },
	{ "ReadShareGroupStateSummary", HIGHEST, "31" },
	{ "StreamsGroupHeartbeat", HIGHEST, "30" },
	{ "StreamsGroupDescribe", HIGHEST, "30" },
	{ "DescribeShareGroupOffsets", HIGHEST, "30" },
	{ "AlterShareGroupOffsets", HIGHEST, "30" },
	{ "DeleteShareGroupOffsets", HIGHEST, "30" },
};

static struct broker_process broker;

/* --- Requests from tables ------------------------------------------------- */

static void fill(
    const struct kp_struct *type, void *data, int version, struct arena *arena);

static void
fill_array(
    const struct kp_field *field, void *at, int version, struct arena *arena)
{
	size_t size = kp_kind_size((enum kp_kind)field->element, field->type);
	void *element = arena_xcalloc(arena, 1, size);
	const struct slice text = slice_str("x");

	if (field->element == KP_STRUCT)
		fill(field->type, element, version, arena);
	else if (field->element == KP_STRING)
		memcpy(element, &text, sizeof(text));
	memcpy(at, &element, sizeof(element));
	*kp_count(at) = 1;
}

static bool
is_named(const struct kp_field *field, const char *name)
{
	return strcmp(field->name, name) == 0;
}

/* What else would be refused before anybody asks for permission. */
static void
fill_number(const struct kp_field *field, void *at)
{
	const int32_t timeout_ms = 1000;
	const int16_t acks = -1;
	const int8_t topic = 2;

	if (field->kind == KP_INT32 && is_named(field, "timeoutMs"))
		memcpy(at, &timeout_ms, sizeof(timeout_ms));
	else if (field->kind == KP_INT16 && is_named(field, "acks"))
		memcpy(at, &acks, sizeof(acks));
	else if (field->kind == KP_INT8 && is_named(field, "resourceType"))
		memcpy(at, &topic, sizeof(topic));
}

static void
fill_field(
    const struct kp_field *field, void *at, int version, struct arena *arena)
{
	const struct slice text = slice_str("x");

	switch ((enum kp_kind)field->kind) {
	case KP_STRING:
	case KP_STRING_PLAIN:
		memcpy(at, &text, sizeof(text));
		break;
	case KP_STRUCT:
		fill(field->type, at, version, arena);
		break;
	case KP_ARRAY:
		fill_array(field, at, version, arena);
		break;
	case KP_RECORDS:
		((struct kp_records *)at)->bytes = text;
		((struct kp_records *)at)->len = text.len;
		break;
	default:
		fill_number(field, at);
		break;
	}
}

static void
fill(const struct kp_struct *type, void *data, int version, struct arena *arena)
{
	kp_defaults_struct(type, data);
	for (int i = 0; i < type->field_count; i++)
		if (kp_field_present(&type->fields[i], version))
			fill_field(&type->fields[i],
			    (char *)data + type->fields[i].offset, version,
			    arena);
}

/* --- Errors by tables ----------------------------------------------------- */

struct errors {
	char text[256];
	size_t len;
};

static void collect(const struct kp_struct *type, const void *data, int version,
    struct errors *errors);

static bool
is_error(const struct kp_field *field)
{
	size_t len = strlen(field->name);

	return field->kind == KP_INT16 && len >= 8 &&
	    strcmp(field->name + len - 8, "rrorCode") == 0;
}

static void
collect_array(const struct kp_field *field, const void *at, int version,
    struct errors *errors)
{
	size_t size = kp_kind_size((enum kp_kind)field->element, field->type);
	const char *elements;

	memcpy(&elements, at, sizeof(elements));
	for (int32_t i = 0; i < kp_count_get(at); i++)
		collect(
		    field->type, elements + (size_t)i * size, version, errors);
}

static void
collect(const struct kp_struct *type, const void *data, int version,
    struct errors *errors)
{
	for (int i = 0; i < type->field_count; i++) {
		const struct kp_field *field = &type->fields[i];
		const char *at = (const char *)data + field->offset;
		int16_t code;

		if (!kp_field_present(field, version))
			continue;
		if (is_error(field)) {
			memcpy(&code, at, sizeof(code));
			errors->len +=
			    (size_t)snprintf(errors->text + errors->len,
				sizeof(errors->text) - errors->len, "%s%d",
				errors->len == 0 ? "" : " ", code);
		} else if (field->kind == KP_ARRAY &&
		    field->element == KP_STRUCT) {
			collect_array(field, at, version, errors);
		}
	}
}

/* --- The test ------------------------------------------------------------- */

static const struct row *
row_of(const char *api)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (strcmp(rows[i].api, api) == 0)
			return &rows[i];
	return NULL;
}

static void
ask(const struct kp_api *api, int16_t version, struct errors *errors)
{
	struct raw_client client;
	const void *response;
	void *request;

	raw_client_init(&client, &broker);
	request = arena_xcalloc(&client.arena, 1, api->request->body->size);
	fill(api->request->body, request, version, &client.arena);
	response =
	    raw_client_try_call(&client, api->request->key, version, request);
	if (response == NULL)
		snprintf(errors->text, sizeof(errors->text), "nothing");
	else
		collect(api->response->body, response, version, errors);
	raw_client_fini(&client);
}

static bool
check(int16_t key, int16_t version_max)
{
	const struct kp_api *api = kp_api_find(key);
	const struct row *row = row_of(api->name);
	struct errors errors = { .len = 0 };

	if (row == NULL) {
		fprintf(stderr, "%s: who may use it?\n", api->name);
		return false;
	}
	if (row->version != HIGHEST)
		version_max = (int16_t)row->version;
	ask(api, version_max, &errors);
	if (strcmp(errors.text, row->errors) == 0)
		return true;
	fprintf(stderr, "%s version %d answers %s, not %s\n", api->name,
	    version_max, errors.text, row->errors);
	return false;
}

static void
nothing_is_for_those_without_rights(void **state UNUSED)
{
	struct kp_api_versions_request request = {
		.client_software_name = slice_str("x"),
		.client_software_version = slice_str("1"),
	};
	const struct kp_api_versions_response *response;
	struct raw_client client;
	bool right = true;

	raw_client_init(&client, &broker);
	response = raw_client_call(&client, KP_API_VERSIONS_KEY, 3, &request);
	for (int32_t i = 0; i < response->api_keys_count; i++)
		right &= check(response->api_keys[i].api_key,
		    response->api_keys[i].max_version);
	raw_client_fini(&client);
	assert_true(right);
}

static int
start_broker(void **state UNUSED)
{
	broker_process_start(&broker, "--override",
	    "authorizer.class.name=org.apache.kafka.metadata.authorizer."
	    "StandardAuthorizer",
	    NULL);
	return 0;
}

static int
stop_broker(void **state UNUSED)
{
	broker_process_fini(&broker);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_for_those_without_rights),
	};

	return cmocka_run_group_tests(tests, start_broker, stop_broker);
}
