#include "api/share_acks.h"

#include "meta/image.h"

/* Kafka counts UTF-16 units. */
#define MEMBER_ID_LEN_MAX 36

/* --- Checks ------------------------------------------------------------ */

/* Units of UTF-16: two for what takes four bytes in UTF-8. */
static size_t
text_len(struct slice text)
{
	size_t len = 0;

	for (size_t i = 0; i < text.len; i++)
		if ((text.data[i] & 0xc0) != 0x80)
			len += text.data[i] >= 0xf0 ? 2 : 1;
	return len;
}

bool
share_acks_member_valid(struct slice member_id)
{
	return member_id.len > 0 && member_id.len <= 3 * MEMBER_ID_LEN_MAX &&
	    text_len(member_id) <= MEMBER_ID_LEN_MAX;
}

static bool
share_enabled(const struct request *request)
{
	struct image *image = request->server->image;
	int16_t level;

	image_read_lock(image);
	level = image_feature(image, "share.version");
	image_read_unlock(image);
	return level >= 1;
}

enum kp_error
share_acks_check(const struct request *request, struct slice group_id,
    struct slice member_id)
{
	if (!share_enabled(request))
		return KP_UNSUPPORTED_VERSION;
	if (slice_is_null(group_id))
		return KP_INVALID_REQUEST;
	if (!request_allows(
		request, ACL_READ, ACL_RESOURCE_GROUP, group_id))
		return KP_GROUP_AUTHORIZATION_FAILED;
	return share_acks_member_valid(member_id) ? KP_NONE :
						    KP_INVALID_REQUEST;
}

void
share_acks_disconnected(
    struct connection_handler *handler, struct connection *connection)
{
	struct server *server =
	    CONTAINER_OF(handler, struct server, connections);

	share_sessions_disconnect(server->share_sessions, connection,
	    share_partitions_session_ended, server->share_partitions);
}

/* --- Taking them up ---------------------------------------------------- */

struct share_acks *
share_acks_new(struct request *request, struct slice group_id,
    struct slice member_id, size_t parts_max,
    void (*done)(struct request *request))
{
	struct share_acks *acks =
	    arena_xcalloc(&request->arena, 1, sizeof(*acks));

	request->arena.size_bytes_max += parts_max * sizeof(*acks->parts);
	acks->request = request;
	acks->group_id = group_id;
	acks->member_id = member_id;
	acks->done = done;
	acks->parts = arena_xcalloc(
	    &request->arena, parts_max, sizeof(*acks->parts));
	atomic_init(&acks->pending, 1);
	return acks;
}

void
share_acks_part(struct share_acks *acks, struct uuid topic_id, int32_t index,
    int32_t batches_max)
{
	size_t count = (size_t)MAX(batches_max, 0);
	struct arena *arena = &acks->request->arena;

	arena->size_bytes_max += count * sizeof(struct share_partition_ack);
	acks->parts[acks->count++] = (struct share_acks_part){
		.topic_id = topic_id,
		.index = index,
		.leader = { -1, -1 },
		.acks = arena_xcalloc(
		    arena, count, sizeof(struct share_partition_ack)),
		.all = acks,
	};
}

void
share_acks_batch(struct share_acks *acks, int64_t first_offset,
    int64_t last_offset, const int8_t *types, int32_t types_count)
{
	struct share_acks_part *part = &acks->parts[acks->count - 1];

	part->acks[part->count++] = (struct share_partition_ack){
		.first_offset = first_offset,
		.last_offset = last_offset,
		.types = types,
		.types_count = types_count,
	};
}

/* --- Carrying them out ------------------------------------------------- */

static bool
types_valid(const struct share_partition_ack *ack, int8_t type_max, bool renews)
{
	for (int32_t i = 0; i < ack->types_count; i++)
		if (ack->types[i] < 0 || ack->types[i] > type_max ||
		    (ack->types[i] == SHARE_PARTITION_RENEW && !renews))
			return false;
	return true;
}

/* One type for all, or one for each; any offsets may stand there. */
static bool
types_fit(const struct share_partition_ack *ack)
{
	uint64_t distance =
	    (uint64_t)ack->last_offset - (uint64_t)ack->first_offset;

	return ack->types_count == 1 ||
	    (ack->types_count > 1 &&
		distance == (uint64_t)ack->types_count - 1);
}

/* A batch that begins where the one before ends is let through. */
static bool
batches_valid(
    const struct share_acks_part *part, int8_t type_max, bool renews)
{
	int64_t previous = -1;

	for (int32_t i = 0; i < part->count; i++) {
		const struct share_partition_ack *ack = &part->acks[i];

		if (ack->first_offset > ack->last_offset ||
		    ack->first_offset < previous ||
		    !types_fit(ack) || !types_valid(ack, type_max, renews))
			return false;
		previous = ack->last_offset;
	}
	return true;
}

static enum kp_error
part_find(struct share_acks_part *part)
{
	const struct partitions_key key = {
		.topic_id = part->topic_id,
		.by_id = true,
		.index = part->index,
	};
	struct partitions_found found;
	enum kp_error error =
	    partitions_find(part->all->request, &key, ACL_READ, &found);

	part->leader = found.leader;
	partition_unref(found.partition);
	return error;
}

static void
acks_end(struct share_acks *acks)
{
	if (atomic_fetch_sub(&acks->pending, 1) == 1)
		request_post(acks->request, acks->done);
}

static void
on_done(struct share_log_call *call)
{
	struct share_acks_part *part =
	    CONTAINER_OF(call, struct share_acks_part, call);

	part->error = call->error;
	acks_end(part->all);
}

/* Only who has acquired something has something to acknowledge. */
static enum kp_error
part_run(struct share_acks_part *part)
{
	struct share_acks *acks = part->all;
	const struct share_partitions_key key = {
		.group_id = acks->group_id,
		.topic_id = part->topic_id,
		.index = part->index,
	};
	const struct server *server = acks->request->server;
	struct share_log *log =
	    share_partitions_find(server->share_partitions, &key);

	if (log == NULL)
		return KP_UNKNOWN_TOPIC_OR_PARTITION;
	part->call.done = on_done;
	atomic_fetch_add(&acks->pending, 1);
	share_log_acknowledge(log, acks->member_id, part->acks,
	    (size_t)part->count, &part->call);
	share_log_unref(log);
	return KP_NONE;
}

/* The order of checks is KafkaApis.handleAcknowledgements'. */
static void
part_begin(struct share_acks_part *part, int8_t type_max, bool renews)
{
	enum kp_error error = part_find(part);

	if (error != KP_UNKNOWN_TOPIC_ID &&
	    !batches_valid(part, type_max, renews))
		error = KP_INVALID_REQUEST;
	if (error == KP_NONE && part->count > 0)
		error = part_run(part);
	/* Else the call has its own answer, or will have. */
	if (error != KP_NONE)
		part->error = error;
}

void
share_acks_run(struct share_acks *acks, int8_t type_max, bool renews)
{
	for (int32_t i = 0; i < acks->count; i++)
		part_begin(&acks->parts[i], type_max, renews);
	acks_end(acks);
}
