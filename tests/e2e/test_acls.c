/*
 * Access control lists: what the APIs make of them, and what is allowed by
 * those that were made, also after a kill.
 *
 * All clients here are User:ANONYMOUS from 127.0.0.1, who is a super user as
 * long as a test makes entries, and nobody once the broker has been started
 * again without that.
 */
#include "unit/unit.h"

#include "auth/acl.h"
#include "e2e/broker_process.h"
#include "e2e/raw_client.h"
#include "e2e/raw_topic.h"
#include "wire/codec.h"
#include "wire/error.h"
#include "wire/generated/create_acls.h"
#include "wire/generated/delete_acls.h"
#include "wire/generated/describe_acls.h"
#include "wire/generated/init_producer_id.h"
#include "wire/generated/metadata.h"

#define VERSION 3
#define SUPER "super.users=User:admin;User:ANONYMOUS"
#define NOBODY "super.users=User:admin"

static struct broker_process broker;
static size_t super_argument;

#define call(client, NAME, name, version, request)             \
	((const struct kp_##name##_response *)raw_client_call( \
	    client, KP_##NAME##_KEY, (int16_t)(version), request))

static int
start_broker(void **state)
{
	struct raw_client *client = xmalloc(sizeof(*client));

	broker_process_init(&broker);
	broker_process_argument(&broker, "--override");
	broker_process_argument(&broker,
	    "authorizer.class.name=org.apache.kafka.metadata.authorizer."
	    "StandardAuthorizer");
	broker_process_argument(&broker, "--override");
	super_argument = broker.arguments_count;
	broker_process_argument(&broker, SUPER);
	broker_process_restart(&broker);
	raw_client_init(client, &broker);
	*state = client;
	return 0;
}

static int
stop_broker(void **state)
{
	raw_client_fini(*state);
	free(*state);
	broker_process_fini(&broker);
	return 0;
}

/* The broker is killed and comes back with other super users. */
static void
become(struct raw_client *client, const char *super_users)
{
	raw_client_fini(client);
	broker_process_kill(&broker);
	broker.arguments[super_argument] = super_users;
	broker_process_restart(&broker);
	raw_client_init(client, &broker);
}

/* --- Making and finding --------------------------------------------------- */

/* What the tests make of: READ for everybody on the topic "t". */
static const struct kp_create_acls_request_creation plain = {
	.resource_type = ACL_RESOURCE_TOPIC,
	.resource_name = SLICE_LITERAL("t"),
	.resource_pattern_type = ACL_PATTERN_LITERAL,
	.principal = SLICE_LITERAL("User:*"),
	.host = SLICE_LITERAL("*"),
	.operation = ACL_READ,
	.permission_type = ACL_ALLOW,
};

static const struct kp_create_acls_response_result *
create(struct raw_client *client,
    const struct kp_create_acls_request_creation *creation)
{
	struct kp_create_acls_request_creation copy = *creation;
	const struct kp_create_acls_request request = {
		.creations = &copy,
		.creations_count = 1,
	};
	const struct kp_create_acls_response *response =
	    call(client, CREATE_ACLS, create_acls, VERSION, &request);

	assert_int_equal(response->results_count, 1);
	return &response->results[0];
}

static void
expect_created(struct raw_client *client,
    const struct kp_create_acls_request_creation *creation)
{
	const struct kp_create_acls_response_result *result =
	    create(client, creation);

	assert_int_equal(result->error_code, KP_NONE);
	assert_true(slice_equal_str(result->error_message, ""));
}

static void
expect_refused(struct raw_client *client,
    const struct kp_create_acls_request_creation *creation, const char *message)
{
	const struct kp_create_acls_response_result *result =
	    create(client, creation);

	assert_int_equal(result->error_code, KP_INVALID_REQUEST);
	assert_true(slice_equal_str(result->error_message, message));
}

static const struct kp_describe_acls_request everything = {
	.resource_type_filter = ACL_RESOURCE_ANY,
	.pattern_type_filter = ACL_PATTERN_ANY,
	.operation = ACL_OPERATION_ANY,
	.permission_type = ACL_PERMISSION_ANY,
};

static int32_t
count_acls(
    struct raw_client *client, const struct kp_describe_acls_request *request)
{
	const struct kp_describe_acls_response *response =
	    call(client, DESCRIBE_ACLS, describe_acls, VERSION, request);
	int32_t count = 0;

	assert_int_equal(response->error_code, KP_NONE);
	for (int32_t i = 0; i < response->resources_count; i++)
		count += response->resources[i].acls_count;
	return count;
}

static int32_t
delete_all(struct raw_client *client)
{
	struct kp_delete_acls_request_filter filter = {
		.resource_type_filter = ACL_RESOURCE_ANY,
		.pattern_type_filter = ACL_PATTERN_ANY,
		.operation = ACL_OPERATION_ANY,
		.permission_type = ACL_PERMISSION_ANY,
	};
	const struct kp_delete_acls_request request = {
		.filters = &filter,
		.filters_count = 1,
	};
	const struct kp_delete_acls_response *response =
	    call(client, DELETE_ACLS, delete_acls, VERSION, &request);

	assert_int_equal(response->filter_results_count, 1);
	assert_int_equal(response->filter_results[0].error_code, KP_NONE);
	return response->filter_results[0].matching_acls_count;
}

static void
entries_are_made_once_found_and_deleted(void **state)
{
	struct kp_describe_acls_request filter = everything;
	struct kp_create_acls_request_creation other = plain;
	const struct kp_describe_acls_response *response;

	expect_created(*state, &plain);
	expect_created(*state, &plain);
	other.resource_pattern_type = ACL_PATTERN_PREFIXED;
	expect_created(*state, &other);
	other.operation = ACL_WRITE;
	expect_created(*state, &other);
	assert_int_equal(count_acls(*state, &everything), 3);

	filter.resource_name_filter = slice_str("t");
	filter.pattern_type_filter = ACL_PATTERN_LITERAL;
	response = call(*state, DESCRIBE_ACLS, describe_acls, VERSION, &filter);
	assert_int_equal(response->resources_count, 1);
	assert_int_equal(response->resources[0].acls_count, 1);
	assert_int_equal(response->resources[0].acls[0].operation, ACL_READ);
	filter.pattern_type_filter = ACL_PATTERN_MATCH;
	filter.resource_name_filter = slice_str("topic");
	assert_int_equal(count_acls(*state, &filter), 2);
	filter.operation = ACL_WRITE;
	assert_int_equal(count_acls(*state, &filter), 1);

	assert_int_equal(delete_all(*state), 3);
	assert_int_equal(delete_all(*state), 0);
	assert_int_equal(count_acls(*state, &everything), 0);
}

/* What one entry of a request adds, the next finds there. */
static void
a_request_may_repeat_itself(void **state)
{
	struct kp_create_acls_request_creation twice[] = { plain, plain };
	struct kp_delete_acls_request_filter filters[2] = { 0 };
	const struct kp_create_acls_request creation = {
		.creations = twice,
		.creations_count = 2,
	};
	const struct kp_delete_acls_request deletion = {
		.filters = filters,
		.filters_count = 2,
	};
	const struct kp_delete_acls_response *deleted;

	(void)call(*state, CREATE_ACLS, create_acls, VERSION, &creation);
	assert_int_equal(count_acls(*state, &everything), 1);
	for (int i = 0; i < 2; i++) {
		filters[i].resource_type_filter = ACL_RESOURCE_TOPIC;
		filters[i].pattern_type_filter = ACL_PATTERN_LITERAL;
		filters[i].operation = ACL_OPERATION_ANY;
		filters[i].permission_type = ACL_PERMISSION_ANY;
	}
	deleted = call(*state, DELETE_ACLS, delete_acls, VERSION, &deletion);
	assert_int_equal(deleted->filter_results_count, 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    deleted->filter_results[i].matching_acls_count, 1);
	assert_int_equal(count_acls(*state, &everything), 0);
}

static void
what_is_no_entry_is_refused(void **state)
{
	struct kp_create_acls_request_creation bad = plain;

	bad.resource_name = slice_str("");
	expect_refused(*state, &bad, "Invalid empty resource name");
	bad = plain;
	bad.resource_type = ACL_RESOURCE_CLUSTER;
	expect_refused(*state, &bad,
	    "The only valid name for the CLUSTER resource is kafka-cluster");
	bad = plain;
	bad.principal = slice_str("alice");
	expect_refused(*state, &bad,
	    "Could not parse principal from `alice` (no colon is present "
	    "separating the principal type from the principal name)");
	bad = plain;
	bad.resource_pattern_type = ACL_PATTERN_MATCH;
	expect_refused(*state, &bad, "Invalid patternType MATCH");
	bad = plain;
	bad.operation = ACL_OPERATION_ANY;
	expect_refused(*state, &bad, "Invalid operation ANY");
	bad = plain;
	bad.permission_type = 0;
	expect_refused(*state, &bad, "Invalid permissionType UNKNOWN");
	assert_int_equal(count_acls(*state, &everything), 0);
}

static void
a_filter_with_an_unknown_code_closes(void **state UNUSED)
{
	struct kp_describe_acls_request filter = everything;
	struct raw_client client;

	filter.operation = 0;
	raw_client_init(&client, &broker);
	raw_client_request(&client, KP_DESCRIBE_ACLS_KEY, VERSION, 1, &filter);
	raw_client_expect_close(&client);
	raw_client_fini(&client);
}

/* --- Deciding ------------------------------------------------------------- */

static enum kp_error
describes(struct raw_client *client, const char *topic)
{
	struct kp_metadata_request_topic topics = { .name = slice_str(topic) };
	const struct kp_metadata_request request = {
		.topics = &topics,
		.topics_count = 1,
	};
	const struct kp_metadata_response *response =
	    call(client, METADATA, metadata, 12, &request);

	assert_int_equal(response->topics_count, 1);
	return (enum kp_error)response->topics[0].error_code;
}

static enum kp_error
gets_producer_id(struct raw_client *client)
{
	const struct kp_init_producer_id_request request = {
		.transactional_id = SLICE_NULL,
		.producer_id = -1,
		.producer_epoch = -1,
	};
	const struct kp_init_producer_id_response *response =
	    call(client, INIT_PRODUCER_ID, init_producer_id, 4, &request);

	return (enum kp_error)response->error_code;
}

static void
entries_decide_and_outlive_a_kill(void **state)
{
	struct kp_create_acls_request_creation entry = plain;

	raw_topic_create(*state, "open", 1);
	raw_topic_create(*state, "shut", 1);
	raw_topic_create(*state, "elsewhere", 1);
	entry.resource_name = slice_str("op");
	entry.resource_pattern_type = ACL_PATTERN_PREFIXED;
	expect_created(*state, &entry);
	entry = plain;
	entry.resource_name = slice_str("elsewhere");
	entry.host = slice_str("10.0.0.1");
	expect_created(*state, &entry);

	become(*state, NOBODY);
	assert_int_equal(describes(*state, "open"), KP_NONE);
	assert_int_equal(
	    describes(*state, "shut"), KP_TOPIC_AUTHORIZATION_FAILED);
	assert_int_equal(
	    describes(*state, "elsewhere"), KP_TOPIC_AUTHORIZATION_FAILED);
	assert_int_equal(
	    gets_producer_id(*state), KP_CLUSTER_AUTHORIZATION_FAILED);
	become(*state, SUPER);
	assert_int_equal(delete_all(*state), 2);
}

/* Who may write to any topic may be idempotent. */
static void
an_idempotent_producer_needs_some_topic(void **state)
{
	struct kp_create_acls_request_creation entry = plain;

	entry.principal = slice_str("User:ANONYMOUS");
	entry.operation = ACL_WRITE;
	expect_created(*state, &entry);
	become(*state, NOBODY);
	assert_int_equal(gets_producer_id(*state), KP_NONE);
	become(*state, SUPER);
	assert_int_equal(delete_all(*state), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_made_once_found_and_deleted),
		cmocka_unit_test(a_request_may_repeat_itself),
		cmocka_unit_test(what_is_no_entry_is_refused),
		cmocka_unit_test(a_filter_with_an_unknown_code_closes),
		cmocka_unit_test(entries_decide_and_outlive_a_kill),
		cmocka_unit_test(an_idempotent_producer_needs_some_topic),
	};

	return cmocka_run_group_tests(tests, start_broker, stop_broker);
}
