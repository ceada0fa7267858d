#include "base/base.h"

#include "meta/config_set.h"

struct config_set *
config_set_new(void)
{
	struct config_set *set = xcalloc(1, sizeof(*set));

	set->refs = 1;
	return set;
}

static struct slice
copy(struct slice s)
{
	return slice_of(slice_dup(s), s.len);
}

struct config_set *
config_set_clone(const struct config_set *old)
{
	struct config_set *set = config_set_new();

	if (old == NULL)
		return set;
	set->count = set->capacity = old->count;
	set->entries = xmalloc(set->count * sizeof(*set->entries));
	for (uint32_t i = 0; i < set->count; i++) {
		set->entries[i].name = copy(old->entries[i].name);
		set->entries[i].value = copy(old->entries[i].value);
	}
	return set;
}

/* The index of name, or of where it would stand; *found says which. */
static uint32_t
find(const struct config_set *set, struct slice name, bool *found)
{
	uint32_t low = 0, high = set->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = slice_compare(set->entries[middle].name, name);

		if (order == 0) {
			*found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*found = false;
	return low;
}

static void
insert(struct config_set *set, uint32_t at, struct slice name)
{
	if (set->count == set->capacity) {
		set->capacity = MAX(4, 2 * set->capacity);
		set->entries = xrealloc(
		    set->entries, set->capacity * sizeof(*set->entries));
	}
	memmove(&set->entries[at + 1], &set->entries[at],
	    (set->count - at) * sizeof(*set->entries));
	set->entries[at].name = copy(name);
	set->entries[at].value = SLICE_NULL;
	set->count++;
}

static void
slice_free(struct slice s)
{
	free((void *)(uintptr_t)s.data);
}

void
config_set_put(struct config_set *set, struct slice name, struct slice value)
{
	bool found;
	uint32_t at = find(set, name, &found);
	struct slice copied = copy(value);

	if (!found)
		insert(set, at, name);
	slice_free(set->entries[at].value);
	set->entries[at].value = copied;
}

void
config_set_remove(struct config_set *set, struct slice name)
{
	bool found;
	uint32_t at = find(set, name, &found);

	if (!found)
		return;
	slice_free(set->entries[at].name);
	slice_free(set->entries[at].value);
	set->count--;
	memmove(&set->entries[at], &set->entries[at + 1],
	    (set->count - at) * sizeof(*set->entries));
}

struct slice
config_set_get(const struct config_set *set, struct slice name)
{
	bool found;
	uint32_t at;

	if (set == NULL)
		return SLICE_NULL;
	at = find(set, name, &found);
	return found ? set->entries[at].value : SLICE_NULL;
}

const struct config_set *
config_set_ref(const struct config_set *constant)
{
	struct config_set *set = (void *)(uintptr_t)constant;

	__atomic_add_fetch(&set->refs, 1, __ATOMIC_RELAXED);
	return set;
}

void
config_set_unref(const struct config_set *constant)
{
	struct config_set *set = (void *)(uintptr_t)constant;

	if (set == NULL ||
	    __atomic_sub_fetch(&set->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (uint32_t i = 0; i < set->count; i++) {
		slice_free(set->entries[i].name);
		slice_free(set->entries[i].value);
	}
	free(set->entries);
	free(set);
}
