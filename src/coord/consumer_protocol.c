#include "coord/consumer_protocol.h"

#include "base/bytes.h"
#include "meta/topic_image.h"
#include "wire/codec.h"
#include "wire/generated/consumer_protocol_assignment.h"
#include "wire/generated/consumer_protocol_subscription.h"
#include "wire/output.h"

/* Each version begins as the ones before it, so newer ones are read as this. */
#define VERSION_MAX 3

/* The version in front; -1: there is none. */
static int
version_of(struct slice bytes)
{
	int16_t version;

	if (bytes.len < sizeof(version))
		return -1;
	version = (int16_t)be16_get(bytes.data);
	return version < 0 ? -1 : MIN(version, VERSION_MAX);
}

/* What follows is ignored, as Kafka does. */
static int
decode(const struct kp_message *message, struct slice bytes,
    struct arena *arena, void *body)
{
	int version = version_of(bytes);
	size_t used;

	if (version < 0)
		return -1;
	return kp_decode_prefix(message, version,
	    slice_of(bytes.data + sizeof(int16_t), bytes.len - sizeof(int16_t)),
	    arena, body, &used);
}

/* Add a topic's partitions to the set, which has room for them. */
static void
add_topic(struct group_image *image, struct slice name,
    const int32_t *partitions, int32_t count, struct consumer_assignment *set)
{
	const struct topic_image *topic = group_image_topic(image, name);

	if (topic == NULL)
		return;
	for (int32_t i = 0; i < count; i++)
		consumer_assignment_add(set, topic->id, partitions[i], 0);
	topic_image_unref(topic);
}

int
consumer_protocol_subscription(struct group_image *image, struct slice bytes,
    struct arena *arena, struct consumer_subscription *subscription)
{
	struct kp_consumer_protocol_subscription body;
	int32_t count = 0;

	if (decode(&kp_consumer_protocol_subscription, bytes, arena, &body) !=
	    0)
		return -1;
	for (int32_t i = 0; i < body.owned_partitions_count; i++)
		count += MAX(body.owned_partitions[i].partitions_count, 0);
	subscription->topics = body.topics;
	subscription->topics_count = MAX(body.topics_count, 0);
	subscription->rack_id = body.rack_id;
	subscription->generation_id = body.generation_id;
	subscription->owned = consumer_assignment_new(arena, count);
	for (int32_t i = 0; i < body.owned_partitions_count; i++)
		add_topic(image, body.owned_partitions[i].topic,
		    body.owned_partitions[i].partitions,
		    body.owned_partitions[i].partitions_count,
		    &subscription->owned);
	consumer_assignment_sort(&subscription->owned);
	return 0;
}

int
consumer_protocol_assignment(struct group_image *image, struct slice bytes,
    struct arena *arena, struct consumer_assignment *assignment, bool *custom)
{
	struct kp_consumer_protocol_assignment body;
	int32_t count = 0;

	if (decode(&kp_consumer_protocol_assignment, bytes, arena, &body) != 0)
		return -1;
	for (int32_t i = 0; i < body.assigned_partitions_count; i++)
		count += MAX(body.assigned_partitions[i].partitions_count, 0);
	*custom = body.user_data.len > 0;
	*assignment = consumer_assignment_new(arena, count);
	for (int32_t i = 0; i < body.assigned_partitions_count; i++)
		add_topic(image, body.assigned_partitions[i].topic,
		    body.assigned_partitions[i].partitions,
		    body.assigned_partitions[i].partitions_count, assignment);
	consumer_assignment_sort(assignment);
	return 0;
}

/* --- Writing ------------------------------------------------------------- */

static void
fill(struct group_image *image, const struct consumer_assignment *set,
    struct arena *arena, struct kp_consumer_protocol_assignment *body)
{
	struct kp_consumer_protocol_assignment_assigned_partition *topic;

	topic = body->assigned_partitions = arena_xcalloc(
	    arena, (size_t)set->count, sizeof(*body->assigned_partitions));
	for (int32_t i = 0, run; i < set->count; i += run) {
		const struct topic_image *known =
		    group_image_topic_by_id(image, set->partitions[i].topic_id);

		run = consumer_assignment_run(set, i);
		if (known == NULL)
			continue;
		topic->topic = arena_copy(arena, known->name);
		topic_image_unref(known);
		topic->partitions = arena_xcalloc(
		    arena, (size_t)run, sizeof(*topic->partitions));
		topic->partitions_count = run;
		for (int32_t p = 0; p < run; p++)
			topic->partitions[p] = set->partitions[i + p].partition;
		topic++;
	}
	body->assigned_partitions_count =
	    (int32_t)(topic - body->assigned_partitions);
}

struct slice
consumer_protocol_encode(struct group_image *image,
    const struct consumer_assignment *assignment, struct slice metadata,
    struct arena *arena)
{
	/* Who has joined without a version gets the first. */
	int version = MAX(version_of(metadata), 0);
	struct kp_consumer_protocol_assignment body;
	struct arena scratch;
	struct output out;
	uint8_t *bytes;
	int encoded;

	arena_init(&scratch, SIZE_MAX);
	kp_defaults(&kp_consumer_protocol_assignment, &body);
	fill(image, assignment, &scratch, &body);
	output_init(&out, &scratch);
	encoded =
	    kp_encode(&kp_consumer_protocol_assignment, version, &body, &out);
	assert(encoded == 0 && out.count == 1);
	bytes = arena_xalloc(arena, sizeof(int16_t) + out.len);
	be16_put(bytes, (uint16_t)version);
	memcpy(bytes + sizeof(int16_t), out.pieces[0].data, out.len);
	arena_reset(&scratch);
	return slice_of(bytes, sizeof(int16_t) + out.len);
}
