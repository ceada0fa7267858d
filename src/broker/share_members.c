#include "broker/share_members.h"

void
share_members_fini(struct share_members *members)
{
	for (int32_t i = 0; i < members->count; i++)
		free(members->at[i].id);
	free(members->at);
	*members = (struct share_members){ NULL, 0 };
}

int32_t
share_members_find(const struct share_members *members, struct slice id)
{
	for (int32_t i = 0; i < members->count; i++) {
		const struct share_member *member = &members->at[i];

		if (member->id != NULL &&
		    slice_equal(slice_of(member->id, member->len), id))
			return i;
	}
	return SHARE_NOBODY;
}

/* Let go of the members that own nothing any more. */
static void
members_sweep(struct share_members *members, const struct share_runs *runs)
{
	bool *used = xcalloc((size_t)members->count + 1, sizeof(*used));

	for (size_t i = 0; i < runs->count; i++)
		if (runs->at[i].owner != SHARE_NOBODY)
			used[runs->at[i].owner] = true;
	for (int32_t i = 0; i < members->count; i++) {
		if (used[i])
			continue;
		free(members->at[i].id);
		members->at[i].id = NULL;
	}
	free(used);
}

/* A free place; there are twice as many as were used at the last sweep. */
static int32_t
member_place(struct share_members *members, const struct share_runs *runs)
{
	int32_t count = members->count;
	int32_t grown = MAX(2 * count, 4);

	for (int sweep = 0; sweep < 2; sweep++) {
		for (int32_t i = 0; i < count; i++)
			if (members->at[i].id == NULL)
				return i;
		members_sweep(members, runs);
	}
	members->at =
	    xrealloc(members->at, (size_t)grown * sizeof(*members->at));
	for (int32_t i = count; i < grown; i++)
		members->at[i] = (struct share_member){ NULL, 0 };
	members->count = grown;
	return count;
}

int32_t
share_members_intern(struct share_members *members,
    const struct share_runs *runs, struct slice id)
{
	int32_t index = share_members_find(members, id);
	struct share_member *member;

	if (index != SHARE_NOBODY)
		return index;
	index = member_place(members, runs);
	member = &members->at[index];
	member->id = xmalloc(id.len + 1);
	if (id.len > 0)
		memcpy(member->id, id.data, id.len);
	member->len = id.len;
	return index;
}
