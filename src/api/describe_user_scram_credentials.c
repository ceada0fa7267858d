/*
 * DescribeUserScramCredentials, version 0: who has a password for which
 * mechanism, never the password.
 */
#include "api/api.h"
#include "base/tally.h"
#include "meta/image.h"
#include "meta/metadata_record.h"
#include "wire/generated/describe_user_scram_credentials.h"
#include "wire/generated/metadata_user_scram_credential_record.h"

struct credential {
	struct slice user;
	int8_t mechanism;
	int32_t iterations;
};

struct credentials {
	struct credential *all; /* sorted by user and mechanism */
	size_t count;
};

static int
compare(const void *a, const void *b)
{
	const struct credential *left = a, *right = b;
	int order = slice_compare(left->user, right->user);

	return order != 0 ? order : left->mechanism - right->mechanism;
}

static size_t
count_kept(const struct image *image)
{
	const struct image_kept *kept;
	size_t count = 0;

	for (size_t at = 0; (kept = image_kept_next(image, &at)) != NULL;)
		count += kept->api_key == METADATA_RECORD_USER_SCRAM_CREDENTIAL;
	return count;
}

static void
add(struct request *request, struct slice value,
    struct credentials *credentials)
{
	const struct kp_user_scram_credential_record *body;
	struct metadata_record record;
	const char *reason;

	if (metadata_record_decode(value, &request->arena, &record, &reason) !=
	    0)
		return;
	body = record.body;
	credentials->all[credentials->count++] = (struct credential){
		.user = arena_copy(&request->arena, body->name),
		.mechanism = body->mechanism,
		.iterations = body->iterations,
	};
}

static struct credentials
read_all(struct request *request)
{
	struct image *image = request->server->image;
	struct credentials credentials = { .count = 0 };
	const struct image_kept *kept;

	image_read_lock(image);
	credentials.all = arena_xcalloc(
	    &request->arena, count_kept(image), sizeof(*credentials.all));
	for (size_t at = 0; (kept = image_kept_next(image, &at)) != NULL;)
		if (kept->api_key == METADATA_RECORD_USER_SCRAM_CREDENTIAL)
			add(request, kept->value, &credentials);
	image_read_unlock(image);
	if (credentials.count > 0)
		qsort(credentials.all, credentials.count,
		    sizeof(*credentials.all), compare);
	return credentials;
}

static void
refuse(struct request *request,
    struct kp_describe_user_scram_credentials_response_result *result,
    enum kp_error error, const char *text)
{
	result->error_code = (int16_t)error;
	result->error_message = arena_printf(
	    &request->arena, "%s%.*s", text, SLICE_ARG(result->user));
}

/* Where the user's credentials begin, or count. */
static size_t
find(const struct credentials *credentials, struct slice user)
{
	size_t low = 0, high = credentials->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (slice_compare(credentials->all[middle].user, user) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < credentials->count &&
		slice_equal(credentials->all[low].user, user) ?
	    low :
	    credentials->count;
}

/* The result of the user whose credentials begin there; how many there are. */
static size_t
fill_user(struct request *request, const struct credentials *credentials,
    size_t begin,
    struct kp_describe_user_scram_credentials_response_result *result)
{
	const struct credential *first = &credentials->all[begin];
	size_t left = credentials->count - begin, count = 0;

	while (count < left && slice_equal(first[count].user, first->user))
		count++;
	result->user = first->user;
	result->credential_infos = arena_xcalloc(
	    &request->arena, count, sizeof(*result->credential_infos));
	result->credential_infos_count = (int32_t)count;
	for (size_t i = 0; i < count; i++) {
		result->credential_infos[i].mechanism = first[i].mechanism;
		result->credential_infos[i].iterations = first[i].iterations;
	}
	return count;
}

static void
fill_all(struct request *request, const struct credentials *credentials,
    struct kp_describe_user_scram_credentials_response *response)
{
	response->results = arena_xcalloc(
	    &request->arena, credentials->count, sizeof(*response->results));
	for (size_t at = 0; at < credentials->count;)
		at += fill_user(request, credentials, at,
		    &response->results[response->results_count++]);
}

static void
fill_named(struct request *request, const struct credentials *credentials,
    struct kp_describe_user_scram_credentials_response *response)
{
	const struct kp_describe_user_scram_credentials_request *body =
	    request->body;
	struct tally asked, answered;

	response->results = arena_xcalloc(&request->arena,
	    (size_t)body->users_count, sizeof(*response->results));
	tally_init(&asked);
	tally_init(&answered);
	for (int32_t i = 0; i < body->users_count; i++)
		(void)tally_add(&asked, body->users[i].name);
	for (int32_t i = 0; i < body->users_count; i++) {
		struct slice user = body->users[i].name;
		size_t at = find(credentials, user);
		struct kp_describe_user_scram_credentials_response_result
		    *result;

		if (tally_add(&answered, user) > 1)
			continue;
		result = &response->results[response->results_count++];
		result->user = user;
		if (tally_count(&asked, user) > 1)
			refuse(request, result, KP_DUPLICATE_RESOURCE,
			    "Cannot describe SCRAM credentials for the same "
			    "user twice in a single request: ");
		else if (at == credentials->count)
			refuse(request, result, KP_RESOURCE_NOT_FOUND,
			    "Attempt to describe a user credential that does "
			    "not exist: ");
		else
			(void)fill_user(request, credentials, at, result);
	}
	tally_fini(&asked);
	tally_fini(&answered);
}

static void
handle_describe_user_scram_credentials(struct request *request)
{
	const struct kp_describe_user_scram_credentials_request *body =
	    request->body;
	struct kp_describe_user_scram_credentials_response *response =
	    request_response_new(request);
	struct credentials credentials = read_all(request);

	response->error_message = slice_str("");
	if (body->users_count <= 0)
		fill_all(request, &credentials, response);
	else
		fill_named(request, &credentials, response);
	for (int32_t i = 0; i < response->results_count; i++)
		if (response->results[i].error_code == KP_NONE)
			response->results[i].error_message = slice_str("");
	request_reply(request, response);
}

const struct api api_describe_user_scram_credentials =
    API_ROW(describe_user_scram_credentials, API_CLUSTER(ACL_DESCRIBE));
