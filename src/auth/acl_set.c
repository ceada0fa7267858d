#include "auth/acl_set.h"

#include "base/map.h"

struct entry {
	struct uuid id;
	struct acl acl; /* texts owned, in one block */
	struct pattern *pattern;
	uint8_t *texts;
};

/* All entries about one resource pattern; there is one at least. */
struct pattern {
	struct slice key;  /* owned; see pattern_key */
	struct slice name; /* part of it */
	int8_t resource_type;
	int8_t pattern_type;
	struct entry **entries; /* sorted by principal */
	size_t entries_count;
	/* The longest other prefix that this one begins with, or NULL. */
	const struct pattern *parent;
};

/* The prefixes of one resource type, sorted by name. */
struct prefixes {
	struct pattern **sorted;
	size_t count;
};

struct acl_set {
	struct map entries;  /* struct entry, by id */
	struct map patterns; /* struct pattern, by key */
	struct prefixes prefixes[ACL_RESOURCE_USER + 1];
};

/* --- Patterns ------------------------------------------------------------- */

/* Longer names than any resource has are looked up on the heap. */
#define KEY_INLINE_LEN 320

struct pattern_key {
	uint8_t bytes[KEY_INLINE_LEN];
	uint8_t *heap;
	struct slice slice;
};

static void
pattern_key_init(struct pattern_key *key, int8_t resource_type,
    int8_t pattern_type, struct slice name)
{
	uint8_t *bytes = key->bytes;

	key->heap = NULL;
	if (name.len + 2 > sizeof(key->bytes))
		bytes = key->heap = xmalloc(name.len + 2);
	bytes[0] = (uint8_t)resource_type;
	bytes[1] = (uint8_t)pattern_type;
	if (name.len > 0)
		memcpy(bytes + 2, name.data, name.len);
	key->slice = slice_of(bytes, name.len + 2);
}

static struct pattern *
pattern_find(const struct acl_set *set, int8_t resource_type,
    int8_t pattern_type, struct slice name)
{
	struct pattern_key key;
	struct pattern *pattern;

	pattern_key_init(&key, resource_type, pattern_type, name);
	pattern = map_get(&set->patterns, key.slice);
	free(key.heap);
	return pattern;
}

static bool
begins_with(struct slice name, struct slice prefix)
{
	return name.len >= prefix.len &&
	    memcmp(name.data, prefix.data, prefix.len) == 0;
}

/* How many of the prefixes stand at or before name. */
static size_t
prefixes_before(const struct prefixes *prefixes, struct slice name)
{
	size_t low = 0, high = prefixes->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (slice_compare(prefixes->sorted[middle]->name, name) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * The longest prefix of name: whatever stands between it and the name begins
 * with it, so it is the last one before the name or an ancestor of that one.
 */
static const struct pattern *
longest_prefix(const struct prefixes *prefixes, struct slice name)
{
	size_t before = prefixes_before(prefixes, name);
	const struct pattern *pattern =
	    before == 0 ? NULL : prefixes->sorted[before - 1];

	while (pattern != NULL && !begins_with(name, pattern->name))
		pattern = pattern->parent;
	return pattern;
}

/* Those from position on may begin with another one than before. */
static void
set_parents(struct prefixes *prefixes, size_t position)
{
	for (size_t i = position; i < prefixes->count; i++) {
		struct pattern *pattern = prefixes->sorted[i];
		const struct pattern *parent =
		    i == 0 ? NULL : prefixes->sorted[i - 1];

		while (
		    parent != NULL && !begins_with(pattern->name, parent->name))
			parent = parent->parent;
		pattern->parent = parent;
	}
}

static void
prefixes_add(struct prefixes *prefixes, struct pattern *pattern)
{
	size_t at = prefixes_before(prefixes, pattern->name);

	prefixes->sorted = xrealloc(
	    prefixes->sorted, (prefixes->count + 1) * sizeof(struct pattern *));
	memmove(&prefixes->sorted[at + 1], &prefixes->sorted[at],
	    (prefixes->count - at) * sizeof(struct pattern *));
	prefixes->sorted[at] = pattern;
	prefixes->count++;
	set_parents(prefixes, at);
}

static void
prefixes_remove(struct prefixes *prefixes, struct pattern *pattern)
{
	size_t at = prefixes_before(prefixes, pattern->name) - 1;

	assert(prefixes->sorted[at] == pattern);
	prefixes->count--;
	memmove(&prefixes->sorted[at], &prefixes->sorted[at + 1],
	    (prefixes->count - at) * sizeof(struct pattern *));
	set_parents(prefixes, at);
}

static struct pattern *
pattern_new(struct acl_set *set, const struct acl *acl)
{
	struct pattern *pattern = xcalloc(1, sizeof(*pattern));
	struct pattern_key key;

	pattern_key_init(
	    &key, acl->resource_type, acl->pattern_type, acl->resource_name);
	pattern->key = slice_of(slice_dup(key.slice), key.slice.len);
	free(key.heap);
	pattern->name = slice_of(pattern->key.data + 2, pattern->key.len - 2);
	pattern->resource_type = acl->resource_type;
	pattern->pattern_type = acl->pattern_type;
	map_set(&set->patterns, pattern->key, pattern);
	if (acl->pattern_type == ACL_PATTERN_PREFIXED)
		prefixes_add(&set->prefixes[acl->resource_type], pattern);
	return pattern;
}

static void
pattern_free(struct acl_set *set, struct pattern *pattern)
{
	map_remove(&set->patterns, pattern->key);
	if (pattern->pattern_type == ACL_PATTERN_PREFIXED)
		prefixes_remove(
		    &set->prefixes[pattern->resource_type], pattern);
	free((void *)(uintptr_t)pattern->key.data);
	free(pattern->entries);
	free(pattern);
}

/* How many entries of the pattern stand before those of principal. */
static size_t
entries_before(const struct pattern *pattern, struct slice principal)
{
	size_t low = 0, high = pattern->entries_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct slice found = pattern->entries[middle]->acl.principal;

		if (slice_compare(found, principal) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The i-th entry of principal, whose first is at begin; NULL: no more. */
static const struct entry *
entry_of(const struct pattern *pattern, size_t begin, size_t i,
    struct slice principal)
{
	size_t at = begin + i;

	return at < pattern->entries_count &&
		slice_equal(pattern->entries[at]->acl.principal, principal) ?
	    pattern->entries[at] :
	    NULL;
}

/* --- Entries -------------------------------------------------------------- */

static struct slice
put_text(uint8_t **at, struct slice text)
{
	struct slice copy = slice_of(*at, text.len);

	if (text.len > 0)
		memcpy(*at, text.data, text.len);
	*at += text.len;
	return copy;
}

static struct entry *
entry_new(const struct uuid *id, const struct acl *acl)
{
	struct entry *entry = xcalloc(1, sizeof(*entry));
	uint8_t *at = xmalloc(
	    acl->resource_name.len + acl->principal.len + acl->host.len + 1);

	entry->id = *id;
	entry->acl = *acl;
	entry->texts = at;
	entry->acl.resource_name = put_text(&at, acl->resource_name);
	entry->acl.principal = put_text(&at, acl->principal);
	entry->acl.host = put_text(&at, acl->host);
	return entry;
}

static void
entry_free(struct entry *entry)
{
	free(entry->texts);
	free(entry);
}

struct acl_set *
acl_set_new(void)
{
	struct acl_set *set = xcalloc(1, sizeof(*set));

	map_init(&set->entries);
	map_init(&set->patterns);
	return set;
}

void
acl_set_free(struct acl_set *set)
{
	struct entry *entry;
	struct pattern *pattern;

	if (set == NULL)
		return;
	for (size_t at = 0; (entry = map_next(&set->entries, &at)) != NULL;)
		entry_free(entry);
	for (size_t at = 0;
	    (pattern = map_next(&set->patterns, &at)) != NULL;) {
		free((void *)(uintptr_t)pattern->key.data);
		free(pattern->entries);
		free(pattern);
	}
	for (size_t i = 0; i < COUNT_OF(set->prefixes); i++)
		free(set->prefixes[i].sorted);
	map_fini(&set->entries);
	map_fini(&set->patterns);
	free(set);
}

void
acl_set_put(struct acl_set *set, const struct uuid *id, const struct acl *acl)
{
	struct entry *entry = entry_new(id, acl);
	struct pattern *pattern;
	size_t at;

	assert(acl->resource_type >= ACL_RESOURCE_TOPIC &&
	    acl->resource_type <= ACL_RESOURCE_USER);
	acl_set_remove(set, id);
	map_set(&set->entries, MAP_KEY(entry->id), entry);
	pattern = pattern_find(
	    set, acl->resource_type, acl->pattern_type, acl->resource_name);
	if (pattern == NULL)
		pattern = pattern_new(set, acl);
	entry->pattern = pattern;
	pattern->entries = xrealloc(pattern->entries,
	    (pattern->entries_count + 1) * sizeof(struct entry *));
	at = entries_before(pattern, acl->principal);
	memmove(&pattern->entries[at + 1], &pattern->entries[at],
	    (pattern->entries_count - at) * sizeof(struct entry *));
	pattern->entries[at] = entry;
	pattern->entries_count++;
}

void
acl_set_remove(struct acl_set *set, const struct uuid *id)
{
	struct entry *entry = map_remove(&set->entries, MAP_KEY(*id));
	struct pattern *pattern;
	size_t at;

	if (entry == NULL)
		return;
	pattern = entry->pattern;
	at = entries_before(pattern, entry->acl.principal);
	while (pattern->entries[at] != entry)
		at++;
	pattern->entries_count--;
	memmove(&pattern->entries[at], &pattern->entries[at + 1],
	    (pattern->entries_count - at) * sizeof(struct entry *));
	if (pattern->entries_count == 0)
		pattern_free(set, pattern);
	entry_free(entry);
}

size_t
acl_set_count(const struct acl_set *set)
{
	return set->entries.count;
}

const struct acl *
acl_set_next(const struct acl_set *set, size_t *position, struct uuid *id)
{
	const struct entry *entry = map_next(&set->entries, position);

	if (entry == NULL)
		return NULL;
	*id = entry->id;
	return &entry->acl;
}

bool
acl_set_find(const struct acl_set *set, const struct acl *acl, struct uuid *id)
{
	const struct pattern *pattern = pattern_find(
	    set, acl->resource_type, acl->pattern_type, acl->resource_name);
	const struct entry *entry;
	size_t begin;

	if (pattern == NULL)
		return false;
	begin = entries_before(pattern, acl->principal);
	for (size_t i = 0;
	    (entry = entry_of(pattern, begin, i, acl->principal)) != NULL;
	    i++) {
		if (!acl_equal(&entry->acl, acl))
			continue;
		*id = entry->id;
		return true;
	}
	return false;
}

/* --- Decisions ------------------------------------------------------------ */

/* An ALLOW of some operations allows more than what it says; no DENY does. */
static bool
implied(enum acl_operation allowed, enum acl_operation operation)
{
	switch (operation) {
	case ACL_DESCRIBE:
		return allowed == ACL_READ || allowed == ACL_WRITE ||
		    allowed == ACL_DELETE || allowed == ACL_ALTER;
	case ACL_DESCRIBE_CONFIGS:
		return allowed == ACL_ALTER_CONFIGS;
	default:
		return false;
	}
}

static bool
host_fits(const struct acl *acl, struct slice host)
{
	return slice_equal(acl->host, ACL_WILDCARD) ||
	    slice_equal(acl->host, host);
}

static bool
operation_fits(const struct acl *acl, enum acl_operation operation)
{
	return acl->operation == (int8_t)operation || acl->operation == ACL_ALL;
}

/* What the pattern's entries for principal say, added to what is known. */
static enum acl_verdict
consult_entries(const struct pattern *pattern, struct slice principal,
    struct slice host, enum acl_operation operation, enum acl_verdict so_far)
{
	size_t begin = entries_before(pattern, principal);
	const struct entry *entry;

	for (size_t i = 0;
	    (entry = entry_of(pattern, begin, i, principal)) != NULL; i++) {
		const struct acl *acl = &entry->acl;
		bool fits = operation_fits(acl, operation);

		if (!host_fits(acl, host))
			continue;
		if (acl->permission == ACL_DENY && fits)
			return ACL_VERDICT_DENIED;
		if (acl->permission == ACL_ALLOW &&
		    (fits ||
			implied((enum acl_operation)acl->operation, operation)))
			so_far = ACL_VERDICT_ALLOWED;
	}
	return so_far;
}

static enum acl_verdict
consult(const struct pattern *pattern, const struct principal *caller,
    enum acl_operation operation, enum acl_verdict so_far)
{
	if (so_far == ACL_VERDICT_NONE)
		so_far = ACL_VERDICT_OTHERS;
	so_far = consult_entries(
	    pattern, caller->name, caller->host, operation, so_far);
	if (so_far != ACL_VERDICT_DENIED)
		so_far = consult_entries(
		    pattern, ACL_EVERYBODY, caller->host, operation, so_far);
	return so_far;
}

enum acl_verdict
acl_set_decide(const struct acl_set *set, const struct principal *caller,
    enum acl_operation operation, enum acl_resource_type type,
    struct slice name)
{
	enum acl_verdict verdict = ACL_VERDICT_NONE;
	const struct pattern *pattern;

	pattern = pattern_find(set, (int8_t)type, ACL_PATTERN_LITERAL, name);
	if (pattern != NULL)
		verdict = consult(pattern, caller, operation, verdict);
	if (verdict == ACL_VERDICT_DENIED)
		return verdict;
	if (!slice_equal(name, ACL_WILDCARD))
		pattern = pattern_find(
		    set, (int8_t)type, ACL_PATTERN_LITERAL, ACL_WILDCARD);
	else
		pattern = NULL;
	if (pattern != NULL)
		verdict = consult(pattern, caller, operation, verdict);
	for (pattern = longest_prefix(&set->prefixes[type], name);
	    pattern != NULL && verdict != ACL_VERDICT_DENIED;
	    pattern = pattern->parent)
		verdict = consult(pattern, caller, operation, verdict);
	return verdict;
}

/* --- Some resource -------------------------------------------------------- */

/* Has the pattern an entry of permission for the caller, word by word? */
static bool
says(const struct pattern *pattern, const struct principal *caller,
    enum acl_operation operation, enum acl_permission permission)
{
	const struct slice principals[] = { caller->name, ACL_EVERYBODY };
	const struct entry *entry;

	for (size_t p = 0; p < COUNT_OF(principals); p++) {
		size_t begin = entries_before(pattern, principals[p]);

		for (size_t i = 0; (entry = entry_of(pattern, begin, i,
					principals[p])) != NULL;
		    i++)
			if (entry->acl.permission == (int8_t)permission &&
			    operation_fits(&entry->acl, operation) &&
			    host_fits(&entry->acl, caller->host))
				return true;
	}
	return false;
}

/* Is all that the pattern stands for denied by others, or by itself? */
static bool
dominated(const struct acl_set *set, const struct pattern *pattern,
    const struct principal *caller, enum acl_operation operation)
{
	const struct pattern *prefix = longest_prefix(
	    &set->prefixes[pattern->resource_type], pattern->name);

	if (says(pattern, caller, operation, ACL_DENY))
		return true;
	for (; prefix != NULL; prefix = prefix->parent)
		if (says(prefix, caller, operation, ACL_DENY))
			return true;
	return false;
}

bool
acl_set_allows_some(const struct acl_set *set, const struct principal *caller,
    enum acl_operation operation, enum acl_resource_type type)
{
	const struct pattern *all =
	    pattern_find(set, (int8_t)type, ACL_PATTERN_LITERAL, ACL_WILDCARD);
	const struct pattern *pattern;

	if (all != NULL && says(all, caller, operation, ACL_DENY))
		return false;
	for (size_t at = 0; (pattern = map_next(&set->patterns, &at)) != NULL;)
		if (pattern->resource_type == (int8_t)type &&
		    says(pattern, caller, operation, ACL_ALLOW) &&
		    (pattern == all ||
			!dominated(set, pattern, caller, operation)))
			return true;
	return false;
}
