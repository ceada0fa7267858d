/*
 * ApiVersions, versions 0-4: which APIs are served, and the features.
 *
 * A version that is not served is answered in version 0 with
 * UNSUPPORTED_VERSION and the one entry that a client needs to try again
 * (KIP-511).  Version 3 leaves out supported features that begin at level 0,
 * because its clients could not read them (KIP-584).
 */
#include "api/api.h"

#include <ctype.h>

#include "meta/broker_ops.h"
#include "meta/controller.h"
#include "meta/image.h"
#include "wire/generated/api_versions.h"

/* From this version on, features that begin at level 0 are listed. */
#define VERSION_LISTS_LEVEL_ZERO 4

static bool
alphanumeric(uint8_t c)
{
	return c < 128 && isalnum(c);
}

/* [a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?, as ApiVersionsRequest has it. */
static bool
software_valid(struct slice text)
{
	if (text.len == 0 || !alphanumeric(text.data[0]) ||
	    !alphanumeric(text.data[text.len - 1]))
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!alphanumeric(text.data[i]) && text.data[i] != '-' &&
		    text.data[i] != '.')
			return false;
	return true;
}

static void
fill_key(struct kp_api_versions_response_api_key *entry, const struct api *api)
{
	entry->api_key = api->request->key;
	entry->min_version = (api->flags & API_ADVERTISED_FROM_ZERO) != 0 ?
	    0 :
	    api_version_min(api);
	entry->max_version = api_version_max(api);
}

static void
fill_keys(struct request *request, struct kp_api_versions_response *response)
{
	size_t count;
	const struct api *const *rows = api_table(&count);

	response->api_keys = arena_xcalloc(&request->arena, count,
	    sizeof(*response->api_keys));
	response->api_keys_count = (int32_t)count;
	for (size_t i = 0; i < count; i++)
		fill_key(&response->api_keys[i], rows[i]);
}

static void
fill_supported(struct request *request,
    struct kp_api_versions_response *response)
{
	size_t count;
	const struct broker_ops_feature *known = broker_ops_features(&count);
	struct kp_api_versions_response_supported_feature *entry;

	entry = response->supported_features = arena_xcalloc(&request->arena,
	    count, sizeof(*entry));
	for (size_t i = 0; i < count; i++) {
		if (known[i].min == 0 &&
		    request->version < VERSION_LISTS_LEVEL_ZERO)
			continue;
		entry->name = slice_str(known[i].name);
		entry->min_version = known[i].min;
		entry->max_version = known[i].max;
		entry++;
	}
	response->supported_features_count =
	    (int32_t)(entry - response->supported_features);
}

/*
 * Is it a feature that we serve?  A directory that Kafka wrote can have others
 * finalized, which clients must not rely on here.
 */
static bool
served(struct slice name)
{
	size_t count;
	const struct broker_ops_feature *known = broker_ops_features(&count);

	for (size_t i = 0; i < count; i++)
		if (slice_equal_str(name, known[i].name))
			return true;
	return false;
}

static void
add_finalized(struct kp_api_versions_response *response, struct slice name,
    int16_t level)
{
	struct kp_api_versions_response_finalized_feature *entry =
	    &response->finalized_features
		 [response->finalized_features_count++];

	entry->name = name;
	entry->max_version_level = level;
	entry->min_version_level = level;
}

/* kraft.version stands in the metadata log's control records. */
static void
add_kraft_version(struct request *request,
    struct kp_api_versions_response *response)
{
	const struct controller *controller = request->server->controller;
	int16_t level =
	    controller == NULL ? 0 : controller_kraft_version(controller);

	if (level > 0)
		add_finalized(response, slice_str("kraft.version"), level);
}

static void
fill_finalized(struct request *request,
    struct kp_api_versions_response *response)
{
	struct image *image = request->server->image;
	const struct image_feature *features;
	size_t count;

	image_read_lock(image);
	features = image_features(image, &count);
	response->finalized_features = arena_xcalloc(&request->arena,
	    count + 1, sizeof(*response->finalized_features));
	response->finalized_features_count = 0;
	for (size_t i = 0; i < count; i++)
		if (served(features[i].name))
			add_finalized(response,
			    arena_copy(&request->arena, features[i].name),
			    features[i].level);
	response->finalized_features_epoch = image_offset(image);
	image_read_unlock(image);
	add_kraft_version(request, response);
}

static void
handle_api_versions(struct request *request)
{
	const struct kp_api_versions_request *body = request->body;
	struct kp_api_versions_response *response =
	    request_response_new(request);

	if (request->version >= 3 &&
	    (!software_valid(body->client_software_name) ||
		!software_valid(body->client_software_version))) {
		response->error_code = KP_INVALID_REQUEST;
		request_reply(request, response);
		return;
	}
	fill_keys(request, response);
	fill_supported(request, response);
	fill_finalized(request, response);
	request_reply(request, response);
}

static void
refuse_version(struct request *request)
{
	struct kp_api_versions_response *response;

	request->version = 0;
	response = request_response_new(request);
	response->error_code = KP_UNSUPPORTED_VERSION;
	response->api_keys = arena_xcalloc(&request->arena, 1,
	    sizeof(*response->api_keys));
	response->api_keys_count = 1;
	fill_key(response->api_keys, request->api);
	request_reply(request, response);
}

const struct api api_api_versions = API_ROW(api_versions, API_OPEN,
    .refuse_version = refuse_version);
