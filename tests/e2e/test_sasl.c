/*
 * Clients that say who they are: what a connection of a SASL listener may do
 * when, by plain frames; librdkafka with good and bad passwords; passwords
 * that are set, seen and taken away while the broker runs.
 */
#include "unit/unit.h"

#include "auth/scram.h"
#include "e2e/broker_process.h"
#include "e2e/kafka_client.h"
#include "e2e/raw_client.h"
#include "e2e/scram_login.h"
#include "e2e/raw_login.h"
#include "wire/codec.h"
#include "wire/error.h"
#include "wire/generated/alter_user_scram_credentials.h"
#include "wire/generated/api_versions.h"
#include "wire/generated/describe_user_scram_credentials.h"
#include "wire/generated/find_coordinator.h"
#include "wire/generated/metadata.h"
#include "wire/generated/sasl_authenticate.h"
#include "wire/generated/sasl_handshake.h"

#include <time.h>
#include <unistd.h>

#define PREFIX "listener.name.sasl_plaintext."
#define SALT "pepper"
#define ITERATIONS 4096

/* Long enough for a test, and short enough to be waited for. */
#define SESSION_MS 1500

static struct broker_process broker;

#define call(client, NAME, name, version, request)             \
	((const struct kp_##name##_response *)raw_client_call( \
	    client, KP_##NAME##_KEY, (int16_t)(version), request))

static int
start_broker(void **state UNUSED)
{
	broker_process_start(&broker, "--override",
	    "listeners=SASL_PLAINTEXT://127.0.0.1:0", "--override",
	    PREFIX "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256", "--override",
	    PREFIX "plain.sasl.jaas.config="
		   "org.apache.kafka.common.security.plain.PlainLoginModule "
		   "required user_admin=\"admin's\" user_bob=\"bob's\";",
	    "--override",
	    PREFIX "scram-sha-256.sasl.jaas.config="
		   "org.apache.kafka.common.security.scram.ScramLoginModule "
		   "required;",
	    "--override", PREFIX "plain.connections.max.reauth.ms=1500",
	    "--override",
	    PREFIX "scram-sha-256.connections.max.reauth.ms=60000",
	    "--override", "connection.failed.authentication.delay.ms=1", NULL);
	return 0;
}

static int
stop_broker(void **state UNUSED)
{
	broker_process_fini(&broker);
	return 0;
}

static int
connect_client(void **state)
{
	struct raw_client *client = xmalloc(sizeof(*client));

	raw_client_init(client, &broker);
	*state = client;
	return 0;
}

static int
close_client(void **state)
{
	raw_client_fini(*state);
	free(*state);
	return 0;
}

/* --- By plain frames ------------------------------------------------------ */

static const struct kp_sasl_handshake_response *
shake_hands(struct raw_client *client, int16_t version, const char *mechanism)
{
	const struct kp_sasl_handshake_request request = {
		.mechanism = slice_str(mechanism),
	};

	return call(client, SASL_HANDSHAKE, sasl_handshake, version, &request);
}

/* The token of PLAIN. */
#define TOKEN(user, password) \
	slice_of("\0" user "\0" password, sizeof("\0" user "\0" password) - 1)

static const struct kp_sasl_authenticate_response *
authenticate(struct raw_client *client, struct slice token)
{
	const struct kp_sasl_authenticate_request request = {
		.auth_bytes = token,
	};

	return call(client, SASL_AUTHENTICATE, sasl_authenticate, 2, &request);
}

static void
log_in(struct raw_client *client)
{
	const struct kp_sasl_authenticate_response *response;

	assert_int_equal(shake_hands(client, 1, "PLAIN")->error_code, KP_NONE);
	response = authenticate(client, TOKEN("admin", "admin's"));
	assert_int_equal(response->error_code, KP_NONE);
	assert_true(slice_equal_str(response->error_message, ""));
	assert_int_equal(response->auth_bytes.len, 0);
	assert_int_equal(response->session_lifetime_ms, SESSION_MS);
}

static void
expect_served(struct raw_client *client)
{
	const struct kp_metadata_request request = { .topics_count = 0 };

	assert_int_equal(
	    call(client, METADATA, metadata, 12, &request)->brokers_count, 1);
}

static void
who_has_logged_in_is_served(void **state)
{
	const struct kp_api_versions_request versions = {
		.client_software_name = slice_str("x"),
		.client_software_version = slice_str("1"),
	};

	assert_int_equal(
	    call(*state, API_VERSIONS, api_versions, 3, &versions)->error_code,
	    KP_NONE);
	log_in(*state);
	expect_served(*state);
}

static void
who_has_not_is_not(void **state)
{
	raw_client_request(*state, KP_METADATA_KEY, 12, 1, NULL);
	raw_client_expect_close(*state);
}

static void
a_mechanism_that_is_not_enabled_is_refused(void **state)
{
	const struct kp_sasl_handshake_response *response =
	    shake_hands(*state, 1, "SCRAM-SHA-512");

	assert_int_equal(response->error_code, KP_UNSUPPORTED_SASL_MECHANISM);
	assert_int_equal(response->mechanisms_count, 2);
	raw_client_expect_close(*state);
}

static void
a_wrong_password_is_told_and_closes(void **state)
{
	const struct kp_sasl_authenticate_response *response;

	assert_int_equal(shake_hands(*state, 1, "PLAIN")->error_code, KP_NONE);
	response = authenticate(*state, TOKEN("admin", "bob's"));
	assert_int_equal(response->error_code, KP_SASL_AUTHENTICATION_FAILED);
	assert_true(slice_equal_str(response->error_message,
	    "Authentication failed: Invalid username or password"));
	raw_client_expect_close(*state);
}

/* The request has its own shape of the error. */
static void
nothing_but_tokens_may_come_between(void **state)
{
	const struct kp_find_coordinator_request request = {
		.key = slice_str("g"),
	};

	assert_int_equal(shake_hands(*state, 1, "PLAIN")->error_code, KP_NONE);
	assert_int_equal(
	    call(*state, FIND_COORDINATOR, find_coordinator, 3, &request)
		->error_code,
	    KP_ILLEGAL_SASL_STATE);
	raw_client_expect_close(*state);
}

static void
send_bare(struct raw_client *client, struct slice token)
{
	uint8_t len[4] = { 0, 0, 0, (uint8_t)token.len };

	raw_client_send(client, len, sizeof(len));
	raw_client_send(client, token.data, token.len);
}

/* After a handshake of version 0 tokens are frames. */
static void
old_clients_send_tokens_as_they_are(void **state)
{
	assert_int_equal(shake_hands(*state, 0, "PLAIN")->error_code, KP_NONE);
	send_bare(*state, TOKEN("bob", "bob's"));
	assert_int_equal(raw_client_receive(*state).len, 0);
	expect_served(*state);
}

static void
old_clients_are_told_nothing(void **state)
{
	assert_int_equal(shake_hands(*state, 0, "PLAIN")->error_code, KP_NONE);
	send_bare(*state, TOKEN("bob", "x"));
	raw_client_expect_close(*state);
}

/* Also one of less than a request's header. */
static void
a_token_may_be_short(void **state)
{
	assert_int_equal(shake_hands(*state, 0, "PLAIN")->error_code, KP_NONE);
	send_bare(*state, slice_str("x"));
	raw_client_expect_close(*state);
}

static void
a_large_frame_is_refused_before_the_login(void **state)
{
	static const uint8_t len[4] = { 0x00, 0x08, 0x00, 0x01 };

	raw_client_send(*state, len, sizeof(len));
	raw_client_expect_close(*state);
}

/* Wait, without a guess, until the session's time is over. */
static void
outlive_session(void)
{
	const struct timespec time = {
		.tv_sec = (SESSION_MS + 1) / 1000,
		.tv_nsec = (SESSION_MS + 1) % 1000 * 1000000,
	};

	assert_int_equal(nanosleep(&time, NULL), 0);
}

static void
a_session_that_is_over_is_closed(void **state)
{
	log_in(*state);
	outlive_session();
	raw_client_request(*state, KP_METADATA_KEY, 12, 1, NULL);
	raw_client_expect_close(*state);
}

static void
a_session_is_made_longer(void **state)
{
	log_in(*state);
	outlive_session();
	log_in(*state);
	expect_served(*state);
	/* Twice within a second is too soon; the connection stays. */
	assert_int_equal(
	    shake_hands(*state, 1, "PLAIN")->error_code, KP_ILLEGAL_SASL_STATE);
	expect_served(*state);
}

static void
nobody_becomes_somebody_else(void **state)
{
	const struct kp_sasl_authenticate_response *response;

	log_in(*state);
	assert_int_equal(shake_hands(*state, 1, "PLAIN")->error_code, KP_NONE);
	response = authenticate(*state, TOKEN("bob", "bob's"));
	assert_int_equal(response->error_code, KP_SASL_AUTHENTICATION_FAILED);
	assert_true(slice_equal_str(response->error_message,
	    "Cannot change principals during re-authentication from "
	    "User.admin: User.bob"));
	raw_client_expect_close(*state);
}

static void
a_session_keeps_its_mechanism(void **state)
{
	const struct kp_sasl_authenticate_request request = {
		.auth_bytes = slice_str("n,,n=admin,r=x"),
	};

	log_in(*state);
	assert_int_equal(
	    shake_hands(*state, 1, "SCRAM-SHA-256")->error_code, KP_NONE);
	raw_client_request(*state, KP_SASL_AUTHENTICATE_KEY, 2, 1, &request);
	raw_client_expect_close(*state);
}

/* --- Passwords of SCRAM --------------------------------------------------- */

static enum kp_error
alter(struct raw_client *client,
    const struct kp_alter_user_scram_credentials_request *request)
{
	const struct kp_alter_user_scram_credentials_response *response =
	    call(client, ALTER_USER_SCRAM_CREDENTIALS,
		alter_user_scram_credentials, 0, request);

	assert_int_equal(response->results_count, 1);
	return (enum kp_error)response->results[0].error_code;
}

static enum kp_error
set_password_of(
    struct raw_client *client, struct slice user, const char *password)
{
	uint8_t salted[SCRAM_KEY_LEN_MAX];
	struct kp_alter_user_scram_credentials_request_upsertion upsertion = {
		.name = user,
		.mechanism = SCRAM_SHA_256,
		.iterations = ITERATIONS,
		.salt = slice_str(SALT),
	};
	const struct kp_alter_user_scram_credentials_request request = {
		.upsertions = &upsertion,
		.upsertions_count = 1,
	};

	assert_int_equal(scram_salt(SCRAM_SHA_256, slice_str(password),
			     upsertion.salt, ITERATIONS, salted),
	    0);
	upsertion.salted_password =
	    slice_of(salted, scram_key_len(SCRAM_SHA_256));
	return alter(client, &request);
}

static enum kp_error
set_password(struct raw_client *client, const char *user, const char *password)
{
	return set_password_of(client, slice_str(user), password);
}

static enum kp_error
take_password(struct raw_client *client, const char *user)
{
	struct kp_alter_user_scram_credentials_request_deletion deletion = {
		.name = slice_str(user),
		.mechanism = SCRAM_SHA_256,
	};
	const struct kp_alter_user_scram_credentials_request request = {
		.deletions = &deletion,
		.deletions_count = 1,
	};

	return alter(client, &request);
}

static enum kp_error
describe(struct raw_client *client, const char *user)
{
	struct kp_describe_user_scram_credentials_request_user asked = {
		.name = slice_str(user),
	};
	const struct kp_describe_user_scram_credentials_request request = {
		.users = &asked,
		.users_count = 1,
	};
	const struct kp_describe_user_scram_credentials_response *response =
	    call(client, DESCRIBE_USER_SCRAM_CREDENTIALS,
		describe_user_scram_credentials, 0, &request);

	assert_int_equal(response->error_code, KP_NONE);
	assert_int_equal(response->results_count, 1);
	if (response->results[0].error_code == KP_NONE) {
		assert_int_equal(
		    response->results[0].credential_infos_count, 1);
		assert_int_equal(
		    response->results[0].credential_infos[0].iterations,
		    ITERATIONS);
	}
	return (enum kp_error)response->results[0].error_code;
}

static void
on_error(rd_kafka_t *client UNUSED, int error, const char *reason UNUSED,
    void *refused)
{
	if (error == RD_KAFKA_RESP_ERR__AUTHENTICATION)
		*(bool *)refused = true;
}

/* Does librdkafka get in?  It is asked until it knows. */
static bool
gets_in(const char *mechanism, const char *user, const char *password)
{
	const struct rd_kafka_metadata *metadata = NULL;
	bool refused = false;
	rd_kafka_conf_t *conf = kafka_client_conf(&broker,
	    KAFKA_SETTINGS("security.protocol", "SASL_PLAINTEXT",
		"sasl.mechanisms", mechanism, "sasl.username", user,
		"sasl.password", password, "log_level", "0"));
	rd_kafka_t *client;

	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_opaque(conf, &refused);
	client = kafka_client_of(conf, RD_KAFKA_PRODUCER);
	while (metadata == NULL && !refused) {
		if (rd_kafka_metadata(client, 0, NULL, &metadata, 500) !=
		    RD_KAFKA_RESP_ERR_NO_ERROR)
			metadata = NULL;
		rd_kafka_poll(client, 0);
	}
	if (metadata != NULL)
		rd_kafka_metadata_destroy(metadata);
	rd_kafka_destroy(client);
	return !refused;
}

static void
librdkafka_gets_in_with_the_password(void **state UNUSED)
{
	assert_true(gets_in("PLAIN", "bob", "bob's"));
	assert_false(gets_in("PLAIN", "bob", "admin's"));
	assert_false(gets_in("PLAIN", "eve", "bob's"));
	assert_false(gets_in("SCRAM-SHA-512", "bob", "bob's"));
}

static void
passwords_come_and_go(void **state)
{
	log_in(*state);
	assert_int_equal(describe(*state, "carol"), KP_RESOURCE_NOT_FOUND);
	assert_int_equal(take_password(*state, "carol"), KP_RESOURCE_NOT_FOUND);
	assert_int_equal(set_password(*state, "carol", "first"), KP_NONE);
	assert_int_equal(describe(*state, "carol"), KP_NONE);
	assert_true(gets_in("SCRAM-SHA-256", "carol", "first"));
	assert_false(gets_in("SCRAM-SHA-256", "carol", "second"));
	assert_int_equal(set_password(*state, "carol", "second"), KP_NONE);
	assert_false(gets_in("SCRAM-SHA-256", "carol", "first"));
	assert_true(gets_in("SCRAM-SHA-256", "carol", "second"));
	log_in(*state);
	assert_int_equal(
	    set_password(*state, "", "first"), KP_UNACCEPTABLE_CREDENTIAL);
	assert_int_equal(take_password(*state, "carol"), KP_NONE);
	assert_int_equal(describe(*state, "carol"), KP_RESOURCE_NOT_FOUND);
	assert_false(gets_in("SCRAM-SHA-256", "carol", "second"));
}

/* Who is in stays until his time is over, and does not get more of it. */
static void
a_user_who_is_gone_does_not_stay(void **state)
{
	const struct kp_sasl_authenticate_response *response;
	const struct slice name = slice_str("dave");
	const struct slice password = slice_str("dave's");
	struct raw_client client;

	log_in(*state);
	assert_int_equal(set_password(*state, "dave", "dave's"), KP_NONE);
	raw_client_init(&client, &broker);
	response = scram_login(&client, SCRAM_SHA_256, name, password, "");
	assert_int_equal(response->error_code, KP_NONE);
	assert_int_equal(response->session_lifetime_ms, 60000);
	assert_int_equal(take_password(*state, "dave"), KP_NONE);
	expect_served(&client);
	response = scram_login(&client, SCRAM_SHA_256, name, password, "");
	assert_int_equal(response->error_code, KP_SASL_AUTHENTICATION_FAILED);
	assert_true(slice_equal_str(response->error_message,
	    "Authentication failed during re-authentication due to invalid "
	    "credentials with SASL mechanism SCRAM-SHA-256"));
	raw_client_expect_close(&client);
	raw_client_fini(&client);
}

/* A name that begins with another, up to a byte of zero, is another name. */
static void
names_are_compared_whole(void **state)
{
	log_in(*state);
	assert_int_equal(set_password(*state, "dora", "first"), KP_NONE);
	assert_int_equal(
	    set_password_of(*state, slice_of("dora\0x", 6), "second"), KP_NONE);
	assert_true(gets_in("SCRAM-SHA-256", "dora", "first"));
	assert_false(gets_in("SCRAM-SHA-256", "dora", "second"));
	log_in(*state);
	assert_int_equal(take_password(*state, "dora"), KP_NONE);
}

/* --- Users from a file ---------------------------------------------------- */

static bool
password_fits(
    const struct broker_process *other, const char *user, const char *password)
{
	struct raw_client client;
	enum kp_error error;

	raw_client_init(&client, other);
	error = raw_login(&client, user, password);
	raw_client_fini(&client);
	assert_true(error == KP_NONE || error == KP_SASL_AUTHENTICATION_FAILED);
	return error == KP_NONE;
}

#define PLAIN_MODULE \
	"org.apache.kafka.common.security.plain.PlainLoginModule required "

/* Of two modules the first that has a user counts, as in Kafka. */
static void
users_may_be_in_a_file(void **state UNUSED)
{
	static const char text[] =
	    "KafkaServer {\n" PLAIN_MODULE "user_ann=\"old\" user_ann=\"a\";\n"
	    PLAIN_MODULE "user_ann=\"b\" user_carl=\"c\";\n};\n";
	char path[] = "/tmp/klamm-jaas-XXXXXX";
	int fd = mkstemp(path);
	char *options;
	struct broker_process other;

	assert_true(fd >= 0);
	assert_int_equal(
	    write(fd, text, sizeof(text) - 1), (ssize_t)sizeof(text) - 1);
	close(fd);
	options =
	    xasprintf("-Djava.security.auth.login.config=%s", path);
	setenv("KAFKA_OPTS", options, 1);
	broker_process_start(&other, "--override",
	    "listeners=SASL_PLAINTEXT://127.0.0.1:0", "--override",
	    "sasl.enabled.mechanisms=PLAIN", "--override",
	    "connection.failed.authentication.delay.ms=1", NULL);
	unsetenv("KAFKA_OPTS");
	unlink(path);
	free(options);
	assert_true(password_fits(&other, "ann", "a"));
	assert_true(password_fits(&other, "carl", "c"));
	assert_false(password_fits(&other, "ann", "b"));
	assert_false(password_fits(&other, "ann", "old"));
	assert_false(password_fits(&other, "eve", "c"));
	broker_process_fini(&other);
}

int
main(void)
{
#define EACH(test) \
	cmocka_unit_test_setup_teardown(test, connect_client, close_client)
	const struct CMUnitTest tests[] = {
		EACH(who_has_logged_in_is_served),
		EACH(who_has_not_is_not),
		EACH(a_mechanism_that_is_not_enabled_is_refused),
		EACH(a_wrong_password_is_told_and_closes),
		EACH(nothing_but_tokens_may_come_between),
		EACH(old_clients_send_tokens_as_they_are),
		EACH(old_clients_are_told_nothing),
		EACH(a_token_may_be_short),
		EACH(a_large_frame_is_refused_before_the_login),
		EACH(a_session_that_is_over_is_closed),
		EACH(a_session_is_made_longer),
		EACH(nobody_becomes_somebody_else),
		EACH(a_session_keeps_its_mechanism),
		EACH(passwords_come_and_go),
		EACH(a_user_who_is_gone_does_not_stay),
		EACH(names_are_compared_whole),
		cmocka_unit_test(librdkafka_gets_in_with_the_password),
		cmocka_unit_test(users_may_be_in_a_file),
	};
#undef EACH

	return cmocka_run_group_tests(tests, start_broker, stop_broker);
}
