/* DescribeTransactions and ListTransactions (KIP-664, KIP-994, KIP-1152). */
#include "base/arena.h"
#include "coord/txn_shard.h"

/* --- One ----------------------------------------------------------------- */

static void
topics_copy(struct txn_description *description, const struct txn *txn)
{
	const struct txn_partitions *set = &txn->partitions;
	struct arena *arena = description->arena;
	struct txn_topic *topics =
	    arena_xcalloc(arena, (size_t)set->count, sizeof(*topics));

	for (int32_t i = 0; i < set->count; i++) {
		size_t size =
		    (size_t)set->topics[i].count * sizeof(*topics->indexes);

		topics[i] = set->topics[i];
		topics[i].name = arena_copy(arena, set->topics[i].name);
		topics[i].indexes = arena_xalloc(arena, size);
		memcpy(topics[i].indexes, set->topics[i].indexes, size);
	}
	description->topics = topics;
	description->topics_count = set->count;
}

static enum kp_error
describe(struct txn_description *description, const struct txn *txn)
{
	if (txn == NULL)
		return KP_TRANSACTIONAL_ID_NOT_FOUND;
	/* One request can ask for the same one again and again. */
	if (arena_left(description->arena) <= 4 * txn->bytes)
		return KP_UNKNOWN_SERVER_ERROR;
	description->values = txn->values;
	topics_copy(description, txn);
	return KP_NONE;
}

bool
txn_shard_describe(struct txn_shard *shard, struct txn_call *call)
{
	struct txn_description *description =
	    CONTAINER_OF(call, struct txn_description, call);
	enum kp_error error;

	if (!shard_begin(&shard->shard, &call->call))
		return true;
	error = describe(description, txn_find(shard, call->transactional_id));
	shard_reply(&shard->shard, &call->call, error);
	shard_leave(&shard->shard);
	return true;
}

/* --- All ----------------------------------------------------------------- */

static int
compare_ids(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

static bool
has_producer(const struct txn_filter *filter, int64_t producer_id)
{
	return filter->producer_ids_count == 0 ||
	    bsearch(&producer_id, filter->producer_ids,
		(size_t)filter->producer_ids_count, sizeof(producer_id),
		compare_ids) != NULL;
}

static bool
passes(const struct txn_filter *filter, const struct txn *txn)
{
	const struct txn_values *values = &txn->values;

	if (filter->states != 0 &&
	    (filter->states & UINT32_C(1) << values->state) == 0)
		return false;
	if (!has_producer(filter, values->producer_id))
		return false;
	if (filter->duration_ms >= 0 &&
	    filter->now_ms - values->start_ms <= filter->duration_ms)
		return false;
	return filter->passes == NULL || filter->passes(filter, txn->id);
}

static void
add(struct txn_list *list, struct arena *arena, const struct txn *txn)
{
	struct txn_listed *grown;

	if (list->count == list->capacity) {
		list->capacity = MAX(16, 2 * list->capacity);
		grown = arena_xcalloc(
		    arena, (size_t)list->capacity, sizeof(*grown));
		if (list->count > 0)
			memcpy(grown, list->entries,
			    (size_t)list->count * sizeof(*grown));
		list->entries = grown;
	}
	list->entries[list->count++] = (struct txn_listed){
		.id = arena_copy(arena, txn->id),
		.producer_id = txn->values.producer_id,
		.state = txn->values.state,
	};
}

void
txn_shard_list(struct txn_shard *shard, struct shard_call *call,
    struct arena *arena, const struct txn_filter *filter, struct txn_list *list)
{

	if (!shard_begin(&shard->shard, call))
		return;
	LIST_FOR_EACH (node, &shard->list) {
		const struct txn *txn = LIST_ENTRY(node, struct txn, node);

		if (arena_overdrawn(arena))
			break;
		if (passes(filter, txn))
			add(list, arena, txn);
	}
	shard_reply(&shard->shard, call, KP_NONE);
	shard_leave(&shard->shard);
}
