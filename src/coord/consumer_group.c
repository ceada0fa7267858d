#include "coord/consumer_group.h"

/* --- Names --------------------------------------------------------------- */

static int
compare_names(const void *a, const void *b)
{
	return slice_compare(
	    *(const struct slice *)a, *(const struct slice *)b);
}

void
consumer_names_sort(struct consumer_names *names)
{
	int32_t kept = 0;

	if (names->count <= 0)
		return;
	qsort(names->names, (size_t)names->count, sizeof(*names->names),
	    compare_names);
	for (int32_t i = 1; i < names->count; i++)
		if (!slice_equal(names->names[kept], names->names[i]))
			names->names[++kept] = names->names[i];
	names->count = kept + 1;
}

bool
consumer_names_have(const struct consumer_names *names, struct slice name)
{
	return names->count > 0 &&
	    bsearch(&name, names->names, (size_t)names->count, sizeof(name),
		compare_names) != NULL;
}

bool
consumer_names_equal(
    const struct consumer_names *a, const struct consumer_names *b)
{
	if (a->count != b->count)
		return false;
	for (int32_t i = 0; i < a->count; i++)
		if (!slice_equal(a->names[i], b->names[i]))
			return false;
	return true;
}

void
consumer_names_own(struct consumer_names *owned, struct consumer_names value)
{
	struct consumer_names copy = { NULL, value.count };

	if (value.count > 0)
		copy.names = xcalloc((size_t)value.count, sizeof(*copy.names));
	for (int32_t i = 0; i < value.count; i++)
		group_own(&copy.names[i], value.names[i]);
	for (int32_t i = 0; i < owned->count; i++)
		group_own(&owned->names[i], SLICE_NULL);
	free(owned->names);
	*owned = copy;
}

/* What a name takes beside its text, where it is subscribed to as well. */
#define NAME_BYTES 256

size_t
consumer_names_bytes(const struct consumer_names *names)
{
	size_t bytes = 0;

	for (int32_t i = 0; i < names->count; i++)
		bytes += NAME_BYTES + names->names[i].len;
	return bytes;
}

/* --- The group ----------------------------------------------------------- */

struct consumer_group *
consumer_group_new(struct group_shard *shard, struct group *group)
{
	struct consumer_group *consumer = xcalloc(1, sizeof(*consumer));

	consumer->shard = shard;
	consumer->group = group;
	consumer->epoch = CONSUMER_EPOCH_FIRST;
	consumer->target_epoch = CONSUMER_EPOCH_FIRST;
	consumer->refresh = true;
	consumer->resolved_ms = INT64_MIN / 2;
	list_init(&consumer->members);
	map_init(&consumer->members_by_id);
	map_init(&consumer->members_by_instance);
	map_init(&consumer->targets);
	map_init(&consumer->owners);
	map_init(&consumer->topics);
	map_init(&consumer->regexes);
	map_init(&consumer->supports);
	return consumer;
}

struct shard *
consumer_group_shard(const struct consumer_group *consumer)
{
	return &consumer->shard->shard;
}

static void regex_free(
    struct consumer_group *consumer, struct consumer_regex *regex);
static void target_free(
    struct consumer_group *consumer, struct consumer_target *target);

void
consumer_group_free(struct consumer_group *consumer)
{
	struct consumer_regex *regex;
	struct consumer_target *target;

	while (!list_empty(&consumer->members))
		consumer_member_remove(LIST_ENTRY(
		    consumer->members.head.next, struct consumer_member, node));
	for (size_t at = 0;
	    (target = map_next(&consumer->targets, &at)) != NULL;)
		target_free(consumer, target);
	for (size_t at = 0;
	    (regex = map_next(&consumer->regexes, &at)) != NULL;)
		consumer_regex_forget(consumer, regex->text);
	assert(consumer->owners.count == 0 && consumer->topics.count == 0 &&
	    consumer->regexes.count == 0 && consumer->supports.count == 0 &&
	    consumer->bytes == 0);
	map_fini(&consumer->members_by_id);
	map_fini(&consumer->members_by_instance);
	map_fini(&consumer->targets);
	map_fini(&consumer->owners);
	map_fini(&consumer->topics);
	map_fini(&consumer->regexes);
	map_fini(&consumer->supports);
	free(consumer);
}

const char *
consumer_group_state(const struct consumer_group *consumer)
{
	if (list_empty(&consumer->members))
		return "Empty";
	if (consumer->epoch > consumer->target_epoch)
		return "Assigning";
	LIST_FOR_EACH (node, &consumer->members)
		if (!consumer_member_reconciled(
			LIST_ENTRY(node, struct consumer_member, node)))
			return "Reconciling";
	return "Stable";
}

struct group_timing
consumer_group_timing(struct consumer_group *consumer)
{
	struct group_image *image = consumer->shard->common->image;
	uint64_t version = group_image_timing_version(image);

	if (consumer->timing_version != version) {
		consumer->timing =
		    group_image_timing(image, consumer->group->id);
		consumer->timing_version = version;
	}
	return consumer->timing;
}

bool
consumer_group_subscribes(
    const struct consumer_group *consumer, struct slice topic)
{
	return map_get(&consumer->topics, topic) != NULL;
}

/* --- Assignors ----------------------------------------------------------- */

const char *
consumer_assignor_name(enum consumer_assignor assignor)
{
	return assignor == CONSUMER_ASSIGNOR_RANGE ? "range" : "uniform";
}

bool
consumer_assignor_find(struct slice name,
    const struct consumer_settings *settings, enum consumer_assignor *assignor)
{
	for (int32_t i = 0; i < settings->assignors_count; i++) {
		*assignor = settings->assignors[i];
		if (slice_equal_str(name, consumer_assignor_name(*assignor)))
			return true;
	}
	return false;
}

/* One that a log names and that we have not got is no vote. */
static void
vote(const struct consumer_member *member,
    const struct consumer_settings *settings, int32_t *votes)
{
	enum consumer_assignor assignor;

	if (member != NULL && !slice_is_null(member->server_assignor) &&
	    consumer_assignor_find(
		member->server_assignor, settings, &assignor))
		votes[assignor]++;
}

enum consumer_assignor
consumer_group_assignor(const struct consumer_group *consumer,
    const struct consumer_settings *settings,
    const struct consumer_member *except, const struct consumer_member *also)
{
	int32_t votes[CONSUMER_ASSIGNORS_COUNT] = { 0 };
	enum consumer_assignor winner = settings->assignors[0];

	LIST_FOR_EACH (node, &consumer->members) {
		const struct consumer_member *member =
		    LIST_ENTRY(node, struct consumer_member, node);

		if (member != except)
			vote(member, settings, votes);
	}
	vote(also, settings, votes);
	for (int32_t i = 0; i < settings->assignors_count; i++)
		if (votes[settings->assignors[i]] > votes[winner])
			winner = settings->assignors[i];
	return winner;
}

/* --- Topics -------------------------------------------------------------- */

/* What members and expressions subscribe to changes by so many. */
static void
topic_count(struct consumer_group *consumer, struct slice name, int32_t by_name,
    int32_t by_regex)
{
	struct consumer_topic *topic = map_get(&consumer->topics, name);

	if (topic == NULL) {
		topic = xcalloc(1, sizeof(*topic));
		group_own(&topic->name, name);
		map_set(&consumer->topics, topic->name, topic);
	}
	topic->by_name += by_name;
	topic->by_regex += by_regex;
	assert(topic->by_name >= 0 && topic->by_regex >= 0);
	if (topic->by_name + topic->by_regex > 0)
		return;
	map_remove(&consumer->topics, topic->name);
	group_own(&topic->name, SLICE_NULL);
	free(topic);
}

static void
topics_count(struct consumer_group *consumer,
    const struct consumer_names *names, int32_t by_name, int32_t by_regex)
{
	for (int32_t i = 0; i < names->count; i++)
		topic_count(consumer, names->names[i], by_name, by_regex);
}

/* --- Regular expressions ------------------------------------------------- */

struct consumer_regex *
consumer_regex_find(const struct consumer_group *consumer, struct slice text)
{
	return map_get(&consumer->regexes, text);
}

static struct consumer_regex *
regex_get(struct consumer_group *consumer, struct slice text)
{
	struct consumer_regex *regex = consumer_regex_find(consumer, text);

	if (regex != NULL)
		return regex;
	regex = xcalloc(1, sizeof(*regex));
	group_own(&regex->text, text);
	map_set(&consumer->regexes, regex->text, regex);
	return regex;
}

static void
regex_free(struct consumer_group *consumer, struct consumer_regex *regex)
{
	map_remove(&consumer->regexes, regex->text);
	group_own(&regex->text, SLICE_NULL);
	free(regex);
}

/* Nobody needs it any more where nobody uses it and nothing is known of it. */
static void
regex_drop_unused(struct consumer_group *consumer, struct consumer_regex *regex)
{
	if (regex->members_count == 0 && !regex->resolved)
		regex_free(consumer, regex);
}

static void
regex_set_names(struct consumer_group *consumer, struct consumer_regex *regex,
    struct consumer_names names)
{
	struct budget *memory = consumer->shard->memory;
	size_t bytes = consumer_names_bytes(&names);

	budget_give(memory, regex->bytes);
	budget_force(memory, bytes);
	consumer->bytes += bytes - regex->bytes;
	regex->bytes = bytes;
	consumer_names_own(&regex->topics, names);
}

void
consumer_regex_resolve(struct consumer_group *consumer, struct slice text,
    struct consumer_names names)
{
	struct consumer_regex *regex = regex_get(consumer, text);

	topics_count(consumer, &names, 0, 1);
	topics_count(consumer, &regex->topics, 0, -1);
	regex_set_names(consumer, regex, names);
	consumer->resolved_count += !regex->resolved;
	regex->resolved = true;
}

void
consumer_regex_forget(struct consumer_group *consumer, struct slice text)
{
	struct consumer_regex *regex = consumer_regex_find(consumer, text);

	if (regex == NULL)
		return;
	topics_count(consumer, &regex->topics, 0, -1);
	regex_set_names(consumer, regex, (struct consumer_names){ 0 });
	consumer->resolved_count -= regex->resolved;
	regex->resolved = false;
	regex_drop_unused(consumer, regex);
}

static void
regex_use(struct consumer_group *consumer, struct slice text, int32_t by)
{
	struct consumer_regex *regex;

	if (text.len == 0)
		return;
	regex = regex_get(consumer, text);
	regex->members_count += by;
	regex_drop_unused(consumer, regex);
}

/* --- What members hold --------------------------------------------------- */

/*
 * What a member and a partition take beside what the client has sent:
 * the partition twice, since somebody has it as a target as well.
 */
#define MEMBER_BYTES 1024
#define PARTITION_BYTES 256
#define PROTOCOL_BYTES 64

size_t
consumer_member_bytes(const struct consumer_member *member)
{
	size_t bytes = MEMBER_BYTES + member->id.len + member->instance_id.len +
	    member->rack_id.len + member->client_id.len +
	    member->client_host.len + member->server_assignor.len +
	    member->regex.len;

	bytes += consumer_names_bytes(&member->topics);
	bytes += PARTITION_BYTES *
	    (size_t)(member->assigned.count + member->revoking.count);
	for (int32_t i = 0;
	    member->classic != NULL && i < member->classic->protocols_count;
	    i++)
		bytes += PROTOCOL_BYTES +
		    member->classic->protocols[i].name.len +
		    member->classic->protocols[i].metadata.len;
	return bytes;
}

static void
weigh(struct consumer_member *member, size_t bytes)
{
	struct consumer_group *consumer = member->consumer;
	struct budget *memory = consumer->shard->memory;

	budget_give(memory, member->bytes);
	budget_force(memory, bytes);
	consumer->bytes += bytes - member->bytes;
	member->bytes = bytes;
}

/* --- Owners -------------------------------------------------------------- */

int32_t
consumer_group_owner(const struct consumer_group *consumer,
    const struct consumer_partition *partition)
{
	const struct consumer_partition *owned =
	    map_get(&consumer->owners, CONSUMER_PARTITION_KEY(partition));

	return owned == NULL ? -1 : owned->epoch;
}

/*
 * Records of members come in another order from a compacted log than they were
 * written: who has a partition by now is known by the higher epoch.
 */
static void
own_all(struct consumer_group *consumer, const struct consumer_assignment *set,
    int32_t epoch)
{
	for (int32_t i = 0; i < set->count; i++) {
		const struct consumer_partition *p = &set->partitions[i];
		struct consumer_partition *owned =
		    map_get(&consumer->owners, CONSUMER_PARTITION_KEY(p));

		if (owned == NULL) {
			owned = xmalloc(sizeof(*owned));
			*owned = *p;
			owned->epoch = epoch;
			map_set(&consumer->owners,
			    CONSUMER_PARTITION_KEY(owned), owned);
		} else if (owned->epoch < epoch) {
			owned->epoch = epoch;
		}
	}
}

static void
disown_all(struct consumer_group *consumer,
    const struct consumer_assignment *set, int32_t epoch)
{
	for (int32_t i = 0; i < set->count; i++) {
		const struct consumer_partition *p = &set->partitions[i];
		struct consumer_partition *owned =
		    map_get(&consumer->owners, CONSUMER_PARTITION_KEY(p));

		if (owned == NULL || owned->epoch != epoch)
			continue;
		map_remove(&consumer->owners, CONSUMER_PARTITION_KEY(owned));
		free(owned);
	}
}

void
consumer_member_assign(
    struct consumer_member *member, const struct consumer_member *given)
{
	struct consumer_group *consumer = member->consumer;

	disown_all(consumer, &member->assigned, member->epoch);
	disown_all(consumer, &member->revoking, member->epoch);
	consumer_assignment_own(&member->assigned, given->assigned);
	consumer_assignment_own(&member->revoking, given->revoking);
	member->epoch = given->epoch;
	member->previous_epoch = given->previous_epoch;
	member->state = given->state;
	own_all(consumer, &member->assigned, member->epoch);
	own_all(consumer, &member->revoking, member->epoch);
	weigh(member, consumer_member_bytes(member));
}

/* --- Members ------------------------------------------------------------- */

struct consumer_member *
consumer_member_find(const struct consumer_group *consumer, struct slice id)
{
	return map_get(&consumer->members_by_id, id);
}

struct consumer_member *
consumer_member_by_instance(
    const struct consumer_group *consumer, struct slice instance_id)
{
	return slice_is_null(instance_id) ?
	    NULL :
	    map_get(&consumer->members_by_instance, instance_id);
}

struct consumer_member *
consumer_member_get(struct consumer_group *consumer, struct slice id)
{
	struct consumer_member *member = consumer_member_find(consumer, id);

	if (member != NULL)
		return member;
	member = xcalloc(1, sizeof(*member));
	member->consumer = consumer;
	member->rebalance_timeout_ms = -1;
	member->previous_epoch = CONSUMER_EPOCH_LEAVE;
	group_own(&member->id, id);
	group_own(&member->client_id, slice_str(""));
	group_own(&member->client_host, slice_str(""));
	group_own(&member->regex, slice_str(""));
	list_append(&consumer->members, &member->node);
	map_set(&consumer->members_by_id, member->id, member);
	weigh(member, consumer_member_bytes(member));
	return member;
}

static void
classic_own(struct consumer_member *member, const struct consumer_classic *c)
{
	struct map *supports = &member->consumer->supports;
	struct consumer_classic *copy = NULL, *old = member->classic;

	if (c != NULL) {
		size_t count = (size_t)MAX(c->protocols_count, 0);

		copy = xcalloc(1, sizeof(*copy));
		copy->session_timeout_ms = c->session_timeout_ms;
		copy->protocols = xcalloc(count, sizeof(*copy->protocols));
		copy->protocols_count = (int32_t)count;
		for (size_t i = 0; i < count; i++) {
			group_own(
			    &copy->protocols[i].name, c->protocols[i].name);
			group_own(&copy->protocols[i].metadata,
			    c->protocols[i].metadata);
			group_support_add(supports, copy->protocols[i].name);
		}
	}
	member->classic = copy;
	if (old == NULL)
		return;
	for (int32_t i = 0; i < old->protocols_count; i++) {
		group_support_remove(supports, old->protocols[i].name);
		group_own(&old->protocols[i].name, SLICE_NULL);
		group_own(&old->protocols[i].metadata, SLICE_NULL);
	}
	free(old->protocols);
	free(old);
}

/* A log may name an instance twice; the later member has it. */
static void
instance_forget(struct consumer_member *member)
{
	struct consumer_group *consumer = member->consumer;

	if (consumer_member_by_instance(consumer, member->instance_id) ==
	    member)
		map_remove(&consumer->members_by_instance, member->instance_id);
}

void
consumer_member_describe(
    struct consumer_member *member, const struct consumer_member *said)
{
	struct consumer_group *consumer = member->consumer;

	instance_forget(member);
	consumer->classic_count +=
	    (said->classic != NULL) - (member->classic != NULL);
	topics_count(consumer, &said->topics, 1, 0);
	topics_count(consumer, &member->topics, -1, 0);
	regex_use(consumer, said->regex, 1);
	regex_use(consumer, member->regex, -1);
	group_own(&member->instance_id, said->instance_id);
	group_own(&member->rack_id, said->rack_id);
	group_own(&member->client_id, said->client_id);
	group_own(&member->client_host, said->client_host);
	group_own(&member->server_assignor, said->server_assignor);
	group_own(&member->regex, said->regex);
	consumer_names_own(&member->topics, said->topics);
	classic_own(member, said->classic);
	member->rebalance_timeout_ms = said->rebalance_timeout_ms;
	if (!slice_is_null(member->instance_id))
		map_set(&consumer->members_by_instance, member->instance_id,
		    member);
	weigh(member, consumer_member_bytes(member));
}

void
consumer_member_remove(struct consumer_member *member)
{
	struct consumer_group *consumer = member->consumer;
	struct shard *shard = consumer_group_shard(consumer);
	const struct consumer_member nothing = { .regex = slice_str("") };

	shard_timer_stop(shard, &member->session);
	shard_timer_stop(shard, &member->rebalance);
	shard_timer_stop(shard, &member->sync);
	consumer_member_assign(member, &nothing);
	consumer_member_describe(member, &nothing);
	weigh(member, 0);
	list_remove(&member->node);
	map_remove(&consumer->members_by_id, member->id);
	group_own(&member->id, SLICE_NULL);
	group_own(&member->regex, SLICE_NULL);
	free(member);
}

/* --- Targets ------------------------------------------------------------- */

struct consumer_assignment
consumer_member_target(const struct consumer_group *consumer, struct slice id)
{
	const struct consumer_target *target = map_get(&consumer->targets, id);

	return target == NULL ? (struct consumer_assignment){ 0 } :
				target->assignment;
}

void
consumer_target_set(struct consumer_group *consumer, struct slice member_id,
    struct consumer_assignment assignment)
{
	struct consumer_target *target = map_get(&consumer->targets, member_id);

	if (target == NULL) {
		target = xcalloc(1, sizeof(*target));
		group_own(&target->member_id, member_id);
		map_set(&consumer->targets, target->member_id, target);
	}
	consumer_assignment_own(&target->assignment, assignment);
}

static void
target_free(struct consumer_group *consumer, struct consumer_target *target)
{
	map_remove(&consumer->targets, target->member_id);
	group_own(&target->member_id, SLICE_NULL);
	consumer_assignment_own(
	    &target->assignment, (struct consumer_assignment){ 0 });
	free(target);
}

void
consumer_target_remove(struct consumer_group *consumer, struct slice member_id)
{
	struct consumer_target *target = map_get(&consumer->targets, member_id);

	if (target != NULL)
		target_free(consumer, target);
}
