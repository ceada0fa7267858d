#include "auth/authorizer.h"

#include <pthread.h>

#include "auth/acl_record.h"
#include "auth/acl_set.h"
#include "base/map.h"
#include "base/slice.h"
#include "meta/delta.h"
#include "meta/metadata_record.h"

/* What stands for every topic where some topic is asked for (Kafka's word). */
#define SOME_NAME SLICE_LITERAL("hardcode")

struct authorizer {
	/* immutable */
	struct map super_users; /* super_users_text, by name */
	char *super_users_text; /* owned */
	bool allow_everyone;

	pthread_rwlock_t lock;
	struct acl_set *acls; /* guarded; the controller's to write */
};

/* The next of users, which semicolons part; empty ones are none. */
static bool
next_user(struct slice *users, struct slice *user)
{
	while (users->len > 0) {
		const uint8_t *end = memchr(users->data, ';', users->len);
		size_t len =
		    end == NULL ? users->len : (size_t)(end - users->data);

		*user = slice_trim(slice_of(users->data, len));
		len += end != NULL;
		*users = slice_of(users->data + len, users->len - len);
		if (user->len > 0)
			return true;
	}
	return false;
}

bool
authorizer_super_users_valid(struct slice super_users)
{
	struct slice user;

	while (next_user(&super_users, &user))
		if (memchr(user.data, ':', user.len) == NULL)
			return false;
	return true;
}

struct authorizer *
authorizer_new(struct slice super_users, bool allow_everyone)
{
	struct authorizer *authorizer = xcalloc(1, sizeof(*authorizer));
	int error = pthread_rwlock_init(&authorizer->lock, NULL);
	struct slice users, user;

	assert(error == 0);
	authorizer->acls = acl_set_new();
	authorizer->allow_everyone = allow_everyone;
	map_init(&authorizer->super_users);
	authorizer->super_users_text = slice_dup(super_users);
	users = slice_of(authorizer->super_users_text, super_users.len);
	while (next_user(&users, &user))
		map_set(&authorizer->super_users, user,
		    authorizer->super_users_text);
	return authorizer;
}

void
authorizer_free(struct authorizer *authorizer)
{
	if (authorizer == NULL)
		return;
	acl_set_free(authorizer->acls);
	map_fini(&authorizer->super_users);
	free(authorizer->super_users_text);
	pthread_rwlock_destroy(&authorizer->lock);
	free(authorizer);
}

static void
write_lock(struct authorizer *authorizer)
{
	int error = pthread_rwlock_wrlock(&authorizer->lock);

	assert(error == 0);
}

static void
read_lock(struct authorizer *authorizer)
{
	int error = pthread_rwlock_rdlock(&authorizer->lock);

	assert(error == 0);
}

static void
unlock(struct authorizer *authorizer)
{
	int error = pthread_rwlock_unlock(&authorizer->lock);

	assert(error == 0);
}

void
authorizer_apply(void *context, const struct delta *delta)
{
	struct authorizer *authorizer = context;
	struct arena arena;
	struct uuid id;
	struct acl acl;

	arena_init(&arena, METADATA_RECORD_BATCH_LEN_MAX);
	write_lock(authorizer);
	for (size_t i = 0; i < delta->kept_count; i++) {
		const struct delta_kept *kept = delta->kept[i];

		if (!acl_record_is(kept, &id))
			continue;
		if (slice_is_null(kept->value))
			acl_set_remove(authorizer->acls, &id);
		else if (acl_record_decode(kept->value, &arena, &acl))
			acl_set_put(authorizer->acls, &id, &acl);
		arena_reset(&arena);
	}
	unlock(authorizer);
}

/* --- Decisions ------------------------------------------------------------ */

/* The lock is held. */
static bool
decide(const struct authorizer *authorizer, const struct principal *principal,
    uint32_t hash, enum acl_operation operation, enum acl_resource_type type,
    struct slice name, enum authorizer_rule *rule)
{
	enum acl_verdict verdict = acl_set_decide(
	    authorizer->acls, principal, hash, operation, type, name);

	*rule = AUTHORIZER_RULE_DEFAULT;
	switch (verdict) {
	case ACL_VERDICT_NONE:
		return authorizer->allow_everyone;
	case ACL_VERDICT_ALLOWED:
	case ACL_VERDICT_DENIED:
		*rule = AUTHORIZER_RULE_ACL;
		break;
	case ACL_VERDICT_OTHERS:
		break;
	}
	return verdict == ACL_VERDICT_ALLOWED;
}

bool
authorizer_decides(struct authorizer *authorizer,
    const struct principal *principal, enum acl_operation operation,
    enum acl_resource_type type, struct slice name, enum authorizer_rule *rule)
{
	uint32_t hash;
	bool allowed;

	assert(principal->name.len > 0);
	*rule = authorizer == NULL ? AUTHORIZER_RULE_NONE :
				     AUTHORIZER_RULE_SUPER_USER;
	if (authorizer == NULL)
		return true;
	hash = map_hash(principal->name);
	if (map_get_hashed(&authorizer->super_users, principal->name, hash) !=
	    NULL)
		return true;
	read_lock(authorizer);
	allowed = decide(
	    authorizer, principal, hash, operation, type, name, rule);
	unlock(authorizer);
	return allowed;
}

bool
authorizer_allows(struct authorizer *authorizer,
    const struct principal *principal, enum acl_operation operation,
    enum acl_resource_type type, struct slice name)
{
	enum authorizer_rule rule;

	return authorizer_decides(
	    authorizer, principal, operation, type, name, &rule);
}

bool
authorizer_allows_some(struct authorizer *authorizer,
    const struct principal *principal, enum acl_operation operation,
    enum acl_resource_type type)
{
	bool allowed;

	if (authorizer_allows(
		authorizer, principal, operation, type, SOME_NAME))
		return true;
	read_lock(authorizer);
	allowed =
	    acl_set_allows_some(authorizer->acls, principal, operation, type);
	unlock(authorizer);
	return allowed;
}

int32_t
authorizer_operations(struct authorizer *authorizer,
    const struct principal *principal, enum acl_resource_type type,
    struct slice name)
{
	int32_t all = acl_operations_of(type), allowed = 0;

	for (int operation = 0; operation < 31; operation++)
		if ((all & (1 << operation)) != 0 &&
		    authorizer_allows(authorizer, principal,
			(enum acl_operation)operation, type, name))
			allowed |= 1 << operation;
	return allowed;
}

/* --- Entries -------------------------------------------------------------- */

struct acl *
authorizer_find(struct authorizer *authorizer, const struct acl *filter,
    struct arena *arena, size_t *count)
{
	const struct acl *acl;
	struct acl *found;
	struct uuid id;

	read_lock(authorizer);
	found = arena_xcalloc(
	    arena, acl_set_count(authorizer->acls), sizeof(*found));
	*count = 0;
	for (size_t at = 0;
	    (acl = acl_set_next(authorizer->acls, &at, &id)) != NULL;) {
		if (!acl_matches(filter, acl))
			continue;
		found[*count] = *acl;
		found[*count].resource_name =
		    arena_copy(arena, acl->resource_name);
		found[*count].principal = arena_copy(arena, acl->principal);
		found[*count].host = arena_copy(arena, acl->host);
		(*count)++;
	}
	unlock(authorizer);
	return found;
}

const struct acl_set *
authorizer_acls(const struct authorizer *authorizer)
{
	return authorizer->acls;
}
