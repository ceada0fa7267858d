/*
 * Delegation tokens: who makes, sees, renews and ends them, and who gets in
 * with one, for how long.
 */
#include "unit/unit.h"

#include <stdio.h>
#include <time.h>

#include "auth/acl.h"
#include "base/base64.h"
#include "e2e/broker_process.h"
#include "e2e/raw_client.h"
#include "e2e/raw_login.h"
#include "e2e/scram_login.h"
#include "wire/codec.h"
#include "wire/error.h"
#include "wire/generated/create_acls.h"
#include "wire/generated/create_delegation_token.h"
#include "wire/generated/describe_configs.h"
#include "wire/generated/describe_delegation_token.h"
#include "wire/generated/expire_delegation_token.h"
#include "wire/generated/metadata.h"
#include "wire/generated/renew_delegation_token.h"

#define PREFIX "listener.name.sasl_plaintext."
#define SECRET "hush-hush"
#define TOKENAUTH ",tokenauth=true"

#define HMAC_LEN 64
#define PASSWORD_LEN ((HMAC_LEN + 2) / 3 * 4)

/* Long enough for a test, and short enough to be waited for. */
#define SHORT_MS 1500

#define EXPIRY_TIME_MS 60000

static struct broker_process broker;

#define call(client, NAME, name, version, request)             \
	((const struct kp_##name##_response *)raw_client_call( \
	    client, KP_##NAME##_KEY, (int16_t)(version), request))

static int
start_broker(void **state UNUSED)
{
	broker_process_start(&broker, "--override",
	    "listeners=SASL_PLAINTEXT://127.0.0.1:0", "--override",
	    PREFIX
	    "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
	    "--override",
	    PREFIX "plain.sasl.jaas.config="
		   "org.apache.kafka.common.security.plain.PlainLoginModule "
		   "required user_admin=\"x\" user_alice=\"x\" user_bob=\"x\" "
		   "user_carol=\"x\";",
	    "--override",
	    PREFIX "scram-sha-256.sasl.jaas.config="
		   "org.apache.kafka.common.security.scram.ScramLoginModule "
		   "required;",
	    "--override",
	    PREFIX "scram-sha-512.sasl.jaas.config="
		   "org.apache.kafka.common.security.scram.ScramLoginModule "
		   "required;",
	    "--override",
	    "authorizer.class.name=org.apache.kafka.metadata.authorizer."
	    "StandardAuthorizer",
	    "--override", "super.users=User:admin", "--override",
	    "delegation.token.secret.key=" SECRET, "--override",
	    "delegation.token.expiry.time.ms=60000", "--override",
	    "delegation.token.expiry.check.interval.ms=50", "--override",
	    "connection.failed.authentication.delay.ms=1", NULL);
	return 0;
}

static int
stop_broker(void **state UNUSED)
{
	broker_process_fini(&broker);
	return 0;
}

/* --- Clients -------------------------------------------------------------- */

static void
log_in(struct raw_client *client, const char *user)
{
	raw_client_init(client, &broker);
	assert_int_equal(raw_login(client, user, "x"), KP_NONE);
}

/* A token, whose texts outlive the client that made it. */
struct token {
	char id[32];
	uint8_t hmac[HMAC_LEN];
	char password[PASSWORD_LEN];
	int64_t issue_ms;
	int64_t expiry_ms;
	enum kp_error error;
};

static struct slice
hmac_of(const struct token *token)
{
	return slice_of(token->hmac, sizeof(token->hmac));
}

static struct token
create_by(struct raw_client *client,
    const struct kp_create_delegation_token_request *request)
{
	const struct kp_create_delegation_token_response *response =
	    call(client, CREATE_DELEGATION_TOKEN, create_delegation_token, 3,
		request);
	struct token token = {
		.error = (enum kp_error)response->error_code,
		.issue_ms = response->issue_timestamp_ms,
		.expiry_ms = response->expiry_timestamp_ms,
	};

	if (token.error != KP_NONE) {
		assert_int_equal(response->issue_timestamp_ms, -1);
		assert_int_equal(response->hmac.len, 0);
		return token;
	}
	assert_int_equal(response->hmac.len, HMAC_LEN);
	memcpy(token.hmac, response->hmac.data, HMAC_LEN);
	base64_encode(response->hmac, token.password);
	snprintf(token.id, sizeof(token.id), "%.*s",
	    SLICE_ARG(response->token_id));
	return token;
}

/* By alice, for bob to renew. */
static struct token
create(int64_t lifetime_ms)
{
	struct kp_create_delegation_token_request_renewer bob = {
		.principal_type = slice_str("User"),
		.principal_name = slice_str("bob"),
	};
	const struct kp_create_delegation_token_request request = {
		.renewers = &bob,
		.renewers_count = 1,
		.max_lifetime_ms = lifetime_ms,
	};
	struct raw_client client;
	struct token token;

	log_in(&client, "alice");
	token = create_by(&client, &request);
	raw_client_fini(&client);
	assert_int_equal(token.error, KP_NONE);
	return token;
}

static enum kp_error
renew(struct raw_client *client, struct slice hmac)
{
	const struct kp_renew_delegation_token_request request = {
		.hmac = hmac,
		.renew_period_ms = -1,
	};

	return (enum kp_error)call(client, RENEW_DELEGATION_TOKEN,
	    renew_delegation_token, 2, &request)
	    ->error_code;
}

static enum kp_error
expire(struct raw_client *client, struct slice hmac)
{
	const struct kp_expire_delegation_token_request request = {
		.hmac = hmac,
		.expiry_time_period_ms = -1,
	};

	return (enum kp_error)call(client, EXPIRE_DELEGATION_TOKEN,
	    expire_delegation_token, 2, &request)
	    ->error_code;
}

/* The tokens that are seen; owner NULL: of everybody. */
static const struct kp_describe_delegation_token_response *
describe(struct raw_client *client, const char *owner)
{
	struct kp_describe_delegation_token_request_owner one = {
		.principal_type = slice_str("User"),
		.principal_name = slice_str(owner),
	};
	const struct kp_describe_delegation_token_request request = {
		.owners = owner == NULL ? NULL : &one,
		.owners_count = owner == NULL ? -1 : 1,
	};

	return call(client, DESCRIBE_DELEGATION_TOKEN,
	    describe_delegation_token, 3, &request);
}

static const struct kp_describe_delegation_token_response_token *
find(struct raw_client *client, const char *owner, const struct token *token)
{
	const struct kp_describe_delegation_token_response *response =
	    describe(client, owner);

	assert_int_equal(response->error_code, KP_NONE);
	for (int32_t i = 0; i < response->tokens_count; i++)
		if (slice_equal_str(response->tokens[i].token_id, token->id))
			return &response->tokens[i];
	return NULL;
}

/* Does user see it, among those of an owner? */
static bool
sees(const char *user, const char *owner, const struct token *token)
{
	struct raw_client client;
	bool found;

	log_in(&client, user);
	found = find(&client, owner, token) != NULL;
	raw_client_fini(&client);
	return found;
}

static const struct kp_sasl_authenticate_response *
use(struct raw_client *client, enum scram_mechanism mechanism,
    const struct token *token, const char *extensions)
{
	raw_client_init(client, &broker);
	return scram_login(client, mechanism, slice_str(token->id),
	    slice_of(token->password, sizeof(token->password)), extensions);
}

static bool
gets_in(const struct token *token, const char *extensions)
{
	struct raw_client client;
	bool in = use(&client, SCRAM_SHA_256, token, extensions)->error_code ==
	    KP_NONE;

	raw_client_fini(&client);
	return in;
}

static void
allow(const char *user, enum acl_operation operation,
    enum acl_resource_type type, const char *name)
{
	struct kp_create_acls_request_creation entry = {
		.resource_type = (int8_t)type,
		.resource_name = slice_str(name),
		.resource_pattern_type = ACL_PATTERN_LITERAL,
		.principal = slice_str(user),
		.host = slice_str("*"),
		.operation = (int8_t)operation,
		.permission_type = ACL_ALLOW,
	};
	const struct kp_create_acls_request request = {
		.creations = &entry,
		.creations_count = 1,
	};
	struct raw_client client;

	log_in(&client, "admin");
	assert_int_equal(call(&client, CREATE_ACLS, create_acls, 3, &request)
			     ->results[0]
			     .error_code,
	    KP_NONE);
	raw_client_fini(&client);
}

/* --- Getting in ----------------------------------------------------------- */

static void
expect_served(struct raw_client *client)
{
	const struct kp_metadata_request request = { .topics_count = 0 };

	assert_int_equal(
	    call(client, METADATA, metadata, 12, &request)->brokers_count, 1);
}

static void
check_login(enum scram_mechanism mechanism, const struct token *token)
{
	const struct kp_sasl_authenticate_response *response;
	const struct kp_create_delegation_token_request request = { 0 };
	struct raw_client client;

	response = use(&client, mechanism, token, TOKENAUTH);
	assert_int_equal(response->error_code, KP_NONE);
	assert_in_range(response->session_lifetime_ms, 1, EXPIRY_TIME_MS);
	expect_served(&client);
	/* A token makes no tokens. */
	assert_int_equal(create_by(&client, &request).error,
	    KP_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED);
	assert_int_equal(renew(&client, hmac_of(token)),
	    KP_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED);
	assert_int_equal(expire(&client, hmac_of(token)),
	    KP_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED);
	assert_int_equal(describe(&client, NULL)->error_code,
	    KP_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED);
	raw_client_fini(&client);
}

static void
who_has_a_token_gets_in(void **state UNUSED)
{
	struct token token = create(-1), wrong;

	check_login(SCRAM_SHA_256, &token);
	check_login(SCRAM_SHA_512, &token);
	assert_true(gets_in(&token, ",tokenauth=TRUE"));
	assert_false(gets_in(&token, ""));
	assert_false(gets_in(&token, ",tokenauth=false"));
	wrong = token;
	wrong.password[0] = wrong.password[0] == 'A' ? 'B' : 'A';
	assert_false(gets_in(&wrong, TOKENAUTH));
	wrong = token;
	wrong.id[0] = wrong.id[0] == 'A' ? 'B' : 'A';
	assert_false(gets_in(&wrong, TOKENAUTH));
}

static void
the_owner_is_who_it_is(void **state UNUSED)
{
	const struct kp_sasl_authenticate_response *response;
	struct token mine = create(-1);
	struct raw_client client;
	struct token others;
	const struct kp_create_delegation_token_request request = {
		.owner_principal_type = slice_str("User"),
		.owner_principal_name = slice_str("bob"),
		.max_lifetime_ms = -1,
	};

	log_in(&client, "admin");
	others = create_by(&client, &request);
	assert_int_equal(others.error, KP_NONE);
	raw_client_fini(&client);
	/* Its name shows where it may not become bob. */
	response = use(&client, SCRAM_SHA_256, &mine, TOKENAUTH);
	assert_int_equal(response->error_code, KP_NONE);
	response = scram_login(&client, SCRAM_SHA_256, slice_str(others.id),
	    slice_of(others.password, sizeof(others.password)), TOKENAUTH);
	assert_int_equal(response->error_code, KP_SASL_AUTHENTICATION_FAILED);
	assert_true(slice_equal_str(response->error_message,
	    "Cannot change principals during re-authentication from "
	    "User.alice: User.bob"));
	raw_client_fini(&client);
}

static void
outlive(int64_t ms)
{
	const struct timespec time = {
		.tv_sec = (ms + 1) / 1000,
		.tv_nsec = (ms + 1) % 1000 * 1000000,
	};

	assert_int_equal(nanosleep(&time, NULL), 0);
}

static void
a_session_ends_with_its_token(void **state UNUSED)
{
	const struct kp_sasl_authenticate_response *response;
	struct token token = create(SHORT_MS);
	struct raw_client client;

	assert_int_equal(token.expiry_ms, token.issue_ms + SHORT_MS);
	response = use(&client, SCRAM_SHA_512, &token, TOKENAUTH);
	assert_int_equal(response->error_code, KP_NONE);
	assert_in_range(response->session_lifetime_ms, 0, SHORT_MS);
	outlive(SHORT_MS);
	raw_client_request(&client, KP_METADATA_KEY, 12, 1, NULL);
	raw_client_expect_close(&client);
	raw_client_fini(&client);
	assert_false(gets_in(&token, TOKENAUTH));
}

/* Who is in stays, but nobody comes in after him. */
static void
a_token_that_has_ended_lets_nobody_in(void **state UNUSED)
{
	struct token token = create(-1);
	struct raw_client client, alice;

	assert_int_equal(
	    use(&client, SCRAM_SHA_256, &token, TOKENAUTH)->error_code,
	    KP_NONE);
	log_in(&alice, "alice");
	assert_int_equal(expire(&alice, hmac_of(&token)), KP_NONE);
	assert_int_equal(expire(&alice, hmac_of(&token)),
	    KP_DELEGATION_TOKEN_NOT_FOUND);
	raw_client_fini(&alice);
	assert_false(gets_in(&token, TOKENAUTH));
	expect_served(&client);
	assert_int_equal(scram_login(&client, SCRAM_SHA_256,
			     slice_str(token.id),
			     slice_of(token.password, sizeof(token.password)),
			     TOKENAUTH)
			     ->error_code,
	    KP_SASL_AUTHENTICATION_FAILED);
	raw_client_fini(&client);
}

static void
tokens_outlive_the_broker(void **state UNUSED)
{
	struct token token = create(-1);

	broker_process_kill(&broker);
	broker_process_restart(&broker);
	assert_true(gets_in(&token, TOKENAUTH));
	assert_true(sees("alice", NULL, &token));
}

/* --- Who may -------------------------------------------------------------- */

static enum kp_error
create_for(const char *user, const char *owner, const char *renewer_type)
{
	struct kp_create_delegation_token_request_renewer renewer = {
		.principal_type = slice_str(renewer_type),
		.principal_name = slice_str("x"),
	};
	const struct kp_create_delegation_token_request request = {
		.owner_principal_type = slice_str("User"),
		.owner_principal_name = slice_str(owner),
		.renewers = &renewer,
		.renewers_count = 1,
		.max_lifetime_ms = -1,
	};
	struct raw_client client;
	enum kp_error error;

	log_in(&client, user);
	error = create_by(&client, &request).error;
	raw_client_fini(&client);
	return error;
}

static void
a_token_for_another_needs_the_right(void **state UNUSED)
{
	assert_int_equal(create_for("carol", "alice", "Group"),
	    KP_DELEGATION_TOKEN_AUTHORIZATION_FAILED);
	assert_int_equal(
	    create_for("carol", "carol", "Group"), KP_INVALID_PRINCIPAL_TYPE);
	assert_int_equal(create_for("carol", "carol", "User"), KP_NONE);
	allow("User:carol", ACL_CREATE_TOKENS, ACL_RESOURCE_USER, "User:alice");
	assert_int_equal(create_for("carol", "alice", "User"), KP_NONE);
	assert_int_equal(create_for("carol", "bob", "User"),
	    KP_DELEGATION_TOKEN_AUTHORIZATION_FAILED);
}

static void
tokens_are_seen_by_whom_they_concern(void **state UNUSED)
{
	struct token token = create(-1), second = create(-1);

	assert_true(sees("alice", NULL, &token));
	assert_true(sees("alice", "alice", &token));
	assert_true(sees("alice", "bob", &token));
	assert_false(sees("alice", "carol", &token));
	assert_true(sees("bob", NULL, &token));
	assert_true(sees("bob", "alice", &token));
	assert_true(sees("admin", NULL, &token));
	assert_false(sees("carol", NULL, &token));
	allow("User:carol", ACL_DESCRIBE, ACL_RESOURCE_DELEGATION_TOKEN,
	    token.id);
	assert_true(sees("carol", NULL, &token));
	assert_false(sees("carol", NULL, &second));
	allow("User:carol", ACL_DESCRIBE_TOKENS, ACL_RESOURCE_USER,
	    "User:alice");
	assert_true(sees("carol", NULL, &second));
}

static void
what_is_seen_is_all_of_it(void **state UNUSED)
{
	const struct kp_describe_delegation_token_response_token *seen;
	struct token token = create(-1);
	struct raw_client client;

	log_in(&client, "bob");
	seen = find(&client, "alice", &token);
	assert_non_null(seen);
	assert_true(slice_equal_str(seen->principal_type, "User"));
	assert_true(slice_equal_str(seen->principal_name, "alice"));
	assert_true(
	    slice_equal_str(seen->token_requester_principal_name, "alice"));
	assert_int_equal(seen->issue_timestamp, token.issue_ms);
	assert_int_equal(seen->expiry_timestamp, token.expiry_ms);
	assert_true(slice_equal(seen->hmac, hmac_of(&token)));
	assert_int_equal(seen->renewers_count, 1);
	assert_true(slice_equal_str(seen->renewers[0].principal_name, "bob"));
	raw_client_fini(&client);
}

static enum kp_error
renew_as(const char *user, const struct token *token)
{
	struct raw_client client;
	enum kp_error error;

	log_in(&client, user);
	error = renew(&client, hmac_of(token));
	raw_client_fini(&client);
	return error;
}

/* Also a super user is no renewer by that. */
static void
owner_and_renewer_renew(void **state UNUSED)
{
	struct token token = create(-1);

	assert_int_equal(renew_as("alice", &token), KP_NONE);
	assert_int_equal(renew_as("bob", &token), KP_NONE);
	assert_int_equal(
	    renew_as("carol", &token), KP_DELEGATION_TOKEN_OWNER_MISMATCH);
	assert_int_equal(
	    renew_as("admin", &token), KP_DELEGATION_TOKEN_OWNER_MISMATCH);
}

/* --- Their end, and the secret -------------------------------------------- */

/* The broker is asked until it has gone; the test's own end is the limit. */
static void
an_expired_token_is_swept(void **state UNUSED)
{
	struct token token = create(1);

	while (sees("alice", NULL, &token))
		;
	assert_true(broker_process_logged(&broker, token.id));
}

static void
the_secret_is_not_told(void **state UNUSED)
{
	struct kp_describe_configs_request_resource resource = {
		.resource_type = 4,
		.resource_name = slice_str("1"),
		.configuration_keys_count = -1,
	};
	const struct kp_describe_configs_request request = {
		.resources = &resource,
		.resources_count = 1,
	};
	const struct kp_describe_configs_response *response;
	struct token token = create(-1);
	struct raw_client client;
	bool found = false;

	log_in(&client, "admin");
	response =
	    call(&client, DESCRIBE_CONFIGS, describe_configs, 4, &request);
	assert_int_equal(response->results[0].error_code, KP_NONE);
	for (int32_t i = 0; i < response->results[0].configs_count; i++) {
		const struct kp_describe_configs_response_config *config =
		    &response->results[0].configs[i];

		if (!slice_equal_str(
			config->name, "delegation.token.secret.key"))
			continue;
		found = true;
		assert_true(config->is_sensitive);
		assert_true(slice_is_null(config->value));
	}
	assert_true(found);
	raw_client_fini(&client);
	assert_true(gets_in(&token, TOKENAUTH));
	token.password[PASSWORD_LEN - 1] = '\0';
	assert_false(broker_process_logged(&broker, SECRET));
	assert_false(broker_process_logged(&broker, token.password));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_a_token_gets_in),
		cmocka_unit_test(the_owner_is_who_it_is),
		cmocka_unit_test(a_session_ends_with_its_token),
		cmocka_unit_test(a_token_that_has_ended_lets_nobody_in),
		cmocka_unit_test(tokens_outlive_the_broker),
		cmocka_unit_test(a_token_for_another_needs_the_right),
		cmocka_unit_test(tokens_are_seen_by_whom_they_concern),
		cmocka_unit_test(what_is_seen_is_all_of_it),
		cmocka_unit_test(owner_and_renewer_renew),
		cmocka_unit_test(an_expired_token_is_swept),
		cmocka_unit_test(the_secret_is_not_told),
	};

	return cmocka_run_group_tests(tests, start_broker, stop_broker);
}
