/*
 * Delegation tokens: how they are made, renewed, ended and swept, with a clock
 * of the test's own, and who may log in with one.
 */
#include "unit/unit.h"

#include <stdatomic.h>

#include "auth/delegation_token_ops.h"
#include "auth/delegation_tokens.h"
#include "auth/principal.h"
#include "base/base64.h"
#include "base/clock.h"
#include "unit/meta_rig.h"
#include "wire/codec.h"
#include "wire/generated/metadata_feature_level_record.h"

#define BEGIN_MS 1000000
#define MAX_LIFETIME_MS 10000
#define EXPIRY_TIME_MS 3000

#define ALICE "User:alice"
#define BOB "User:bob"

struct world {
	struct meta_rig rig;
	struct delegation_tokens *tokens;
};

/* --- The clock ------------------------------------------------------------ */

static atomic_llong now_ms;

static int64_t
wall_ms(void *context UNUSED)
{
	return atomic_load(&now_ms);
}

static int64_t
monotonic_us(void *context UNUSED)
{
	return atomic_load(&now_ms) * 1000;
}

static void
pass(int64_t ms)
{
	atomic_fetch_add(&now_ms, ms);
}

/* --- The world ------------------------------------------------------------ */

static struct delegation_tokens *
tokens_new(const char *secret)
{
	const struct delegation_token_settings settings = {
		.secret = slice_str(secret),
		.max_lifetime_ms = MAX_LIFETIME_MS,
		.expiry_time_ms = EXPIRY_TIME_MS,
		.expiry_check_interval_ms = 1000,
	};

	return delegation_tokens_new(&settings);
}

static void
begin(struct world *world, const char *secret)
{
	world->tokens = tokens_new(secret);
	world->rig.subscriber = delegation_tokens_apply;
	world->rig.subscriber_context = world->tokens;
	meta_rig_start(&world->rig);
}

/* The next start has another secret. */
static void
restart(struct world *world, const char *secret)
{
	meta_rig_stop(&world->rig);
	delegation_tokens_free(world->tokens);
	begin(world, secret);
}

static int
set_up(void **state)
{
	static const struct clock_source source = {
		.wall_ms = wall_ms,
		.monotonic_us = monotonic_us,
	};
	struct world *world = xcalloc(1, sizeof(*world));

	atomic_store(&now_ms, BEGIN_MS);
	clock_install(&source);
	meta_rig_init(&world->rig);
	begin(world, "hush");
	*state = world;
	return 0;
}

static int
tear_down(void **state)
{
	struct world *world = *state;

	meta_rig_fini(&world->rig);
	delegation_tokens_free(world->tokens);
	free(world);
	clock_install(NULL);
	return 0;
}

/* --- Asking --------------------------------------------------------------- */

static void
call_init(
    struct world *world, struct delegation_token_call *call, const char *who)
{
	call->tokens = world->tokens;
	call->principal = slice_str(who);
	call->arena = &world->rig.arena;
}

static const struct kp_create_delegation_token_response *
create(struct world *world, const char *who,
    const struct kp_create_delegation_token_request *request)
{
	struct create_delegation_token_op *op =
	    arena_xalloc(&world->rig.arena, sizeof(*op));

	create_delegation_token_op_init(op);
	call_init(world, &op->call, who);
	op->request = request;
	assert_int_equal(meta_rig_call(&world->rig, &op->call.op), KP_NONE);
	return &op->response;
}

/* A token of alice's, which bob may renew. */
static const struct kp_create_delegation_token_response *
create_usual(struct world *world)
{
	struct kp_create_delegation_token_request_renewer bob = {
		.principal_type = slice_str("User"),
		.principal_name = slice_str("bob"),
	};
	const struct kp_create_delegation_token_request request = {
		.renewers = &bob,
		.renewers_count = 1,
		.max_lifetime_ms = -1,
	};
	const struct kp_create_delegation_token_response *response =
	    create(world, ALICE, &request);

	assert_int_equal(response->error_code, KP_NONE);
	return response;
}

static void
renew_init(struct world *world, struct renew_delegation_token_op *op,
    const char *who, const struct kp_renew_delegation_token_request *request)
{
	renew_delegation_token_op_init(op);
	call_init(world, &op->call, who);
	op->request = request;
}

/* The new end, or the error below 0. */
static int64_t
renew(
    struct world *world, const char *who, struct slice hmac, int64_t period_ms)
{
	const struct kp_renew_delegation_token_request request = {
		.hmac = hmac,
		.renew_period_ms = period_ms,
	};
	struct renew_delegation_token_op op;

	renew_init(world, &op, who, &request);
	assert_int_equal(meta_rig_call(&world->rig, &op.call.op), KP_NONE);
	if (op.response.error_code == KP_NONE)
		return op.response.expiry_timestamp_ms;
	assert_int_equal(op.response.expiry_timestamp_ms, 0);
	return -op.response.error_code;
}

static int64_t
expire(
    struct world *world, const char *who, struct slice hmac, int64_t period_ms)
{
	const struct kp_expire_delegation_token_request request = {
		.hmac = hmac,
		.expiry_time_period_ms = period_ms,
	};
	struct expire_delegation_token_op op;

	expire_delegation_token_op_init(&op);
	call_init(world, &op.call, who);
	op.request = &request;
	assert_int_equal(meta_rig_call(&world->rig, &op.call.op), KP_NONE);
	if (op.response.error_code == KP_NONE)
		return op.response.expiry_timestamp_ms;
	assert_int_equal(op.response.expiry_timestamp_ms, 0);
	return -op.response.error_code;
}

static size_t
count(struct world *world)
{
	size_t count;

	(void)delegation_tokens_list(world->tokens, &world->rig.arena, &count);
	return count;
}

/* --- Making --------------------------------------------------------------- */

static void
a_token_has_the_defaults(void **state)
{
	struct world *world = *state;
	const struct kp_create_delegation_token_response *made =
	    create_usual(world);
	const struct delegation_token *token;
	uint8_t hmac[SCRAM_KEY_LEN_MAX];
	size_t n;

	assert_true(slice_equal_str(made->principal_type, "User"));
	assert_true(slice_equal_str(made->principal_name, "alice"));
	assert_true(
	    slice_equal_str(made->token_requester_principal_name, "alice"));
	assert_int_equal(made->issue_timestamp_ms, BEGIN_MS);
	assert_int_equal(made->expiry_timestamp_ms, BEGIN_MS + EXPIRY_TIME_MS);
	assert_int_equal(made->max_timestamp_ms, BEGIN_MS + MAX_LIFETIME_MS);
	assert_int_equal(made->token_id.len, UUID_TEXT_LEN);
	assert_int_equal(scram_hmac(SCRAM_SHA_512, slice_str("hush"),
			     made->token_id, hmac),
	    0);
	assert_true(slice_equal(made->hmac, slice_of(hmac, sizeof(hmac))));

	token = delegation_tokens_list(world->tokens, &world->rig.arena, &n);
	assert_int_equal(n, 1);
	assert_true(slice_equal(token->hmac, made->hmac));
	assert_true(slice_equal_str(token->record->owner, ALICE));
	assert_true(slice_equal_str(token->record->requester, ALICE));
	assert_int_equal(token->record->renewers_count, 1);
	assert_true(slice_equal_str(token->record->renewers[0], BOB));
}

static void
a_token_may_live_shorter(void **state)
{
	static const int64_t lives[][3] = {
		/* asked for, end, last end */
		{ -1, EXPIRY_TIME_MS, MAX_LIFETIME_MS },
		{ 0, EXPIRY_TIME_MS, MAX_LIFETIME_MS },
		{ 2000, 2000, 2000 },
		{ 4000, EXPIRY_TIME_MS, 4000 },
		{ INT64_MAX, EXPIRY_TIME_MS, MAX_LIFETIME_MS },
	};

	for (size_t i = 0; i < COUNT_OF(lives); i++) {
		const struct kp_create_delegation_token_request request = {
			.max_lifetime_ms = lives[i][0],
		};
		const struct kp_create_delegation_token_response *made =
		    create(*state, ALICE, &request);

		assert_int_equal(made->error_code, KP_NONE);
		assert_int_equal(
		    made->expiry_timestamp_ms, BEGIN_MS + lives[i][1]);
		assert_int_equal(
		    made->max_timestamp_ms, BEGIN_MS + lives[i][2]);
	}
}

static void
a_token_may_be_for_another(void **state)
{
	const struct kp_create_delegation_token_request request = {
		.owner_principal_type = slice_str("User"),
		.owner_principal_name = slice_str("bob"),
		.max_lifetime_ms = -1,
	};
	const struct kp_create_delegation_token_response *made =
	    create(*state, ALICE, &request);

	assert_int_equal(made->error_code, KP_NONE);
	assert_true(slice_equal_str(made->principal_name, "bob"));
	assert_true(
	    slice_equal_str(made->token_requester_principal_name, "alice"));
	/* Who has asked for it has no part in it. */
	assert_int_equal(renew(*state, ALICE, made->hmac, -1),
	    -KP_DELEGATION_TOKEN_OWNER_MISMATCH);
	assert_int_equal(
	    renew(*state, BOB, made->hmac, -1), BEGIN_MS + EXPIRY_TIME_MS);
}

/* Names with a NUL in them are other names. */
static void
names_are_bytes(void **state)
{
	struct world *world = *state;
	const struct kp_create_delegation_token_request request = {
		.owner_principal_type = slice_str("User"),
		.owner_principal_name = SLICE_LITERAL("alice\0x"),
		.max_lifetime_ms = -1,
	};
	const struct delegation_token *token;
	size_t n;

	assert_int_equal(
	    create(world, BOB, &request)->error_code, KP_NONE);
	token = delegation_tokens_list(world->tokens, &world->rig.arena, &n);
	assert_true(slice_equal(
	    token->record->owner, SLICE_LITERAL("User:alice\0x")));
}

/* What could not be read again is not written. */
static void
names_have_an_end(void **state)
{
	struct world *world = *state;
	struct kp_create_delegation_token_request request = {
		.owner_principal_type = slice_str("User"),
	};
	char *name = arena_xalloc(&world->rig.arena, KP_STRING_LEN_MAX);
	struct kp_create_delegation_token_request_renewer *renewers =
	    arena_xcalloc(&world->rig.arena, 64, sizeof(*renewers));

	memset(name, 'x', KP_STRING_LEN_MAX);
	request.owner_principal_name =
	    slice_of(name, KP_STRING_LEN_MAX - strlen("User:"));
	assert_int_equal(
	    create(world, ALICE, &request)->error_code, KP_NONE);
	request.owner_principal_name.len++;
	assert_int_equal(
	    create(world, ALICE, &request)->error_code, KP_INVALID_REQUEST);
	request.owner_principal_name = SLICE_NULL;
	for (int i = 0; i < 64; i++)
		renewers[i].principal_name = slice_of(name, 20000);
	request.renewers = renewers;
	request.renewers_count = 64;
	assert_int_equal(
	    create(world, ALICE, &request)->error_code, KP_INVALID_REQUEST);
	assert_int_equal(count(world), 1);
}

/* --- Renewing and ending -------------------------------------------------- */

static void
owner_and_renewer_renew(void **state)
{
	struct slice hmac = create_usual(*state)->hmac;

	pass(1000);
	assert_int_equal(renew(*state, ALICE, hmac, -1),
	    BEGIN_MS + 1000 + EXPIRY_TIME_MS);
	assert_int_equal(
	    renew(*state, BOB, hmac, 500), BEGIN_MS + 1000 + 500);
	assert_int_equal(renew(*state, BOB, hmac, 0),
	    BEGIN_MS + 1000 + EXPIRY_TIME_MS);
	assert_int_equal(renew(*state, BOB, hmac, INT64_MAX),
	    BEGIN_MS + 1000 + EXPIRY_TIME_MS);
	for (int i = 0; i < 4; i++) {
		pass(2000);
		(void)renew(*state, ALICE, hmac, -1);
	}
	assert_int_equal(
	    renew(*state, ALICE, hmac, -1), BEGIN_MS + MAX_LIFETIME_MS);
}

static void
who_may_not_renew_is_told_why(void **state)
{
	struct slice hmac = create_usual(*state)->hmac;

	assert_int_equal(renew(*state, ALICE, slice_str("x"), -1),
	    -KP_DELEGATION_TOKEN_NOT_FOUND);
	assert_int_equal(renew(*state, "User:carol", hmac, -1),
	    -KP_DELEGATION_TOKEN_OWNER_MISMATCH);
	pass(EXPIRY_TIME_MS);
	assert_int_equal(renew(*state, "User:carol", hmac, -1),
	    -KP_DELEGATION_TOKEN_OWNER_MISMATCH);
	pass(1);
	/* Also whom it is no business of. */
	assert_int_equal(renew(*state, "User:carol", hmac, -1),
	    -KP_DELEGATION_TOKEN_EXPIRED);
}

static void
owner_and_renewer_end(void **state)
{
	struct slice hmac = create_usual(*state)->hmac;

	assert_int_equal(expire(*state, ALICE, slice_str("x"), -1),
	    -KP_DELEGATION_TOKEN_NOT_FOUND);
	assert_int_equal(expire(*state, "User:carol", hmac, -1),
	    -KP_DELEGATION_TOKEN_OWNER_MISMATCH);
	assert_int_equal(expire(*state, BOB, hmac, 500), BEGIN_MS + 500);
	assert_int_equal(expire(*state, ALICE, hmac, INT64_MAX),
	    BEGIN_MS + MAX_LIFETIME_MS);
	assert_int_equal(expire(*state, ALICE, hmac, 0), BEGIN_MS);
	pass(1);
	assert_int_equal(expire(*state, "User:carol", hmac, 5),
	    -KP_DELEGATION_TOKEN_OWNER_MISMATCH);
	assert_int_equal(
	    expire(*state, ALICE, hmac, 5), -KP_DELEGATION_TOKEN_EXPIRED);
	assert_int_equal(count(*state), 1);
	assert_int_equal(expire(*state, ALICE, hmac, -1), BEGIN_MS + 1);
	assert_int_equal(count(*state), 0);
	assert_int_equal(
	    expire(*state, ALICE, hmac, -1), -KP_DELEGATION_TOKEN_NOT_FOUND);
}

/* Two operations in one batch of the controller. */
struct both {
	struct controller_op op;
	struct expire_delegation_token_op first;
	struct renew_delegation_token_op second;
};

static void
run_both(struct controller_op *op, struct controller *controller)
{
	struct both *both = CONTAINER_OF(op, struct both, op);

	both->first.call.op.run(&both->first.call.op, controller);
	both->second.call.op.run(&both->second.call.op, controller);
}

static void
what_was_decided_in_a_batch_is_seen_in_it(void **state)
{
	struct world *world = *state;
	struct slice hmac = create_usual(world)->hmac;
	const struct kp_expire_delegation_token_request end = {
		.hmac = hmac,
		.expiry_time_period_ms = -1,
	};
	const struct kp_renew_delegation_token_request request = {
		.hmac = hmac,
	};
	struct both both = { .op.run = run_both };

	expire_delegation_token_op_init(&both.first);
	call_init(world, &both.first.call, ALICE);
	both.first.request = &end;
	renew_init(world, &both.second, ALICE, &request);
	assert_int_equal(meta_rig_call(&world->rig, &both.op), KP_NONE);
	assert_int_equal(both.first.response.error_code, KP_NONE);
	assert_int_equal(both.second.response.error_code,
	    KP_DELEGATION_TOKEN_NOT_FOUND);
	assert_int_equal(count(world), 0);
}

/* --- Without tokens ------------------------------------------------------- */

static void
expect_none(struct world *world, struct slice hmac, enum kp_error error)
{
	const struct kp_create_delegation_token_request request = { 0 };
	const struct kp_create_delegation_token_response *made =
	    create(world, ALICE, &request);

	assert_int_equal(made->error_code, error);
	assert_true(slice_equal_str(made->principal_name, "alice"));
	assert_int_equal(made->issue_timestamp_ms, 0);
	assert_int_equal(made->token_id.len, 0);
	assert_int_equal(renew(world, ALICE, hmac, -1), -(int64_t)error);
	assert_int_equal(expire(world, ALICE, hmac, -1), -(int64_t)error);
}

static void
without_a_secret_there_are_none(void **state)
{
	struct world *world = *state;
	struct delegation_login login;
	const struct kp_create_delegation_token_response *made =
	    create_usual(world);
	struct slice id = made->token_id, hmac = made->hmac;

	restart(world, "");
	assert_int_equal(count(world), 0);
	expect_none(world, hmac, KP_DELEGATION_TOKEN_AUTH_DISABLED);
	assert_false(delegation_tokens_login(world->tokens, SCRAM_SHA_256, id,
	    &world->rig.arena, &login));
	/* They are only out of use. */
	restart(world, "hush");
	assert_int_equal(count(world), 1);
	assert_true(delegation_tokens_login(world->tokens, SCRAM_SHA_256, id,
	    &world->rig.arena, &login));
}

static void
old_metadata_has_none(void **state)
{
	struct world *world = *state;
	const struct kp_feature_level_record record = {
		.name = slice_str("metadata.version"),
		.feature_level = 13,
	};

	assert_int_equal(meta_rig_emit(&world->rig,
			     METADATA_RECORD_FEATURE_LEVEL, &record),
	    KP_NONE);
	expect_none(world, slice_str("x"), KP_UNSUPPORTED_VERSION);
}

/* --- Lasting and ending --------------------------------------------------- */

static bool
sweep(struct world *world)
{
	struct sweep_delegation_tokens_op op;

	sweep_delegation_tokens_op_init(&op);
	op.tokens = world->tokens;
	assert_int_equal(meta_rig_call(&world->rig, &op.op), KP_NONE);
	return op.more;
}

static void
tokens_outlive_a_restart(void **state)
{
	struct world *world = *state;
	const struct delegation_token *token;
	const struct kp_create_delegation_token_response *made =
	    create_usual(world);
	struct slice hmac = made->hmac;
	size_t n;

	(void)create_usual(world);
	assert_int_equal(expire(world, ALICE, create_usual(world)->hmac, -1),
	    BEGIN_MS);
	assert_int_equal(renew(world, ALICE, hmac, 2500), BEGIN_MS + 2500);
	restart(world, "hush");
	token = delegation_tokens_list(world->tokens, &world->rig.arena, &n);
	assert_int_equal(n, 2);
	if (!slice_equal(token->hmac, hmac))
		token++;
	assert_true(slice_equal(token->hmac, hmac));
	assert_int_equal(
	    token->record->expiration_timestamp, BEGIN_MS + 2500);
}

static void
what_has_expired_is_swept(void **state)
{
	struct world *world = *state;
	struct slice hmac;

	for (int i = 0; i < 1001; i++)
		(void)create_usual(world);
	hmac = create_usual(world)->hmac;
	assert_false(sweep(world));
	assert_int_equal(count(world), 1002);
	pass(EXPIRY_TIME_MS);
	(void)renew(world, ALICE, hmac, -1);
	assert_false(sweep(world));
	assert_int_equal(count(world), 1002);
	pass(1);
	assert_true(sweep(world));
	assert_int_equal(count(world), 2);
	assert_false(sweep(world));
	assert_int_equal(count(world), 1);
	assert_int_equal(renew(world, ALICE, hmac, -1),
	    BEGIN_MS + 2 * EXPIRY_TIME_MS + 1);
}

/* --- Logging in ----------------------------------------------------------- */

static bool
log_in(struct world *world, enum scram_mechanism mechanism, struct slice id,
    struct delegation_login *login)
{
	return delegation_tokens_login(
	    world->tokens, mechanism, id, &world->rig.arena, login);
}

static void
expect_keys(struct world *world, enum scram_mechanism mechanism,
    const struct kp_create_delegation_token_response *made)
{
	char password[(DELEGATION_TOKEN_HMAC_LEN + 2) / 3 * 4];
	size_t len = scram_key_len(mechanism);
	uint8_t salted[SCRAM_KEY_LEN_MAX];
	uint8_t stored[SCRAM_KEY_LEN_MAX], server[SCRAM_KEY_LEN_MAX];
	struct delegation_login login;

	base64_encode(made->hmac, password);
	/* The second time they are known. */
	for (int i = 0; i < 2; i++) {
		assert_true(log_in(world, mechanism, made->token_id, &login));
		assert_true(slice_equal_str(login.owner, "alice"));
		assert_int_equal(login.expiry_ms, BEGIN_MS + EXPIRY_TIME_MS);
		assert_int_equal(login.credential.iterations, 4096);
		assert_int_equal(
		    scram_salt(mechanism, slice_of(password, sizeof(password)),
			login.credential.salt, 4096, salted),
		    0);
		assert_int_equal(scram_derive(mechanism, slice_of(salted, len),
				     stored, server),
		    0);
		assert_memory_equal(login.credential.stored_key, stored, len);
		assert_memory_equal(login.credential.server_key, server, len);
	}
}

static void
the_password_is_the_hmac(void **state)
{
	const struct kp_create_delegation_token_response *made =
	    create_usual(*state);

	expect_keys(*state, SCRAM_SHA_256, made);
	expect_keys(*state, SCRAM_SHA_512, made);
}

/* Neither before, while it is there, nor when it has gone. */
static void
the_salt_tells_nothing(void **state)
{
	struct world *world = *state;
	const struct kp_create_delegation_token_response *made =
	    create_usual(world);
	struct delegation_login there, gone, other;

	assert_true(log_in(world, SCRAM_SHA_256, made->token_id, &there));
	pass(EXPIRY_TIME_MS + 1);
	assert_false(log_in(world, SCRAM_SHA_256, made->token_id, &gone));
	assert_true(slice_equal(there.credential.salt, gone.credential.salt));
	(void)expire(world, ALICE, made->hmac, -1);
	assert_false(log_in(world, SCRAM_SHA_256, made->token_id, &gone));
	assert_true(slice_equal(there.credential.salt, gone.credential.salt));
	assert_int_equal(gone.credential.iterations, 4096);
	assert_false(log_in(world, SCRAM_SHA_256, slice_str("x"), &other));
	assert_false(
	    slice_equal(other.credential.salt, there.credential.salt));
}

static void
only_users_log_in(void **state)
{
	const struct kp_create_delegation_token_request request = {
		.owner_principal_type = slice_str("Group"),
		.owner_principal_name = slice_str("bob"),
		.max_lifetime_ms = -1,
	};
	const struct kp_create_delegation_token_response *made =
	    create(*state, ALICE, &request);
	struct delegation_login login;

	assert_int_equal(made->error_code, KP_NONE);
	assert_true(slice_equal_str(made->principal_type, "Group"));
	assert_false(log_in(*state, SCRAM_SHA_256, made->token_id, &login));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_token_has_the_defaults, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_token_may_live_shorter, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_token_may_be_for_another, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    names_are_bytes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    names_have_an_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    owner_and_renewer_renew, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    who_may_not_renew_is_told_why, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    owner_and_renewer_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    what_was_decided_in_a_batch_is_seen_in_it, set_up,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    without_a_secret_there_are_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    old_metadata_has_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    tokens_outlive_a_restart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    what_has_expired_is_swept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    the_password_is_the_hmac, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    the_salt_tells_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    only_users_log_in, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
