#include "coord/consumer_regex.h"

#include "auth/authorizer.h"
#include "base/clock.h"
#include "base/regex.h"
#include "coord/consumer_change.h"
#include "coord/consumer_record.h"
#include "meta/topic_image.h"

/* However much changes, not more often than this. */
#define PAUSE_MS 10000

enum kp_error
consumer_regex_check(
    struct slice text, struct arena *arena, struct slice *message)
{
	const char *reason;
	struct regex *regex;

	if (text.len == 0)
		return KP_NONE;
	regex = regex_new(text, &reason);
	if (regex == NULL) {
		*message = arena_printf(arena,
		    "SubscribedTopicRegex `%.*s` is not a valid regular "
		    "expression: %s.",
		    SLICE_ARG(text), reason);
		return KP_INVALID_REGULAR_EXPRESSION;
	}
	regex_free(regex);
	return KP_NONE;
}

/* --- When ---------------------------------------------------------------- */

static bool
due(const struct consumer_group *consumer)
{
	const struct group_shard *shard = consumer->shard;
	int64_t age_ms = clock_monotonic_ms() - consumer->resolved_ms;

	if (consumer->regexes.count == 0 || consumer->resolving)
		return false;
	if (age_ms < PAUSE_MS)
		return false;
	return (size_t)consumer->resolved_count < consumer->regexes.count ||
	    consumer->resolved_version !=
	    group_image_topics_version(shard->common->image) ||
	    age_ms >= shard->settings->consumer.regex_refresh_ms;
}

void
consumer_regex_refresh(
    struct consumer_group *consumer, const struct principal *principal)
{
	struct group_shard *shard = consumer->shard;
	struct group_resolver *resolver = shard->common->resolver;

	if (!due(consumer))
		return;
	consumer->resolving = true;
	resolver->resolve(resolver, shard, consumer->group->id, principal);
}

/* --- Which topics match -------------------------------------------------- */

/* One expression of a group, and what it matches now. */
struct match {
	struct slice text;
	struct regex *regex;         /* NULL: not one of ours */
	struct consumer_names names; /* of topics that are referenced */
	int32_t capacity;
};

struct resolution {
	struct group_shard *shard;
	struct slice group_id;
	const struct principal *principal;
	struct authorizer *authorizer;
	struct arena arena;
	struct match *matches;
	int32_t matches_count;
	const struct topic_image **topics;
	size_t topics_count;
	uint64_t version; /* of the topics */
	size_t bytes;     /* what all matches take */
};

static struct consumer_group *
consumer_of(const struct resolution *r)
{
	struct group *group = group_find(r->shard, r->group_id);

	return group == NULL ? NULL : group->consumer;
}

static void
take_texts(struct resolution *r)
{
	const struct consumer_group *consumer = consumer_of(r);
	const struct consumer_regex *regex;

	if (consumer == NULL)
		return;
	r->matches = arena_xcalloc(
	    &r->arena, consumer->regexes.count, sizeof(*r->matches));
	for (size_t at = 0;
	    (regex = map_next(&consumer->regexes, &at)) != NULL;)
		r->matches[r->matches_count++].text =
		    arena_copy(&r->arena, regex->text);
}

static void
match_add(struct match *match, struct slice name, struct arena *arena)
{
	struct consumer_names *names = &match->names;

	if (names->count == match->capacity) {
		struct slice *had = names->names;

		match->capacity = MAX(16, match->capacity * 2);
		names->names =
		    arena_xcalloc(arena, (size_t)match->capacity, sizeof(*had));
		if (names->count > 0)
			memcpy(names->names, had,
			    (size_t)names->count * sizeof(*had));
	}
	names->names[names->count++] = name;
}

static bool
may_describe(const struct resolution *r, struct slice topic)
{
	return authorizer_allows(r->authorizer, r->principal, ACL_DESCRIBE,
	    ACL_RESOURCE_TOPIC, topic);
}

static void
match_all(struct resolution *r, struct match *match)
{
	const char *reason;

	match->regex = regex_new(match->text, &reason);
	for (size_t i = 0; match->regex != NULL && i < r->topics_count; i++) {
		struct slice name = r->topics[i]->name;

		if (regex_matches(match->regex, name) && may_describe(r, name))
			match_add(match, name, &r->arena);
	}
	/* What there is no memory for matches nothing. */
	r->bytes += consumer_names_bytes(&match->names);
	if (r->bytes > budget_left(r->shard->memory))
		match->names.count = 0;
	regex_free(match->regex);
	consumer_names_sort(&match->names);
}

/* --- Writing it down ----------------------------------------------------- */

/* Is a member that has taken to the expression to own something still? */
static bool
targets_some(const struct consumer_group *consumer, struct slice text)
{
	LIST_FOR_EACH (node, &consumer->members) {
		const struct consumer_member *member =
		    LIST_ENTRY(node, struct consumer_member, node);

		if (slice_equal(member->regex, text) &&
		    consumer_member_target(consumer, member->id).count > 0)
			return true;
	}
	return false;
}

/*
 * True where what it matches has changed.  Kafka has no new epoch for one that
 * turns out to match nothing, and so leaves to its members, until something
 * else changes, what they do not subscribe to any more.
 */
static bool
emit_match(struct resolution *r, struct consumer_change *change,
    const struct match *match)
{
	const struct consumer_regex *regex =
	    consumer_regex_find(change->consumer, match->text);

	if (regex == NULL || regex->members_count == 0)
		return false;
	consumer_emit_regex(r->shard, r->group_id, match->text, &match->names,
	    r->version, change->now_ms);
	if (consumer_names_equal(&regex->topics, &match->names))
		return !regex->resolved &&
		    targets_some(change->consumer, match->text);
	consumer_change_count(change, &regex->topics, 0, -1);
	consumer_change_count(change, &match->names, 0, 1);
	return true;
}

static void
write_down(struct resolution *r, struct consumer_group *consumer)
{
	struct consumer_change change;
	enum kp_error error;
	bool changed = false;

	consumer->resolving = false;
	consumer->resolved_ms = clock_monotonic_ms();
	consumer_change_begin(&change, r->shard, consumer, r->group_id);
	for (int32_t i = 0; i < r->matches_count; i++)
		changed |= emit_match(r, &change, &r->matches[i]);
	consumer_change_epoch(&change, changed);
	error = consumer_change_append(&change);
	/* What could not be written down is unresolved, and tried again. */
	if (error == KP_NONE)
		consumer->resolved_version = r->version;
	consumer_change_end(&change);
}

static void
forget_topics(struct resolution *r)
{
	for (size_t i = 0; i < r->topics_count; i++)
		topic_image_unref(r->topics[i]);
	free((void *)r->topics);
}

void
consumer_regex_run(struct group_shard *shard, struct slice group_id,
    const struct principal *principal, struct authorizer *authorizer)
{
	struct resolution r = {
		.shard = shard,
		.group_id = group_id,
		.principal = principal,
		.authorizer = authorizer,
	};
	struct consumer_group *consumer;

	if (shard_enter(&shard->shard) != KP_NONE)
		return;
	arena_init(&r.arena, SIZE_MAX);
	take_texts(&r);
	shard_leave(&shard->shard);
	r.version = group_image_topics_version(shard->common->image);
	r.topics = group_image_topics(shard->common->image, &r.topics_count);
	for (int32_t i = 0; i < r.matches_count; i++)
		match_all(&r, &r.matches[i]);
	if (shard_enter(&shard->shard) == KP_NONE) {
		consumer = consumer_of(&r);
		if (consumer != NULL)
			write_down(&r, consumer);
		shard_leave(&shard->shard);
	}
	forget_topics(&r);
	arena_reset(&r.arena);
}
