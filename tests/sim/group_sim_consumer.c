/*
 * Members of a consumer group (KIP-848).  One that is told to give up
 * partitions works on for a while, and says what it has left when it has
 * stopped; what it is given it begins with at once.
 */
#include "sim/group_sim.h"

#include "base/log.h"
#include "coord/consumer_group.h"
#include "coord/consumer_heartbeat.h"
#include "wire/codec.h"

#include <stdio.h>

/*
 * Who was not heard of for so long, or did not give up what it had to, may
 * have been thrown out.
 */
#define LAPSE_MS SIM_REBALANCE_MS

static const char *const topic_regexes[] = { "a.*", ".*" };
#define BY_REGEX 0x100	/* in topics: the first; the next bit: the second */

/* --- Partitions --------------------------------------------------------- */

static sim_set
bits_of(int topic, int32_t partitions)
{
	return (((sim_set)1 << partitions) - 1) << (SIM_PARTITIONS_MAX * topic);
}

sim_set
sim_partitions(const struct sim *sim, unsigned topics)
{
	sim_set set = 0;

	for (int i = 0; i < SIM_TOPICS; i++)
		if ((topics & 1u << i) != 0)
			set |= bits_of(i, sim->topics[i].partitions);
	return set;
}

/* Those topics that the member's expression, if it has one, stands for. */
static unsigned
topics_of(const struct sim_consumer *member)
{
	if ((member->topics & BY_REGEX) != 0)
		return 1;
	return (member->topics & BY_REGEX << 1) != 0 ? ~0u : member->topics;
}

static int
topic_of(const struct sim *sim, struct uuid id)
{
	for (int i = 0; i < SIM_TOPICS; i++)
		if (uuid_equal(sim->topics[i].id, id))
			return i;
	return -1;
}

/* --- Requests ----------------------------------------------------------- */

static void
on_done(struct shard_call *call)
{
	struct sim_consumer *member = call->context;

	CHECK(member->pending);
	member->pending = false;
	member->sim->calls_open--;
}

static void
fill_topics(struct sim_consumer *member)
{
	struct sim *sim = member->sim;
	struct kp_consumer_group_heartbeat_request *request = &member->request;
	struct slice *names = arena_xcalloc(
	    &sim->world.arena, SIM_TOPICS, sizeof(*names));

	request->subscribed_topic_names = names;
	request->subscribed_topic_names_count = 0;
	request->subscribed_topic_regex = slice_str("");
	for (int i = 0; i < SIM_TOPICS; i++)
		if ((member->topics & 1u << i) != 0)
			names[request->subscribed_topic_names_count++] =
			    slice_str(sim->topics[i].name);
	for (int i = 0; i < 2; i++)
		if ((member->topics & (unsigned)BY_REGEX << i) != 0)
			request->subscribed_topic_regex =
			    slice_str(topic_regexes[i]);
}

static void
fill_owned(struct sim_consumer *member, sim_set owned)
{
	struct arena *arena = &member->sim->world.arena;
	struct kp_consumer_group_heartbeat_request *request = &member->request;
	int32_t *indexes = arena_xcalloc(arena, 32, sizeof(*indexes));

	request->topic_partitions =
	    arena_xcalloc(arena, 32, sizeof(*request->topic_partitions));
	request->topic_partitions_count = 0;
	for (int bit = 0; bit < 32; bit++) {
		int32_t at = request->topic_partitions_count;

		if ((owned & (sim_set)1 << bit) == 0)
			continue;
		indexes[bit] = bit % SIM_PARTITIONS_MAX;
		request->topic_partitions[at].topic_id =
		    member->ids[bit / SIM_PARTITIONS_MAX];
		request->topic_partitions[at].partitions = &indexes[bit];
		request->topic_partitions[at].partitions_count = 1;
		request->topic_partitions_count++;
	}
	member->reported = owned;
}

static void
begin(struct sim_consumer *member, int32_t epoch)
{
	struct kp_consumer_group_heartbeat_request *request = &member->request;

	kp_defaults(&kp_consumer_group_heartbeat_request, request);
	kp_defaults(&kp_consumer_group_heartbeat_response, &member->response);
	request->group_id = slice_str(SIM_CONSUMER_GROUP);
	request->member_id = slice_str(member->id);
	request->member_epoch = epoch;
	if (member->instance[0] != '\0')
		request->instance_id = slice_str(member->instance);
	member->joining = epoch == CONSUMER_EPOCH_JOIN;
	member->leaving = epoch < 0;
}

static void
send(struct sim_consumer *member)
{
	struct sim *sim = member->sim;
	struct slice message;

	CHECK(consumer_heartbeat_check(&member->request, 1,
		  &sim->world.settings.consumer, &sim->world.arena,
		  &message) == KP_NONE);
	CHECK(!member->pending);
	member->pending = true;
	member->sent_ms = sim->world.log.now_ms;
	sim_call_init(sim, &member->call, 1, on_done);
	member->call.call.context = member;
	group_shard_consumer_heartbeat(&sim->world.shard, &member->call,
	    &member->request, &member->response);
}

static void
join(struct sim_consumer *member)
{
	static const unsigned subscriptions[] = { 7, 7, 3, 5, 1, 2, BY_REGEX,
		BY_REGEX << 1 };
	struct sim *sim = member->sim;

	member->owned = member->told = 0;
	member->revoke_ms = INT64_MAX;
	member->topics =
	    subscriptions[rng_below(&sim->rng, COUNT_OF(subscriptions))];
	begin(member, CONSUMER_EPOCH_JOIN);
	member->request.rebalance_timeout_ms = SIM_REBALANCE_MS;
	fill_topics(member);
	fill_owned(member, 0);
	send(member);
}

static void
beat(struct sim_consumer *member)
{
	struct sim *sim = member->sim;

	/* It has stopped what it was told to stop. */
	if (sim->settling || sim_chance(&sim->rng, 70))
		member->owned &= member->told;
	begin(member, member->epoch);
	if (sim->settling || sim_chance(&sim->rng, 80))
		fill_owned(member, member->owned);
	if (!sim->settling && sim_chance(&sim->rng, 6)) {
		member->topics = 1u + (unsigned)rng_below(&sim->rng, 7);
		member->unsaid = true;
	}
	/* What may not have got through is said again, and so answered. */
	if (member->unsaid) {
		member->request.rebalance_timeout_ms = SIM_REBALANCE_MS;
		fill_topics(member);
		fill_owned(member, member->owned);
	}
	send(member);
}

static void
leave(struct sim_consumer *member, int32_t epoch)
{
	member->owned = member->told = 0;
	member->static_away = epoch == CONSUMER_EPOCH_AWAY;
	begin(member, epoch);
	send(member);
}

/* --- Answers ------------------------------------------------------------ */

static void
out(struct sim_consumer *member)
{
	member->in = false;
	member->owned = member->told = 0;
}

/* A partition that is given is begun with at once. */
static void
take_assignment(struct sim_consumer *member)
{
	const struct kp_consumer_group_heartbeat_response_assignment *given =
	    member->response.assignment;
	struct sim *sim = member->sim;
	sim_set told = 0;

	if (given == NULL)
		return;
	for (int32_t t = 0; t < given->topic_partitions_count; t++) {
		int topic =
		    topic_of(sim, given->topic_partitions[t].topic_id);

		/* It was deleted while the answer waited. */
		if (topic < 0)
			continue;
		if (!uuid_equal(member->ids[topic], sim->topics[topic].id))
			member->owned &= ~bits_of(topic, SIM_PARTITIONS_MAX);
		member->ids[topic] = sim->topics[topic].id;
		for (int32_t i = 0;
		     i < given->topic_partitions[t].partitions_count; i++)
			told |= (sim_set)1
			    << (topic * SIM_PARTITIONS_MAX +
				   given->topic_partitions[t].partitions[i]);
	}
	member->told = told;
	member->owned |= told;
	sim->shared++;
}

/* For so long it has had something to give up. */
static void
revoke_since(struct sim_consumer *member)
{
	member->revoke_ms = MIN(member->revoke_ms, member->sent_ms);
}

static void
answered(struct sim_consumer *member, enum kp_error error)
{
	if (error == KP_NONE && member->leaving) {
		out(member);
	} else if (error == KP_NONE) {
		CHECK(member->joining || !member->in ||
		    member->response.member_epoch >= member->epoch);
		member->in = true;
		member->epoch = member->response.member_epoch;
		member->unsaid = false;
		member->heard_ms = member->sent_ms;
		take_assignment(member);
		if (member->request.topic_partitions_count >= 0 &&
		    (member->reported & ~member->told) == 0)
			member->revoke_ms = INT64_MAX;
		if ((member->owned & ~member->told) != 0)
			revoke_since(member);
	} else if (error == KP_UNKNOWN_MEMBER_ID ||
	    error == KP_FENCED_MEMBER_EPOCH || error == KP_GROUP_ID_NOT_FOUND ||
	    error == KP_FENCED_INSTANCE_ID) {
		out(member);
	} else {
		/* A static member is away for as long as its session. */
		CHECK(error == KP_NOT_COORDINATOR ||
		    error == KP_COORDINATOR_NOT_AVAILABLE ||
		    (error == KP_UNRELEASED_INSTANCE_ID && member->joining));
		member->unsaid = true;
		/* Perhaps it would have been told to give up something. */
		revoke_since(member);
		if (member->leaving)
			out(member);
	}
}

static void
collect(struct sim_consumer *member)
{
	if (member->pending || member->request.group_id.len == 0)
		return;
	log_debug("sim", "%s at %d: asked with %d at %lld, owned %x of %x: %s, "
	    "%d", member->id, member->epoch, member->request.member_epoch,
	    (long long)member->sent_ms, member->owned, member->told,
	    kp_error_name(member->call.call.error),
	    member->response.member_epoch);
	member->request.group_id = SLICE_NULL;
	answered(member, member->call.call.error);
}

void
sim_consumer_collect(struct sim *sim)
{
	for (int i = 0; i < SIM_MEMBERS; i++)
		collect(&sim->consumers[i]);
}

/* --- What it does ------------------------------------------------------- */

static void
commit(struct sim_consumer *member)
{
	enum kp_error error = sim_offsets_commit(member->sim,
	    SIM_CONSUMER_GROUP, member->id, member->instance, member->epoch);

	CHECK(error == KP_NONE || error == KP_NOT_COORDINATOR ||
	    error == KP_COORDINATOR_NOT_AVAILABLE ||
	    error == KP_UNKNOWN_MEMBER_ID || error == KP_STALE_MEMBER_EPOCH ||
	    error == KP_GROUP_ID_NOT_FOUND);
}

static void
act(struct sim_consumer *member)
{
	struct sim *sim = member->sim;
	uint64_t what = rng_below(&sim->rng, sim->settling ? 60 : 100);

	if (member->pending || sim->world.log.now_ms < member->away_until_ms)
		return;
	if (!member->in)
		join(member);
	else if (what < 70)
		beat(member);
	else if (what < 85)
		commit(member);
	else if (what < 89)
		leave(member, CONSUMER_EPOCH_LEAVE);
	else if (what < 93 && member->instance[0] != '\0')
		leave(member, CONSUMER_EPOCH_AWAY);
	else if (what < 96)
		member->away_until_ms = sim->world.log.now_ms +
		    (int64_t)rng_below(&sim->rng, 90000);
	else if (what < 98)
		join(member);
}

void
sim_consumer_step(struct sim *sim)
{
	act(&sim->consumers[rng_below(&sim->rng, SIM_MEMBERS)]);
	sim_consumer_collect(sim);
	if (sim_chance(&sim->rng, 20))
		(void)world_resolve(&sim->world);
}

void
sim_consumer_interrupt(struct sim *sim)
{
	for (int i = 0; i < SIM_MEMBERS; i++)
		CHECK(!sim->consumers[i].pending);
}

/* --- Checks ------------------------------------------------------------- */

static bool
lapsed(const struct sim *sim, const struct sim_consumer *member)
{
	return sim->world.log.now_ms - LAPSE_MS >=
	    MIN(member->heard_ms, member->revoke_ms);
}

/* A topic that was made anew is another one. */
static sim_set
works_on(const struct sim *sim, const struct sim_consumer *member)
{
	sim_set set = member->owned;

	for (int i = 0; i < SIM_TOPICS; i++)
		if (!uuid_equal(member->ids[i], sim->topics[i].id))
			set &= ~bits_of(i, SIM_PARTITIONS_MAX);
	return set;
}

static void
check_epochs(struct sim *sim)
{
	const struct group *group = group_find(
	    &sim->world.shard, slice_str(SIM_CONSUMER_GROUP));
	int32_t epoch = 0;

	if (group != NULL && group->consumer != NULL)
		epoch = group->consumer->epoch;
	CHECK(epoch == 0 || epoch >= sim->consumer_epoch);
	sim->consumer_epoch = epoch;
}

/* At no time do two work on the same partition. */
void
sim_consumer_check(struct sim *sim)
{
	check_epochs(sim);
	for (int i = 0; i < SIM_MEMBERS; i++) {
		const struct sim_consumer *a = &sim->consumers[i];

		if (!a->in || lapsed(sim, a))
			continue;
		for (int j = 0; j < i; j++) {
			const struct sim_consumer *b = &sim->consumers[j];

			CHECK(!b->in || lapsed(sim, b) ||
			    (works_on(sim, a) & works_on(sim, b)) == 0);
		}
	}
}

void
sim_consumer_settle(struct sim *sim)
{
	sim_set all = 0;
	unsigned topics = 0;

	for (int i = 0; i < 200; i++) {
		for (int j = 0; j < SIM_MEMBERS; j++)
			act(&sim->consumers[j]);
		sim_consumer_collect(sim);
		(void)world_resolve(&sim->world);
		sim_consumer_check(sim);
		world_pass(&sim->world, 1000);
	}
	for (int i = 0; i < SIM_MEMBERS; i++) {
		const struct sim_consumer *member = &sim->consumers[i];

		CHECK(member->in && member->owned == member->told);
		CHECK((member->owned &
			  ~sim_partitions(sim, topics_of(member))) == 0);
		all |= member->owned;
		topics |= topics_of(member);
	}
	CHECK(all == sim_partitions(sim, topics));
}

void
sim_consumer_init(struct sim *sim)
{
	for (int i = 0; i < SIM_MEMBERS; i++) {
		struct sim_consumer *member = &sim->consumers[i];

		member->sim = sim;
		snprintf(member->id, sizeof(member->id), "m%d", i);
		if (i < 2)
			snprintf(member->instance, sizeof(member->instance),
			    "i%d", i);
	}
}
