/*
 * Records of __share_group_state.  Each begins with its type, whether it has a
 * value, and the lengths of its key and its value, a byte each; the rest of
 * the input is the next one.
 */
#include "base/base.h"
#include "coord/share_state_shard.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD_LEN 4

/* A piece of the input, in memory of its own, so that reading past it shows. */
static struct slice
take(const uint8_t **data, size_t *size, size_t len, uint8_t **copy)
{
	struct slice piece;

	len = MIN(len, *size);
	*copy = xmalloc(len + 1);
	memcpy(*copy, *data, len);
	piece = slice_of(*copy, len);
	*data += len;
	*size -= len;
	return piece;
}

/* What was believed is in order: each record of the topic has one state. */
static void
check(const struct share_state_shard *shard)
{
	size_t count = 0;

	LIST_FOR_EACH (node, &shard->list) {
		const struct share_state *state =
		    LIST_ENTRY(node, struct share_state, node);

		assert(share_state_find(shard, state->text) == state);
		for (int32_t i = 0; i < state->batches.count; i++)
			assert(share_state_batch_valid(
			    &state->batches.items[i]));
		count++;
	}
	assert(count == shard->states.count);
}

static int
replay(struct share_state_shard *shard, const uint8_t **data, size_t *size,
    int64_t offset)
{
	const uint8_t *head = *data;
	struct shard_record record = { .offset = offset };
	uint8_t *key, *value;
	int result;

	*data += HEAD_LEN;
	*size -= HEAD_LEN;
	record.type = head[0] % 3;
	record.key = take(data, size, head[2], &key);
	record.value = take(data, size, head[3], &value);
	if (head[1] % 4 == 0)
		record.value = SLICE_NULL;
	result = share_state_replay(shard, &record);
	free(key);
	free(value);
	return result;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct shard_settings shard_settings = { 0 };
	const struct share_settings settings = SHARE_SETTINGS_DEFAULT;
	struct share_state_environment environment = { .settings = &settings };
	struct share_state_shard shard;
	struct shard_host host = { 0 };

	budget_init(&environment.memory, SIZE_MAX / 2);
	share_state_shard_init(
	    &shard, &environment, &shard_settings, &host, 0);
	for (int64_t offset = 0; size >= HEAD_LEN; offset++)
		if (replay(&shard, &data, &size, offset) != 0)
			break;
	check(&shard);
	while (!list_empty(&shard.list))
		share_state_free(LIST_ENTRY(
		    shard.list.head.next, struct share_state, node));
	assert(environment.memory.used == 0);
	share_state_shard_fini(&shard);
	return 0;
}
