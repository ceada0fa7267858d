#include "api/offset_commits.h"
#include "meta/image.h"
#include "meta/topic_image.h"

void
offset_commits_topics(
    struct request *request, struct group_commit *commit, int32_t count)
{
	commit->topics_count = MAX(count, 0);
	commit->topics = arena_xcalloc(&request->arena,
	    (size_t)commit->topics_count, sizeof(*commit->topics));
}

void
offset_commits_offsets(
    struct request *request, struct group_topic *topic, int32_t count)
{
	topic->offsets_count = MAX(count, 0);
	topic->offsets = arena_xcalloc(&request->arena,
	    (size_t)topic->offsets_count, sizeof(*topic->offsets));
}

struct group_offset
offset_commits_offset(int32_t partition, int64_t offset, int32_t leader_epoch,
    struct slice metadata)
{
	return (struct group_offset){
		.partition = partition,
		.offset = offset,
		.leader_epoch = leader_epoch,
		.metadata = slice_is_null(metadata) ? slice_str("") : metadata,
	};
}

/* --- What can be committed ----------------------------------------------- */

static bool
may_read(const struct request *request, struct slice topic)
{
	return request_allows(request, ACL_READ, ACL_RESOURCE_TOPIC, topic);
}

/* The topic that is asked for; NULL with the error of its partitions. */
static const struct topic_image *
resolve(const struct request *request, const struct group_topic *asked,
    bool by_id, enum kp_error *error)
{
	const struct image *image = request->server->image;
	const struct topic_image *topic = by_id ?
	    image_topic_by_id(image, asked->id) :
	    image_topic(image, asked->name);

	*error = KP_NONE;
	if (by_id && topic == NULL)
		*error = KP_UNKNOWN_TOPIC_ID;
	else if (!may_read(request, by_id ? topic->name : asked->name))
		*error = KP_TOPIC_AUTHORIZATION_FAILED;
	else if (topic == NULL)
		*error = KP_UNKNOWN_TOPIC_OR_PARTITION;
	return *error == KP_NONE ? topic : NULL;
}

/* The number of offsets that are left. */
static int32_t
check_topic(const struct topic_image *image, enum kp_error error,
    struct group_topic *topic)
{
	int32_t left = 0;

	for (int32_t i = 0; i < topic->offsets_count; i++) {
		struct group_offset *offset = &topic->offsets[i];

		if (image == NULL)
			offset->error = error;
		else if (topic_image_partition(image, offset->partition) ==
		    NULL)
			offset->error = KP_UNKNOWN_TOPIC_OR_PARTITION;
		else
			left++;
	}
	return left;
}

int32_t
offset_commits_check(
    struct request *request, struct group_commit *commit, bool by_id)
{
	int32_t left = 0;

	image_read_lock(request->server->image);
	for (int32_t i = 0; i < commit->topics_count; i++) {
		struct group_topic *topic = &commit->topics[i];
		enum kp_error error;
		const struct topic_image *image =
		    resolve(request, topic, by_id, &error);

		left += check_topic(image, error, topic);
		if (image != NULL) {
			topic->name = arena_copy(&request->arena, image->name);
			topic->known = true;
		}
		if (image != NULL && commit->transaction == NULL)
			topic->id = image->id;
	}
	image_read_unlock(request->server->image);
	return left;
}

void
offset_commits_fail(struct group_commit *commit, enum kp_error error)
{
	for (int32_t t = 0; t < commit->topics_count; t++) {
		struct group_topic *topic = &commit->topics[t];

		for (int32_t i = 0; i < topic->offsets_count; i++)
			if (topic->offsets[i].error == KP_NONE)
				topic->offsets[i].error = error;
	}
}
