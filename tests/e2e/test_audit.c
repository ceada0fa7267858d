/*
 * What the log says of denials, failed logins and changes: one line each in
 * Kafka's words, however often somebody tries, and no value of anything.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "auth/acl.h"
#include "e2e/raw_login.h"
#include "wire/codec.h"
#include "wire/generated/alter_user_scram_credentials.h"
#include "wire/generated/create_acls.h"
#include "wire/generated/create_topics.h"
#include "wire/generated/delete_topics.h"
#include "wire/generated/describe_configs.h"
#include "wire/generated/incremental_alter_configs.h"
#include "wire/generated/metadata.h"

#define TRIES 50
#define FROM " from host = 127.0.0.1"

static struct broker_process broker;

#define call(client, NAME, name, version, request)             \
	((const struct kp_##name##_response *)raw_client_call( \
	    client, KP_##NAME##_KEY, (int16_t)(version), request))

static int
start_broker(void **state UNUSED)
{
	raw_login_broker(&broker);
	broker_process_argument(&broker, "--override");
	broker_process_argument(&broker, "klamm.audit.interval.ms=3600000");
	broker_process_restart(&broker);
	return 0;
}

static int
stop_broker(void **state UNUSED)
{
	broker_process_fini(&broker);
	return 0;
}

/* How many lines have text in them. */
static int
lines_with(const char *text)
{
	char path[96], line[8192];
	int count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/out", broker.directory);
	file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL)
		count += strstr(line, text) != NULL;
	fclose(file);
	return count;
}

static void
log_in(struct raw_client *client, const char *user, const char *password)
{
	raw_client_init(client, &broker);
	assert_int_equal(raw_login(client, user, password), KP_NONE);
}

static int16_t
ask_for_topic(struct raw_client *client, const char *name)
{
	struct kp_metadata_request_topic topic = { .name = slice_str(name) };
	const struct kp_metadata_request request = {
		.topics = &topic,
		.topics_count = 1,
	};

	return call(client, METADATA, metadata, 9, &request)
	    ->topics[0]
	    .error_code;
}

static int16_t
set_logger(struct raw_client *client, const char *logger, const char *level)
{
	struct kp_incremental_alter_configs_request_config config = {
		.name = slice_str(logger),
		.config_operation = level == NULL,
		.value = level == NULL ? SLICE_NULL : slice_str(level),
	};
	struct kp_incremental_alter_configs_request_resource resource = {
		.resource_type = 8,
		.resource_name = slice_str("1"),
		.configs = &config,
		.configs_count = 1,
	};
	const struct kp_incremental_alter_configs_request request = {
		.resources = &resource,
		.resources_count = 1,
	};

	return call(client, INCREMENTAL_ALTER_CONFIGS,
	    incremental_alter_configs, 1, &request)
	    ->responses[0]
	    .error_code;
}

/* --- Denials -------------------------------------------------------------- */

static void
a_storm_of_denials_is_one_line(void **state UNUSED)
{
	struct raw_client client;

	log_in(&client, "bob", "bob-secret");
	for (int i = 0; i < TRIES; i++)
		assert_int_equal(ask_for_topic(&client, "hidden"),
		    KP_TOPIC_AUTHORIZATION_FAILED);
	raw_client_fini(&client);
	assert_int_equal(
	    lines_with("INFO Principal = User:bob is Denied operation = "
		       "DESCRIBE" FROM " on resource = Topic:LITERAL:hidden "
		       "for request = Metadata with resourceRefCount = 1 "
		       "based on rule DefaultDeny (kafka.authorizer.logger)"),
	    1);
	assert_int_equal(lines_with("hidden"), 1);
}

/* To leave out what may not be seen is no denial. */
static void
what_is_left_out_is_no_denial(void **state UNUSED)
{
	const struct kp_metadata_request all = { .topics_count = -1 };
	struct raw_client client;
	int before = lines_with("is Denied");

	log_in(&client, "bob", "bob-secret");
	assert_int_equal(
	    call(&client, METADATA, metadata, 9, &all)->topics_count, 0);
	raw_client_fini(&client);
	assert_int_equal(lines_with("is Denied"), before);
}

static void
what_is_allowed_is_said_at_debug(void **state UNUSED)
{
	static const char allowed[] =
	    "DEBUG Principal = User:admin is Allowed operation = DESCRIBE" FROM
	    " on resource = Topic:LITERAL:seen for request = Metadata with "
	    "resourceRefCount = 1 based on rule SuperUser "
	    "(kafka.authorizer.logger)";
	struct raw_client client;

	log_in(&client, "admin", "admin-secret");
	(void)ask_for_topic(&client, "seen");
	assert_int_equal(lines_with(allowed), 0);
	assert_int_equal(
	    set_logger(&client, "kafka.authorizer.logger", "DEBUG"), KP_NONE);
	(void)ask_for_topic(&client, "seen");
	assert_int_equal(lines_with(allowed), 1);
	assert_int_equal(
	    set_logger(&client, "kafka.authorizer.logger", NULL), KP_NONE);
	(void)ask_for_topic(&client, "seen");
	assert_int_equal(lines_with(allowed), 1);
	/* Above INFO it is silent. */
	assert_int_equal(
	    set_logger(&client, "kafka.authorizer.logger", "ERROR"), KP_NONE);
	raw_client_fini(&client);
	log_in(&client, "bob", "bob-secret");
	assert_int_equal(set_logger(&client, "root", "INFO"),
	    KP_CLUSTER_AUTHORIZATION_FAILED);
	assert_int_equal(lines_with("Denied operation = ALTER_CONFIGS"), 0);
	raw_client_fini(&client);
	log_in(&client, "admin", "admin-secret");
	assert_int_equal(
	    set_logger(&client, "kafka.authorizer.logger", "INFO"), KP_NONE);
	assert_int_equal(set_logger(&client, "no.logger", "INFO"),
	    KP_INVALID_CONFIG);
	raw_client_fini(&client);
}

/* --- Logins --------------------------------------------------------------- */

static void
a_storm_of_failed_logins_is_one_line(void **state UNUSED)
{
	struct raw_client client;

	for (int i = 0; i < TRIES; i++) {
		raw_client_init(&client, &broker);
		assert_int_equal(raw_login(&client, "bob", "wrong"),
		    KP_SASL_AUTHENTICATION_FAILED);
		raw_client_expect_close(&client);
		raw_client_fini(&client);
	}
	assert_int_equal(
	    lines_with("failed authentication (Authentication failed: "
		       "Invalid username or password) (auth)"),
	    1);
	assert_int_equal(lines_with("failed authentication"), 1);
}

/* --- Changes -------------------------------------------------------------- */

#define CHANGE(request, resource, result)                               \
	"INFO Principal = User:admin" FROM " request = " request        \
	" resource = " resource " result = " result " (klamm.audit)"

static void
create_topic(struct raw_client *client, const char *name, bool only_check)
{
	struct kp_create_topics_request_config config = {
		.name = slice_str("retention.ms"),
		.value = slice_str("777777"),
	};
	struct kp_create_topics_request_topic topic = {
		.name = slice_str(name),
		.num_partitions = 1,
		.replication_factor = 1,
		.configs = &config,
		.configs_count = 1,
	};
	const struct kp_create_topics_request request = {
		.topics = &topic,
		.topics_count = 1,
		.timeout_ms = 10000,
		.validate_only = only_check,
	};

	(void)call(client, CREATE_TOPICS, create_topics, 7, &request);
}

static void
delete_topics(struct raw_client *client, int count)
{
	struct kp_delete_topics_request request = { .timeout_ms = 1000 };

	request.topic_names = arena_xcalloc(
	    &client->arena, (size_t)count, sizeof(struct slice));
	request.topic_names_count = count;
	for (int i = 0; i < count; i++)
		request.topic_names[i] =
		    arena_printf(&client->arena, "no-%d", i);
	(void)call(client, DELETE_TOPICS, delete_topics, 5, &request);
}

static void
create_acl(struct raw_client *client)
{
	struct kp_create_acls_request_creation creation = {
		.resource_type = ACL_RESOURCE_TOPIC,
		.resource_name = slice_str("t"),
		.resource_pattern_type = ACL_PATTERN_LITERAL,
		.principal = slice_str("User:carol"),
		.host = slice_str("*"),
		.operation = ACL_READ,
		.permission_type = ACL_ALLOW,
	};
	const struct kp_create_acls_request request = {
		.creations = &creation,
		.creations_count = 1,
	};

	(void)call(client, CREATE_ACLS, create_acls, 3, &request);
}

static void
create_user(struct raw_client *client)
{
	struct kp_alter_user_scram_credentials_request_upsertion upsertion = {
		.name = slice_str("dave"),
		.mechanism = 1,
		.iterations = 4096,
		.salt = slice_str("marked-salt"),
		.salted_password = slice_str("marked-password"),
	};
	const struct kp_alter_user_scram_credentials_request request = {
		.upsertions = &upsertion,
		.upsertions_count = 1,
	};

	(void)call(client, ALTER_USER_SCRAM_CREDENTIALS,
	    alter_user_scram_credentials, 0, &request);
}

static void
alter_topic(struct raw_client *client)
{
	struct kp_incremental_alter_configs_request_config config = {
		.name = slice_str("retention.ms"),
		.value = slice_str("888888"),
	};
	struct kp_incremental_alter_configs_request_resource resource = {
		.resource_type = 2,
		.resource_name = slice_str("t"),
		.configs = &config,
		.configs_count = 1,
	};
	const struct kp_incremental_alter_configs_request request = {
		.resources = &resource,
		.resources_count = 1,
	};

	(void)call(client, INCREMENTAL_ALTER_CONFIGS,
	    incremental_alter_configs, 1, &request);
}

static void
changes_are_told(void **state UNUSED)
{
	struct raw_client client;

	log_in(&client, "admin", "admin-secret");
	create_topic(&client, "t", true);
	assert_int_equal(lines_with("request = CreateTopics"), 0);
	create_topic(&client, "t", false);
	create_topic(&client, "t", false);
	create_acl(&client);
	create_user(&client);
	alter_topic(&client);
	raw_client_fini(&client);
	assert_int_equal(lines_with(CHANGE("CreateTopics",
			     "name = t config = retention.ms", "NONE")),
	    1);
	assert_int_equal(lines_with(CHANGE("CreateTopics",
			     "name = t config = retention.ms",
			     "TOPIC_ALREADY_EXISTS")),
	    1);
	assert_int_equal(
	    lines_with(CHANGE("CreateAcls",
		"resourceType = 2 resourceName = t resourcePatternType = 3 "
		"principal = User:carol host = * operation = 3 "
		"permissionType = 3",
		"NONE")),
	    1);
	assert_int_equal(lines_with(CHANGE("AlterUserScramCredentials",
			     "user = dave", "NONE")),
	    1);
	assert_int_equal(lines_with(CHANGE("IncrementalAlterConfigs",
			     "resourceType = 2 resourceName = t "
			     "config = retention.ms",
			     "NONE")),
	    1);
	/* The names of things, and not their values. */
	assert_int_equal(lines_with("777777"), 0);
	assert_int_equal(lines_with("888888"), 0);
	assert_int_equal(lines_with("marked-"), 0);
}

static void
a_storm_of_changes_that_fail_is_one_line(void **state UNUSED)
{
	struct raw_client client;

	log_in(&client, "admin", "admin-secret");
	for (int i = 0; i < TRIES; i++)
		delete_topics(&client, 1);
	assert_int_equal(
	    lines_with(CHANGE("DeleteTopics", "name = no-0",
		"UNKNOWN_TOPIC_OR_PARTITION")),
	    1);
	delete_topics(&client, 100);
	assert_int_equal(lines_with("request = DeleteTopics: 36 more, of "
				    "which 36 failed"),
	    1);
	raw_client_fini(&client);
}

/* The last test: nobody is there after it. */
static void
a_stop_tells_what_was_left_out(void **state UNUSED)
{
	broker_process_stop(&broker);
	assert_int_equal(
	    lines_with("49 more lines (denied DESCRIBE on Topic, "
		       "User:bob" FROM ") were left out within 3600000 ms "
		       "(kafka.authorizer.logger)"),
	    1);
	assert_int_equal(
	    lines_with("49 more lines (failed authentication, 127.0.0.1)"), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_storm_of_denials_is_one_line),
		cmocka_unit_test(what_is_left_out_is_no_denial),
		cmocka_unit_test(what_is_allowed_is_said_at_debug),
		cmocka_unit_test(a_storm_of_failed_logins_is_one_line),
		cmocka_unit_test(changes_are_told),
		cmocka_unit_test(a_storm_of_changes_that_fail_is_one_line),
		cmocka_unit_test(a_stop_tells_what_was_left_out),
	};

	return cmocka_run_group_tests(tests, start_broker, stop_broker);
}
