#include "base/base.h"

#include "meta/topic_image.h"

struct topic_image *
topic_image_new(struct slice name, struct uuid id)
{
	struct topic_image *topic = xcalloc(1, sizeof(*topic));

	topic->refs = 1;
	topic->id = id;
	topic->name = slice_of(slice_dup(name), name.len);
	topic->internal = topic_image_name_internal(name);
	return topic;
}

/*
 * Partitions are allocated in powers of two, so that adding one after the
 * other costs few reallocations; grow relies on it, also for clones.
 */
static size_t
capacity_for(size_t count)
{
	size_t capacity = 1;

	while (capacity < count)
		capacity *= 2;
	return capacity;
}

struct topic_image *
topic_image_clone(const struct topic_image *old)
{
	struct topic_image *topic = topic_image_new(old->name, old->id);
	size_t count = (size_t)old->partitions_count;

	topic->partitions_count = old->partitions_count;
	topic->partitions = xmalloc(capacity_for(count) *
	    sizeof(*topic->partitions));
	for (size_t i = 0; i < count; i++)
		topic->partitions[i] = old->partitions[i] == NULL ? NULL
		    : partition_image_ref(old->partitions[i]);
	return topic;
}

/* Grow to count partitions; the new ones are NULL until they are set. */
static void
grow(struct topic_image *topic, int32_t count)
{
	size_t old = (size_t)topic->partitions_count;

	if (old == 0 || capacity_for((size_t)count) > capacity_for(old))
		topic->partitions = xrealloc(topic->partitions,
		    capacity_for((size_t)count) * sizeof(*topic->partitions));
	for (size_t i = old; i < (size_t)count; i++)
		topic->partitions[i] = NULL;
	topic->partitions_count = count;
}

int
topic_image_set_partition(struct topic_image *topic, int32_t index,
    const struct partition_image *partition)
{
	if (index < 0 || index > PARTITION_IMAGE_ID_MAX) {
		partition_image_unref(partition);
		return -1;
	}
	if (index >= topic->partitions_count)
		grow(topic, index + 1);
	partition_image_unref(topic->partitions[index]);
	topic->partitions[index] = partition;
	return 0;
}

bool
topic_image_complete(const struct topic_image *topic)
{
	for (int32_t i = 0; i < topic->partitions_count; i++)
		if (topic->partitions[i] == NULL)
			return false;
	return true;
}

const struct partition_image *
topic_image_partition(const struct topic_image *topic, int32_t index)
{
	if (index < 0 || index >= topic->partitions_count)
		return NULL;
	return topic->partitions[index];
}

static uint32_t *
refs_of(const struct topic_image *topic)
{
	return &((struct topic_image *)(uintptr_t)topic)->refs;
}

const struct topic_image *
topic_image_ref(const struct topic_image *topic)
{
	__atomic_add_fetch(refs_of(topic), 1, __ATOMIC_RELAXED);
	return topic;
}

void
topic_image_unref(const struct topic_image *topic)
{
	if (topic == NULL ||
	    __atomic_sub_fetch(refs_of(topic), 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (int32_t i = 0; i < topic->partitions_count; i++)
		partition_image_unref(topic->partitions[i]);
	free(topic->partitions);
	free((void *)(uintptr_t)topic->name.data);
	free((void *)(uintptr_t)topic);
}

bool
topic_image_name_internal(struct slice name)
{
	return slice_equal_str(name, "__consumer_offsets") ||
	    slice_equal_str(name, "__transaction_state") ||
	    slice_equal_str(name, "__share_group_state");
}

static bool
name_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

static const char *
name_fault(struct slice name)
{
	if (name.len == 0)
		return "Topic name is invalid: the empty string is not allowed";
	if (slice_equal_str(name, ".") || slice_equal_str(name, ".."))
		return "Topic name is invalid: '.' and '..' are not allowed";
	if (name.len > TOPIC_IMAGE_NAME_LEN_MAX)
		return "Topic name is invalid: the length of the name is "
		       "longer than 249 characters";
	for (size_t i = 0; i < name.len; i++)
		if (!name_char(name.data[i]))
			return "Topic name is invalid: it contains one or more "
			       "characters other than ASCII alphanumerics, "
			       "'.', '_' and '-'";
	return NULL;
}

bool
topic_image_name_valid(struct slice name, const char **reason)
{
	const char *fault = name_fault(name);

	if (reason != NULL)
		*reason = fault;
	return fault == NULL;
}
