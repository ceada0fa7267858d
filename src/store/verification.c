#include "store/verification.h"

void
verification_all_init(struct verifications *all)
{
	*all = (struct verifications){ .last_guard = VERIFICATION_NONE };
}

void
verification_all_fini(struct verifications *all)
{
	free(all->entries);
	verification_all_init(all);
}

/* Few producers are between two transactions at a time. */
static struct verification *
find(const struct verifications *all, int64_t producer_id)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->entries[i].producer_id == producer_id)
			return &all->entries[i];
	return NULL;
}

const struct verification *
verification_find(const struct verifications *all, int64_t producer_id)
{
	return find(all, producer_id);
}

static struct verification *
oldest(struct verifications *all)
{
	struct verification *found = all->entries;

	for (size_t i = 1; i < all->count; i++)
		if (all->entries[i].guard < found->guard)
			found = &all->entries[i];
	return found;
}

static struct verification *
add(struct verifications *all)
{
	if (all->count == VERIFICATIONS_MAX)
		return oldest(all);
	if (all->count == all->capacity) {
		all->capacity = MAX(4, all->capacity * 2);
		all->entries = xrealloc(
		    all->entries, all->capacity * sizeof(*all->entries));
	}
	return &all->entries[all->count++];
}

uint64_t
verification_begin(
    struct verifications *all, const struct verification_start *start)
{
	struct verification *entry = find(all, start->producer_id);

	if (entry == NULL) {
		entry = add(all);
		*entry = (struct verification){
			.producer_id = start->producer_id,
			.timestamp_ms = start->now_ms,
			.guard = ++all->last_guard,
			.lowest_sequence = start->base_sequence,
			.producer_epoch = start->producer_epoch,
			.supports_epoch_bump = start->supports_epoch_bump,
		};
	} else if (start->producer_epoch > entry->producer_epoch) {
		entry->producer_epoch = start->producer_epoch;
		entry->supports_epoch_bump = start->supports_epoch_bump;
		entry->lowest_sequence = start->base_sequence;
	} else if (start->producer_epoch == entry->producer_epoch) {
		entry->lowest_sequence =
		    MIN(entry->lowest_sequence, start->base_sequence);
	}
	return entry->guard;
}

void
verification_end(struct verifications *all, int64_t producer_id)
{
	struct verification *entry = find(all, producer_id);

	if (entry != NULL)
		*entry = all->entries[--all->count];
}

void
verification_all_expire(
    struct verifications *all, int64_t now_ms, int64_t expiration_ms)
{
	size_t kept = 0;

	for (size_t i = 0; i < all->count; i++)
		if (now_ms - all->entries[i].timestamp_ms < expiration_ms)
			all->entries[kept++] = all->entries[i];
	all->count = kept;
}
