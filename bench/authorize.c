/*
 * What a decision of the authorizer costs, with many entries:
 *
 *	authorize ENTRIES DECISIONS
 *
 * The entries are what a cluster with many teams has: for each user a literal
 * topic, a prefix and a group, some of them denials.  Prints one line of JSON
 * for each kind of question.  `perf stat -e instructions:u` of two runs with
 * different DECISIONS tells the instructions of one.
 */
#include "auth/authorizer.c"

#include <stdio.h>

#include "base/clock.h"

#define NAME_LEN 48
/* One in so many entries denies. */
#define DENIALS 10

static void
put(struct authorizer *authorizer, size_t i, enum acl_resource_type type,
    enum acl_pattern_type pattern, const char *suffix)
{
	struct uuid id = { { 0 } };
	char name[NAME_LEN], user[NAME_LEN];
	struct acl acl = {
		.resource_type = (int8_t)type,
		.pattern_type = (int8_t)pattern,
		.operation = ACL_READ,
		.permission = i % DENIALS == 0 ? ACL_DENY : ACL_ALLOW,
		.host = slice_str("*"),
	};

	memcpy(&id, &i, sizeof(i));
	snprintf(name, sizeof(name), "team-%zu%s", i / 3, suffix);
	snprintf(user, sizeof(user), "User:user-%zu", i / 3);
	acl.resource_name = slice_str(name);
	acl.principal = slice_str(user);
	acl_set_put(authorizer->acls, &id, &acl);
}

static struct authorizer *
filled(size_t entries)
{
	struct authorizer *authorizer =
	    authorizer_new(slice_str("User:admin"), false);

	for (size_t i = 0; i < entries; i++) {
		switch (i % 3) {
		case 0:
			put(authorizer, i, ACL_RESOURCE_TOPIC,
			    ACL_PATTERN_LITERAL, ".orders");
			break;
		case 1:
			put(authorizer, i, ACL_RESOURCE_TOPIC,
			    ACL_PATTERN_PREFIXED, ".events.");
			break;
		default:
			put(authorizer, i, ACL_RESOURCE_GROUP,
			    ACL_PATTERN_LITERAL, ".readers");
			break;
		}
	}
	return authorizer;
}

/* Decide about the topic of each user in turn. */
static void
measure(struct authorizer *authorizer, size_t entries, size_t decisions,
    const char *what, const char *suffix)
{
	enum { ASKED = 1024 };
	static char names[ASKED][NAME_LEN], users[ASKED][NAME_LEN];
	struct slice name[ASKED];
	struct principal who[ASKED];
	size_t allowed = 0;
	int64_t begin_us;

	for (size_t i = 0; i < ASKED; i++) {
		size_t team = i * 7919 % (entries / 3 + 1);

		snprintf(names[i], NAME_LEN, "team-%zu%s", team, suffix);
		snprintf(users[i], NAME_LEN, "User:user-%zu", team);
		name[i] = slice_str(names[i]);
		who[i] = (struct principal){ slice_str(users[i]),
			slice_str("10.0.0.1") };
	}
	begin_us = clock_thread_cpu_us();
	for (size_t i = 0; i < decisions; i++)
		allowed += authorizer_allows(authorizer, &who[i % ASKED],
		    ACL_READ, ACL_RESOURCE_TOPIC, name[i % ASKED]);
	printf("{\"question\":\"%s\",\"entries\":%zu,\"decisions\":%zu,"
	       "\"allowed\":%zu,\"ns\":%.1f}\n",
	    what, entries, decisions, allowed,
	    (double)(clock_thread_cpu_us() - begin_us) * 1000 /
		(double)decisions);
}

int
main(int argc, char **argv)
{
	struct authorizer *authorizer;
	size_t entries, decisions;

	if (argc != 3) {
		fprintf(stderr, "usage: authorize ENTRIES DECISIONS\n");
		return 2;
	}
	entries = strtoul(argv[1], NULL, 10);
	decisions = strtoul(argv[2], NULL, 10);
	authorizer = filled(entries);
	measure(authorizer, entries, decisions, "literal", ".orders");
	measure(authorizer, entries, decisions, "prefix",
	    ".events.clicks");
	measure(authorizer, entries, decisions, "nobody's", ".others");
	authorizer_free(authorizer);
	return 0;
}
