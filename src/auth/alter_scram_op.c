#include "auth/alter_scram_op.h"

#include <openssl/crypto.h>

#include "auth/scram.h"
#include "base/map.h"
#include "wire/generated/metadata_remove_user_scram_credential_record.h"
#include "wire/generated/metadata_user_scram_credential_record.h"

/* A user of the request, and what is to be done, or an error. */
struct user {
	struct slice name;
	enum kp_error error;
	const char *message; /* NULL: none */
	const struct kp_alter_user_scram_credentials_request_deletion *deletion;
	const struct kp_alter_user_scram_credentials_request_upsertion
	    *upsertion;
};

struct alteration {
	struct alter_scram_op *op;
	struct controller *controller;
	struct user *users; /* in the order of the request */
	int32_t users_count;
	struct map by_name;
};

static void
refuse(struct user *user, enum kp_error error, const char *message)
{
	user->error = error;
	user->message = message;
	user->deletion = NULL;
	user->upsertion = NULL;
}

/* The entry of a user that is named for the first time; else NULL. */
static struct user *
user_new(struct alteration *alteration, struct slice name)
{
	struct user *user = map_get(&alteration->by_name, name);

	if (user != NULL) {
		if (user->error == KP_NONE)
			refuse(user, KP_DUPLICATE_RESOURCE,
			    "A user credential cannot be altered twice in "
			    "the same request");
		return NULL;
	}
	user = &alteration->users[alteration->users_count++];
	user->name = name;
	map_set(&alteration->by_name, user->name, user);
	return user;
}

static bool
mechanism_known(int8_t mechanism)
{
	return mechanism == SCRAM_SHA_256 || mechanism == SCRAM_SHA_512;
}

static bool
check_user(struct user *user, int8_t mechanism)
{
	if (user->name.len == 0)
		refuse(user, KP_UNACCEPTABLE_CREDENTIAL,
		    "Username must not be empty");
	else if (!mechanism_known(mechanism))
		refuse(user, KP_UNSUPPORTED_SASL_MECHANISM,
		    "Unknown SCRAM mechanism");
	return user->error == KP_NONE;
}

/* Is there one, with all that was decided before in the same batch? */
static bool
exists(struct alteration *alteration, struct slice name, int8_t mechanism)
{
	struct slice identity;
	uint8_t *bytes = delta_scram_identity(name, mechanism, &identity);
	bool found = !slice_is_null(
	    delta_kept_value(controller_view(alteration->controller),
		METADATA_RECORD_USER_SCRAM_CREDENTIAL, identity));

	free(bytes);
	return found;
}

static void
take_deletion(struct alteration *alteration,
    const struct kp_alter_user_scram_credentials_request_deletion *deletion)
{
	struct user *user = user_new(alteration, deletion->name);

	if (user == NULL || !check_user(user, deletion->mechanism))
		return;
	if (exists(alteration, deletion->name, deletion->mechanism))
		user->deletion = deletion;
	else
		refuse(user, KP_RESOURCE_NOT_FOUND,
		    "Attempt to delete a user credential that does not "
		    "exist");
}

static void
take_upsertion(struct alteration *alteration,
    const struct kp_alter_user_scram_credentials_request_upsertion *upsertion)
{
	struct user *user = user_new(alteration, upsertion->name);

	if (user == NULL || !check_user(user, upsertion->mechanism))
		return;
	if (upsertion->iterations < SCRAM_ITERATIONS_MIN)
		refuse(user, KP_UNACCEPTABLE_CREDENTIAL, "Too few iterations");
	else if (upsertion->iterations > SCRAM_ITERATIONS_MAX)
		refuse(user, KP_UNACCEPTABLE_CREDENTIAL, "Too many iterations");
	else if (upsertion->salted_password.len == 0)
		refuse(user, KP_UNKNOWN_SERVER_ERROR, "Empty key");
	else
		user->upsertion = upsertion;
}

static void
emit_deletion(struct alteration *alteration, const struct user *user)
{
	const struct kp_remove_user_scram_credential_record record = {
		.name = user->name,
		.mechanism = user->deletion->mechanism,
	};

	controller_emit(alteration->controller,
	    METADATA_RECORD_REMOVE_USER_SCRAM_CREDENTIAL, &record);
}

static void
emit_upsertion(struct alteration *alteration, struct user *user)
{
	enum scram_mechanism mechanism =
	    (enum scram_mechanism)user->upsertion->mechanism;
	size_t len = scram_key_len(mechanism);
	uint8_t stored_key[SCRAM_KEY_LEN_MAX], server_key[SCRAM_KEY_LEN_MAX];
	const struct kp_user_scram_credential_record record = {
		.name = user->name,
		.mechanism = (int8_t)mechanism,
		.salt = user->upsertion->salt,
		.stored_key = slice_of(stored_key, len),
		.server_key = slice_of(server_key, len),
		.iterations = user->upsertion->iterations,
	};

	if (scram_derive(mechanism, user->upsertion->salted_password,
		stored_key, server_key) != 0)
		refuse(user, KP_UNKNOWN_SERVER_ERROR, NULL);
	else
		controller_emit(alteration->controller,
		    METADATA_RECORD_USER_SCRAM_CREDENTIAL, &record);
	OPENSSL_cleanse(stored_key, sizeof(stored_key));
	OPENSSL_cleanse(server_key, sizeof(server_key));
}

static void
carry_out(struct alteration *alteration, struct user *user,
    struct kp_alter_user_scram_credentials_response_result *result)
{
	if (user->deletion != NULL)
		emit_deletion(alteration, user);
	else if (user->upsertion != NULL)
		emit_upsertion(alteration, user);
	result->user = user->name;
	result->error_code = (int16_t)user->error;
	result->error_message =
	    user->message == NULL ? SLICE_NULL : slice_str(user->message);
}

static void
run(struct controller_op *base, struct controller *controller)
{
	struct alter_scram_op *op =
	    CONTAINER_OF(base, struct alter_scram_op, op);
	const struct kp_alter_user_scram_credentials_request *request =
	    op->request;
	int32_t deletions = MAX(request->deletions_count, 0);
	int32_t upsertions = MAX(request->upsertions_count, 0);
	struct alteration alteration = { .op = op, .controller = controller };

	kp_defaults(&kp_alter_user_scram_credentials_response, &op->response);
	if (deletions + upsertions > CONTROLLER_RECORDS_MAX) {
		op->op.error = KP_INVALID_REQUEST;
		return;
	}
	alteration.users = arena_xcalloc(op->arena,
	    (size_t)(deletions + upsertions), sizeof(*alteration.users));
	map_init(&alteration.by_name);
	for (int32_t i = 0; i < deletions; i++)
		take_deletion(&alteration, &request->deletions[i]);
	for (int32_t i = 0; i < upsertions; i++)
		take_upsertion(&alteration, &request->upsertions[i]);
	map_fini(&alteration.by_name);
	op->response.results = kp_array(op->arena,
	    &kp_alter_user_scram_credentials_response_result_struct,
	    alteration.users_count);
	assert(op->response.results != NULL);
	op->response.results_count = alteration.users_count;
	for (int32_t i = 0; i < alteration.users_count; i++)
		carry_out(&alteration, &alteration.users[i],
		    &op->response.results[i]);
}

void
alter_scram_op_init(struct alter_scram_op *op)
{
	memset(op, 0, sizeof(*op));
	op->op.run = run;
}
