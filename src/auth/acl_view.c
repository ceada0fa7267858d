#include "auth/acl_view.h"

#include "auth/acl_record.h"
#include "auth/authorizer.h"
#include "meta/delta.h"

void
acl_view_init(struct acl_view *view, const struct authorizer *authorizer,
    const struct delta *delta, struct arena *arena)
{
	struct uuid id, *removed;
	struct acl acl;

	view->applied = authorizer_acls(authorizer);
	view->added = acl_set_new();
	tally_init(&view->removed);
	for (size_t i = 0; i < delta->kept_count; i++) {
		const struct delta_kept *kept = delta->kept[i];

		if (!acl_record_is(kept, &id))
			continue;
		if (slice_is_null(kept->value)) {
			removed = arena_xalloc(arena, sizeof(*removed));
			*removed = id;
			(void)tally_add(&view->removed, MAP_KEY(*removed));
		} else if (acl_record_decode(kept->value, arena, &acl)) {
			acl_set_put(view->added, &id, &acl);
		}
	}
}

void
acl_view_fini(struct acl_view *view)
{
	acl_set_free(view->added);
	tally_fini(&view->removed);
}

bool
acl_view_has(const struct acl_view *view, const struct acl *acl)
{
	struct uuid id;

	if (acl_set_find(view->added, acl, &id))
		return true;
	return acl_set_find(view->applied, acl, &id) &&
	    tally_count(&view->removed, MAP_KEY(id)) == 0;
}

const struct acl *
acl_view_next(const struct acl_view *view, struct acl_view_cursor *cursor,
    struct uuid *id)
{
	const struct acl *acl;

	while (
	    (acl = acl_set_next(view->applied, &cursor->applied, id)) != NULL)
		if (tally_count(&view->removed, MAP_KEY(*id)) == 0)
			return acl;
	return acl_set_next(view->added, &cursor->added, id);
}

void
acl_view_add(
    struct acl_view *view, const struct uuid *id, const struct acl *acl)
{
	acl_set_put(view->added, id, acl);
}

size_t
acl_view_count_max(const struct acl_view *view)
{
	return acl_set_count(view->applied) + acl_set_count(view->added);
}
