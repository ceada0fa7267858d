/*
 * Records of __consumer_offsets, replayed into a shard of groups.  Each is a
 * byte of type, a byte that is odd for a tombstone, and the sections of key and
 * value.
 */
#include "base/budget.h"
#include "coord/group.h"
#include "coord/group_image.h"
#include "fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
watch(struct shard_host *host UNUSED, int64_t offset UNUSED)
{
}

static void
wake(struct shard_host *host UNUSED)
{
}

static int64_t
high_watermark(struct shard_host *host UNUSED)
{
	return 0;
}

/* What is malformed ends a load. */
static void
replay_all(struct shard *shard, struct slice input)
{
	struct shard_record record = { .producer_id = -1 };

	while (input.len > 2) {
		struct slice head = fuzz_take(&input, 2);

		record.type = head.data[0];
		record.key = fuzz_take_section(&input);
		record.value = fuzz_take_section(&input);
		if (head.data[1] % 2 != 0)
			record.value = SLICE_NULL;
		if (shard->kind->replay(shard, &record) != 0)
			return;
		record.offset++;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct group_settings settings = GROUP_SETTINGS_DEFAULT;
	struct shard_settings shard_settings = { .batch_bytes_max = 1048588 };
	struct shard_host host = {
		.high_watermark = high_watermark,
		.watch = watch,
		.wake = wake,
	};
	struct budget memory;
	struct group_common common = {
		.settings = &settings,
		.shard_settings = &shard_settings,
		.memory = &memory,
		.image = group_image_new(&settings),
	};
	struct group_shard shard;

	budget_init(&memory, SIZE_MAX / 2);
	group_shard_init(&shard, &common, &host, 0);
	if (!shard_elect(&shard.shard, 0))
		abort();
	replay_all(&shard.shard, slice_of(data, size));
	shard_resign(&shard.shard);
	group_shard_fini(&shard);
	assert(memory.used == 0);
	group_image_free(common.image);
	return 0;
}
