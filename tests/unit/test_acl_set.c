/*
 * ACL set: its decisions and those of rules that are read one by one, over
 * random entries that come and go; and the cases in words.
 */
#include "unit/unit.h"

#include <stdio.h>

#include "auth/acl_set.c"

#include "base/rng.h"

/* --- Rules one by one ----------------------------------------------------- */

#define RULES_MAX 24

struct rule {
	struct uuid id;
	struct acl acl;
	bool used;
};

struct rules {
	struct rule all[RULES_MAX];
};

static bool
begins_with(struct slice name, struct slice prefix)
{
	return name.len >= prefix.len &&
	    memcmp(name.data, prefix.data, prefix.len) == 0;
}

static bool
concerns(const struct acl *acl, enum acl_resource_type type, struct slice name)
{
	if (acl->resource_type != (int8_t)type)
		return false;
	if (acl->pattern_type == ACL_PATTERN_PREFIXED)
		return begins_with(name, acl->resource_name);
	return slice_equal(acl->resource_name, name) ||
	    slice_equal_str(acl->resource_name, "*");
}

static bool
is_for(const struct acl *acl, const struct principal *who)
{
	return (slice_equal(acl->principal, who->name) ||
		   slice_equal_str(acl->principal, "User:*")) &&
	    (slice_equal(acl->host, who->host) ||
		slice_equal_str(acl->host, "*"));
}

static bool
covers(const struct acl *acl, enum acl_operation operation)
{
	int8_t says = acl->operation;

	if (says == ACL_ALL || says == (int8_t)operation)
		return true;
	if (acl->permission == ACL_DENY)
		return false;
	if (operation == ACL_DESCRIBE)
		return says == ACL_READ || says == ACL_WRITE ||
		    says == ACL_DELETE || says == ACL_ALTER;
	return operation == ACL_DESCRIBE_CONFIGS && says == ACL_ALTER_CONFIGS;
}

static enum acl_verdict
judged(const struct rules *rules, const struct principal *who,
    enum acl_operation operation, enum acl_resource_type type,
    struct slice name)
{
	bool any = false, allowed = false, denied = false;

	for (size_t i = 0; i < RULES_MAX; i++) {
		const struct acl *acl = &rules->all[i].acl;

		if (!rules->all[i].used || !concerns(acl, type, name))
			continue;
		any = true;
		if (!is_for(acl, who) || !covers(acl, operation))
			continue;
		allowed |= acl->permission == ACL_ALLOW;
		denied |= acl->permission == ACL_DENY;
	}
	if (denied)
		return ACL_VERDICT_DENIED;
	if (allowed)
		return ACL_VERDICT_ALLOWED;
	return any ? ACL_VERDICT_OTHERS : ACL_VERDICT_NONE;
}

static bool
says_word_by_word(const struct acl *acl, const struct principal *who,
    enum acl_operation operation, enum acl_permission permission)
{
	return acl->permission == (int8_t)permission && is_for(acl, who) &&
	    (acl->operation == ACL_ALL || acl->operation == (int8_t)operation);
}

static bool
overruled(const struct rules *rules, const struct acl *allow,
    const struct principal *who, enum acl_operation operation)
{
	for (size_t i = 0; i < RULES_MAX; i++) {
		const struct acl *deny = &rules->all[i].acl;

		if (!rules->all[i].used ||
		    deny->resource_type != allow->resource_type ||
		    !says_word_by_word(deny, who, operation, ACL_DENY))
			continue;
		if (deny->pattern_type == ACL_PATTERN_PREFIXED ?
			begins_with(allow->resource_name, deny->resource_name) :
			deny->pattern_type == allow->pattern_type &&
			    slice_equal(
				deny->resource_name, allow->resource_name))
			return true;
	}
	return false;
}

static bool
some_judged(const struct rules *rules, const struct principal *who,
    enum acl_operation operation, enum acl_resource_type type)
{
	bool allowed = false;

	for (size_t i = 0; i < RULES_MAX; i++) {
		const struct acl *acl = &rules->all[i].acl;
		bool all = acl->pattern_type == ACL_PATTERN_LITERAL &&
		    slice_equal_str(acl->resource_name, "*");

		if (!rules->all[i].used || acl->resource_type != (int8_t)type)
			continue;
		if (all && says_word_by_word(acl, who, operation, ACL_DENY))
			return false;
		if (says_word_by_word(acl, who, operation, ACL_ALLOW) &&
		    (all || !overruled(rules, acl, who, operation)))
			allowed = true;
	}
	return allowed;
}

/* --- Random entries ------------------------------------------------------- */

/* Few texts, so that they meet. */
static const char *const names[] = { "*", "a", "aa", "ab", "aab", "abb", "b",
	"ba", "b*", "c", "abbabbabb", "abbabbabbabbabbab" };
static const char *const principals[] = { "User:*", "User:a", "User:b",
	"Group:a", "User:CN=a,OU=b" };
static const char *const hosts[] = { "*", "10.0.0.1", "10.0.0.2" };
static const enum acl_operation operations[] = { ACL_ALL, ACL_READ, ACL_WRITE,
	ACL_DESCRIBE, ACL_ALTER, ACL_DESCRIBE_CONFIGS, ACL_ALTER_CONFIGS };
static const enum acl_resource_type types[] = { ACL_RESOURCE_TOPIC,
	ACL_RESOURCE_GROUP };

#define ONE_OF(rng, array) ((array)[rng_below((rng), COUNT_OF(array))])

static struct acl
random_acl(struct rng *rng)
{
	struct acl acl;

	acl.resource_type = (int8_t)ONE_OF(rng, types);
	acl.pattern_type =
	    rng_below(rng, 2) == 0 ? ACL_PATTERN_LITERAL : ACL_PATTERN_PREFIXED;
	acl.operation = (int8_t)ONE_OF(rng, operations);
	acl.permission = rng_below(rng, 3) == 0 ? ACL_DENY : ACL_ALLOW;
	acl.resource_name = slice_str(ONE_OF(rng, names));
	acl.principal = slice_str(ONE_OF(rng, principals));
	acl.host = slice_str(ONE_OF(rng, hosts));
	return acl;
}

static void
change(struct rng *rng, struct rules *rules, struct acl_set *set)
{
	struct rule *rule = &rules->all[rng_below(rng, RULES_MAX)];

	if (rule->used && rng_below(rng, 2) == 0) {
		acl_set_remove(set, &rule->id);
		rule->used = false;
		return;
	}
	rule->acl = random_acl(rng);
	rule->used = true;
	acl_set_put(set, &rule->id, &rule->acl);
}

static size_t
count(const struct rules *rules)
{
	size_t n = 0;

	for (size_t i = 0; i < RULES_MAX; i++)
		n += rules->all[i].used;
	return n;
}

static void
ask(struct rng *rng, const struct rules *rules, const struct acl_set *set)
{
	static const char *const asked[] = { "a", "aa", "aab", "aabb", "abc",
		"b", "b*", "b*c", "bb", "c", "*", "d", "abbabbabb",
		"abbabbabba", "abbabbabbabbabbab", "abbabbabbabbabbabbabba" };
	enum acl_operation operation =
	    operations[1 + rng_below(rng, COUNT_OF(operations) - 1)];
	enum acl_resource_type type = ONE_OF(rng, types);
	struct slice name = slice_str(ONE_OF(rng, asked));
	const struct principal who = {
		.name = slice_str(
		    principals[1 + rng_below(rng, COUNT_OF(principals) - 1)]),
		.host =
		    slice_str(hosts[1 + rng_below(rng, COUNT_OF(hosts) - 1)]),
	};

	assert_int_equal(acl_set_decide(set, &who, map_hash(who.name),
			     operation, type, name),
	    judged(rules, &who, operation, type, name));
	assert_int_equal(acl_set_allows_some(set, &who, operation, type),
	    some_judged(rules, &who, operation, type));
}

static void
live(uint64_t seed)
{
	struct acl_set *set = acl_set_new();
	struct rules rules = { 0 };
	struct rng rng;

	rng_init(&rng, seed);
	for (size_t i = 0; i < RULES_MAX; i++)
		rng_bytes(&rng, &rules.all[i].id, sizeof(rules.all[i].id));
	for (int i = 0; i < 60; i++) {
		change(&rng, &rules, set);
		assert_int_equal(acl_set_count(set), count(&rules));
		for (int j = 0; j < 5; j++)
			ask(&rng, &rules, set);
	}
	acl_set_free(set);
}

static void
decides_as_rules_read_one_by_one(void **state UNUSED)
{
	for (uint64_t seed = 1; seed <= 300; seed++)
		live(seed);
}

/* --- In words ------------------------------------------------------------- */

static const struct acl some_acl = {
	.resource_type = ACL_RESOURCE_TOPIC,
	.pattern_type = ACL_PATTERN_LITERAL,
	.operation = ACL_READ,
	.permission = ACL_ALLOW,
	.resource_name = SLICE_LITERAL("t"),
	.principal = SLICE_LITERAL("User:a"),
	.host = SLICE_LITERAL("*"),
};

static void
finds_an_equal_entry_and_no_other(void **state UNUSED)
{
	const struct uuid id = { { 7 } };
	struct acl_set *set = acl_set_new();
	struct acl other = some_acl;
	struct uuid found;

	assert_false(acl_set_find(set, &some_acl, &found));
	acl_set_put(set, &id, &some_acl);
	assert_true(acl_set_find(set, &some_acl, &found));
	assert_memory_equal(&found, &id, sizeof(id));
	other.host = slice_str("10.0.0.1");
	assert_false(acl_set_find(set, &other, &found));
	other = some_acl;
	other.permission = ACL_DENY;
	assert_false(acl_set_find(set, &other, &found));
	acl_set_remove(set, &id);
	assert_false(acl_set_find(set, &some_acl, &found));
	assert_int_equal(acl_set_count(set), 0);
	acl_set_free(set);
}

static void
an_entry_replaces_the_one_with_its_id(void **state UNUSED)
{
	const struct uuid id = { { 7 } };
	const struct principal who = { slice_str("User:a"), slice_str("h") };
	struct acl_set *set = acl_set_new();
	struct acl later = some_acl;

	later.resource_name = slice_str("u");
	acl_set_put(set, &id, &some_acl);
	acl_set_put(set, &id, &later);
	assert_int_equal(acl_set_count(set), 1);
	assert_int_equal(acl_set_decide(set, &who, map_hash(who.name),
			     ACL_READ, ACL_RESOURCE_TOPIC, slice_str("t")),
	    ACL_VERDICT_NONE);
	assert_int_equal(acl_set_decide(set, &who, map_hash(who.name),
			     ACL_READ, ACL_RESOURCE_TOPIC, slice_str("u")),
	    ACL_VERDICT_ALLOWED);
	acl_set_free(set);
}

/* Longer than any topic's. */
static void
names_may_be_long(void **state UNUSED)
{
	const struct uuid id = { { 7 } };
	const struct principal who = { slice_str("User:a"), slice_str("h") };
	struct acl_set *set = acl_set_new();
	struct acl acl = some_acl;
	char text[2000];

	memset(text, 'x', sizeof(text));
	acl.resource_name = slice_of(text, sizeof(text));
	acl_set_put(set, &id, &acl);
	assert_int_equal(acl_set_decide(set, &who, map_hash(who.name),
			     ACL_DESCRIBE, ACL_RESOURCE_TOPIC,
			     acl.resource_name),
	    ACL_VERDICT_ALLOWED);
	acl_set_free(set);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decides_as_rules_read_one_by_one),
		cmocka_unit_test(finds_an_equal_entry_and_no_other),
		cmocka_unit_test(an_entry_replaces_the_one_with_its_id),
		cmocka_unit_test(names_may_be_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
