#include "auth/acl_set.h"

#include "base/map.h"
#include "base/prefix_map.h"

/* A principal's name; hashes are compared before names are. */
struct party {
	struct slice name;
	uint32_t hash;
};

struct entry {
	struct uuid id;
	struct acl acl;
	struct pattern *pattern;
	bool any_host;
	bool everybodys; /* of ACL_EVERYBODY */
	uint8_t texts[]; /* those of acl */
};

/* An entry in its pattern's list. */
struct place {
	uint32_t principal_hash;
	struct entry *entry;
};

/* All entries about one resource pattern; there is one at least. */
struct pattern {
	struct slice name;
	int8_t resource_type;
	int8_t pattern_type;
	struct place *places; /* owned, sorted by principal_hash */
	size_t places_count;
	size_t everybodys_count; /* places of ACL_EVERYBODY */
	uint8_t name_bytes[];
};

/* The patterns of one resource type. */
struct resources {
	struct map literals; /* struct pattern, by name */
	struct prefix_map prefixes; /* the same */
	const struct pattern *wildcard; /* the literal "*", or NULL */
};

struct acl_set {
	struct map entries; /* struct entry, by id */
	struct resources resources[ACL_RESOURCE_USER + 1];
	struct party everybody;
};

static struct party
party_of(struct slice name)
{
	return (struct party){ name, map_hash(name) };
}

/* --- Patterns ------------------------------------------------------------- */

static struct pattern *
pattern_find(const struct resources *resources, const struct acl *acl)
{
	struct slice name = acl->resource_name;

	return acl->pattern_type == ACL_PATTERN_PREFIXED ?
	    prefix_map_get(&resources->prefixes, name) :
	    map_get(&resources->literals, name);
}

/* The place in resources of an acl_resource_type. */
static size_t
index_of(int resource_type)
{
	assert(resource_type >= ACL_RESOURCE_TOPIC &&
	    resource_type <= ACL_RESOURCE_USER);
	return (size_t)resource_type;
}

static bool
is_wildcard(const struct pattern *pattern)
{
	return pattern->pattern_type == ACL_PATTERN_LITERAL &&
	    slice_equal(pattern->name, ACL_WILDCARD);
}

static struct pattern *
pattern_new(struct resources *resources, const struct acl *acl)
{
	struct slice name = acl->resource_name;
	struct pattern *pattern = xcalloc(1, sizeof(*pattern) + name.len);

	if (name.len > 0)
		memcpy(pattern->name_bytes, name.data, name.len);
	pattern->name = slice_of(pattern->name_bytes, name.len);
	pattern->resource_type = acl->resource_type;
	pattern->pattern_type = acl->pattern_type;
	if (acl->pattern_type == ACL_PATTERN_PREFIXED)
		prefix_map_set(&resources->prefixes, pattern->name, pattern);
	else
		map_set(&resources->literals, pattern->name, pattern);
	if (is_wildcard(pattern))
		resources->wildcard = pattern;
	return pattern;
}

static void
pattern_free(struct pattern *pattern)
{
	free(pattern->places);
	free(pattern);
}

static void
pattern_remove(struct resources *resources, struct pattern *pattern)
{
	if (pattern->pattern_type == ACL_PATTERN_PREFIXED)
		prefix_map_remove(&resources->prefixes, pattern->name);
	else
		map_remove(&resources->literals, pattern->name);
	if (is_wildcard(pattern))
		resources->wildcard = NULL;
	pattern_free(pattern);
}

/* How many places of the pattern stand before those with that hash. */
static size_t
places_before(const struct pattern *pattern, uint32_t hash)
{
	size_t low = 0, high = pattern->places_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (pattern->places[middle].principal_hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
places_add(struct pattern *pattern, struct entry *entry)
{
	uint32_t hash = map_hash(entry->acl.principal);
	size_t at = places_before(pattern, hash);

	pattern->places = xrealloc(pattern->places,
	    (pattern->places_count + 1) * sizeof(struct place));
	memmove(&pattern->places[at + 1], &pattern->places[at],
	    (pattern->places_count - at) * sizeof(struct place));
	pattern->places[at] = (struct place){ hash, entry };
	pattern->places_count++;
	pattern->everybodys_count += entry->everybodys;
}

static void
places_remove(struct pattern *pattern, const struct entry *entry)
{
	size_t at = places_before(pattern, map_hash(entry->acl.principal));

	while (pattern->places[at].entry != entry)
		at++;
	pattern->places_count--;
	pattern->everybodys_count -= entry->everybodys;
	memmove(&pattern->places[at], &pattern->places[at + 1],
	    (pattern->places_count - at) * sizeof(struct place));
}

/* The next entry for the party, from places_before on; NULL: no more. */
static const struct entry *
next_entry(
    const struct pattern *pattern, size_t *at, const struct party *party)
{
	while (*at < pattern->places_count) {
		const struct place *place = &pattern->places[(*at)++];

		if (place->principal_hash != party->hash)
			return NULL;
		if (slice_equal(place->entry->acl.principal, party->name))
			return place->entry;
	}
	return NULL;
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
	struct entry *entry = xcalloc(1,
	    sizeof(*entry) + acl->resource_name.len + acl->principal.len +
		acl->host.len);
	uint8_t *at = entry->texts;

	entry->id = *id;
	entry->acl = *acl;
	entry->acl.principal = put_text(&at, acl->principal);
	entry->acl.host = put_text(&at, acl->host);
	entry->acl.resource_name = put_text(&at, acl->resource_name);
	entry->any_host = slice_equal(acl->host, ACL_WILDCARD);
	entry->everybodys = slice_equal(acl->principal, ACL_EVERYBODY);
	return entry;
}

struct acl_set *
acl_set_new(void)
{
	struct acl_set *set = xcalloc(1, sizeof(*set));

	map_init(&set->entries);
	for (size_t i = 0; i < COUNT_OF(set->resources); i++) {
		map_init(&set->resources[i].literals);
		prefix_map_init(&set->resources[i].prefixes);
	}
	set->everybody = party_of(ACL_EVERYBODY);
	return set;
}

static void
resources_fini(struct resources *resources)
{
	struct pattern *pattern;

	for (size_t at = 0;
	    (pattern = map_next(&resources->literals, &at)) != NULL;)
		pattern_free(pattern);
	for (size_t at = 0;
	    (pattern = prefix_map_next(&resources->prefixes, &at)) != NULL;)
		pattern_free(pattern);
	map_fini(&resources->literals);
	prefix_map_fini(&resources->prefixes);
}

void
acl_set_free(struct acl_set *set)
{
	struct entry *entry;

	if (set == NULL)
		return;
	for (size_t at = 0; (entry = map_next(&set->entries, &at)) != NULL;)
		free(entry);
	for (size_t i = 0; i < COUNT_OF(set->resources); i++)
		resources_fini(&set->resources[i]);
	map_fini(&set->entries);
	free(set);
}

void
acl_set_put(struct acl_set *set, const struct uuid *id, const struct acl *acl)
{
	struct resources *resources =
	    &set->resources[index_of(acl->resource_type)];
	struct entry *entry = entry_new(id, acl);
	struct pattern *pattern;

	acl_set_remove(set, id);
	map_set(&set->entries, MAP_KEY(entry->id), entry);
	pattern = pattern_find(resources, acl);
	if (pattern == NULL)
		pattern = pattern_new(resources, acl);
	entry->pattern = pattern;
	places_add(pattern, entry);
}

void
acl_set_remove(struct acl_set *set, const struct uuid *id)
{
	struct entry *entry = map_remove(&set->entries, MAP_KEY(*id));
	struct pattern *pattern;

	if (entry == NULL)
		return;
	pattern = entry->pattern;
	places_remove(pattern, entry);
	if (pattern->places_count == 0)
		pattern_remove(
		    &set->resources[index_of(pattern->resource_type)], pattern);
	free(entry);
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
	const struct party party = party_of(acl->principal);
	const struct pattern *pattern = pattern_find(
	    &set->resources[index_of(acl->resource_type)], acl);
	const struct entry *entry;
	size_t at;

	if (pattern == NULL)
		return false;
	at = places_before(pattern, party.hash);
	while ((entry = next_entry(pattern, &at, &party)) != NULL) {
		if (!acl_equal(&entry->acl, acl))
			continue;
		*id = entry->id;
		return true;
	}
	return false;
}

/* --- Decisions ------------------------------------------------------------ */

/* Who wants to do what. */
struct question {
	const struct acl_set *set;
	struct party caller;
	struct slice host;
	enum acl_operation operation;
};

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
host_fits(const struct entry *entry, struct slice host)
{
	return entry->any_host || slice_equal(entry->acl.host, host);
}

static bool
operation_fits(const struct acl *acl, enum acl_operation operation)
{
	return acl->operation == (int8_t)operation || acl->operation == ACL_ALL;
}

/* What the pattern's entries for party say, added to what is known. */
static enum acl_verdict
consult_entries(const struct pattern *pattern, const struct question *question,
    const struct party *party, enum acl_verdict so_far)
{
	size_t at = places_before(pattern, party->hash);
	const struct entry *entry;

	while ((entry = next_entry(pattern, &at, party)) != NULL) {
		const struct acl *acl = &entry->acl;
		bool fits = operation_fits(acl, question->operation);

		if (!host_fits(entry, question->host))
			continue;
		if (acl->permission == ACL_DENY && fits)
			return ACL_VERDICT_DENIED;
		if (acl->permission == ACL_ALLOW &&
		    (fits ||
			implied((enum acl_operation)acl->operation,
			    question->operation)))
			so_far = ACL_VERDICT_ALLOWED;
	}
	return so_far;
}

/* The pattern NULL says nothing. */
static enum acl_verdict
consult(const struct pattern *pattern, const struct question *question,
    enum acl_verdict so_far)
{
	if (pattern == NULL)
		return so_far;
	if (so_far == ACL_VERDICT_NONE)
		so_far = ACL_VERDICT_OTHERS;
	so_far = consult_entries(pattern, question, &question->caller, so_far);
	if (so_far != ACL_VERDICT_DENIED && pattern->everybodys_count > 0)
		so_far = consult_entries(
		    pattern, question, &question->set->everybody, so_far);
	return so_far;
}

enum acl_verdict
acl_set_decide(const struct acl_set *set, const struct principal *caller,
    uint32_t caller_hash, enum acl_operation operation,
    enum acl_resource_type type, struct slice name)
{
	const struct resources *resources = &set->resources[index_of(type)];
	const struct question question = { set,
		{ caller->name, caller_hash }, caller->host, operation };
	enum acl_verdict verdict;
	const struct pattern *pattern;
	struct prefix_walk walk;

	verdict = consult(resources->wildcard, &question, ACL_VERDICT_NONE);
	walk = prefix_walk_of(&resources->prefixes, name);
	while (verdict != ACL_VERDICT_DENIED &&
	    (pattern = prefix_walk_next(&walk)) != NULL)
		verdict = consult(pattern, &question, verdict);
	if (verdict == ACL_VERDICT_DENIED)
		return verdict;
	pattern = map_get(&resources->literals, name);
	/* That of the name "*" has been heard. */
	return pattern == resources->wildcard ?
	    verdict :
	    consult(pattern, &question, verdict);
}

/* --- Some resource -------------------------------------------------------- */

/* Has the pattern an entry of permission for the party, word by word? */
static bool
says_to(const struct pattern *pattern, const struct question *question,
    const struct party *party, enum acl_permission permission)
{
	size_t at = places_before(pattern, party->hash);
	const struct entry *entry;

	while ((entry = next_entry(pattern, &at, party)) != NULL)
		if (entry->acl.permission == (int8_t)permission &&
		    operation_fits(&entry->acl, question->operation) &&
		    host_fits(entry, question->host))
			return true;
	return false;
}

/* The same for the caller, also as one of everybody. */
static bool
says(const struct pattern *pattern, const struct question *question,
    enum acl_permission permission)
{
	return says_to(pattern, question, &question->caller, permission) ||
	    says_to(pattern, question, &question->set->everybody, permission);
}

/* Is all that the pattern stands for denied by others, or by itself? */
static bool
dominated(const struct pattern *pattern, const struct question *question)
{
	struct prefix_walk walk = prefix_walk_of(
	    &question->set->resources[index_of(pattern->resource_type)]
		 .prefixes,
	    pattern->name);
	const struct pattern *prefix;

	if (says(pattern, question, ACL_DENY))
		return true;
	while ((prefix = prefix_walk_next(&walk)) != NULL)
		if (says(prefix, question, ACL_DENY))
			return true;
	return false;
}

/* Does the pattern allow something that is not denied? */
static bool
allows(const struct pattern *pattern, const struct question *question)
{
	return says(pattern, question, ACL_ALLOW) &&
	    !dominated(pattern, question);
}

bool
acl_set_allows_some(const struct acl_set *set, const struct principal *caller,
    enum acl_operation operation, enum acl_resource_type type)
{
	const struct resources *resources = &set->resources[index_of(type)];
	const struct question question = { set, party_of(caller->name),
		caller->host, operation };
	const struct pattern *all = resources->wildcard, *pattern;

	if (all != NULL && says(all, &question, ACL_DENY))
		return false;
	if (all != NULL && says(all, &question, ACL_ALLOW))
		return true;
	for (size_t at = 0;
	    (pattern = map_next(&resources->literals, &at)) != NULL;)
		if (allows(pattern, &question))
			return true;
	for (size_t at = 0;
	    (pattern = prefix_map_next(&resources->prefixes, &at)) != NULL;)
		if (allows(pattern, &question))
			return true;
	return false;
}
