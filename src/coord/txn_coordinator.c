#include "coord/txn_coordinator.h"

#include "base/arena.h"
#include "coord/coordinator.h"
#include "coord/txn_ending.h"
#include "coord/txn_tenure.h"
#include "meta/image.h"

/* What transactional ids may hold, all in all: some millions of them. */
#define MEMORY_BYTES_MAX ((size_t)1 << 30)

#define VERSION_FEATURE "transaction.version"

struct txn_coordinator {
	struct coordinator base;
	struct txn_environment environment;

	/* immutable */
	struct txn_settings settings;
	struct shard_settings shard_settings;
	struct txn_sender_services sender_services;
	struct producer_ids *producer_ids;

	atomic_bool verifies;
};

static struct txn_coordinator *
of(struct txn_environment *environment)
{
	return CONTAINER_OF(environment, struct txn_coordinator, environment);
}

/* --- Producer ids -------------------------------------------------------- */

static void call_go(struct txn_call *call);

/* On the controller's thread. */
static void
id_ready(struct producer_ids_waiter *waiter)
{
	struct txn_call *call = CONTAINER_OF(waiter, struct txn_call, ids);
	struct tenure *tenure = call->tenure;

	if (waiter->error == KP_NONE) {
		call->fresh_id = waiter->id;
		call_go(call);
		return;
	}
	call->call.error = KP_COORDINATOR_LOAD_IN_PROGRESS;
	call->call.done(&call->call);
	tenure_unref(tenure);
}

/* Run it, with another id where it wants one.  Its tenure is referenced. */
static void
call_go(struct txn_call *call)
{
	struct tenure *tenure = call->tenure;
	struct txn_coordinator *coordinator = of(call->environment);

	while (!call->run(&txn_tenure_of(tenure)->shard, call)) {
		assert(call->fresh_id < 0);
		call->ids.ready = id_ready;
		if (!producer_ids_next(coordinator->producer_ids, &call->ids))
			return;
		call->fresh_id = call->ids.id;
	}
	tenure_unref(tenure);
}

/* --- What the shards need ------------------------------------------------ */

static void
run_call(struct txn_environment *environment, struct txn_shard *shard,
    struct txn_call *call)
{
	call->environment = environment;
	call->tenure = &txn_tenure_of_shard(shard)->tenure;
	tenure_ref(call->tenure);
	call_go(call);
}

static void
mark(struct txn_environment *environment UNUSED, struct txn_ending *ending)
{
	txn_sender_send(&txn_tenure_of_shard(ending->shard)->sender, ending);
}

static void
idle(struct txn_environment *environment UNUSED, struct txn_shard *shard)
{
	tenure_close(&txn_tenure_of_shard(shard)->tenure);
}

/* --- Life ---------------------------------------------------------------- */

static struct tenure *
make_tenure(struct coordinator *base, struct partition *partition,
    struct loop *loop, int32_t leader)
{
	struct txn_coordinator *coordinator =
	    CONTAINER_OF(base, struct txn_coordinator, base);

	return &txn_tenure_new(&coordinator->environment,
	    &coordinator->shard_settings, &coordinator->sender_services,
	    partition, loop, leader)
		    ->tenure;
}

static const struct coordinator_kind kind = {
	.worker_name = "txn-loader",
	.tenure_new = make_tenure,
};

static void
environment_init(struct txn_coordinator *coordinator)
{
	struct txn_environment *environment = &coordinator->environment;

	environment->settings = &coordinator->settings;
	environment->run = run_call;
	environment->mark = mark;
	environment->idle = idle;
	atomic_init(&environment->version, 0);
	budget_init(&environment->memory, MEMORY_BYTES_MAX);
}

struct txn_coordinator *
txn_coordinator_new(const struct txn_settings *settings,
    const struct coordinator_services *services,
    struct producer_ids *producer_ids, struct group_coordinator *groups)
{
	struct txn_coordinator *coordinator = xcalloc(1, sizeof(*coordinator));
	const struct coordinator_topic topic = {
		.name = TXN_COORDINATOR_TOPIC,
		.partitions = settings->topic_partitions,
		.replication_factor = settings->topic_replication_factor,
		.replication_key = "transaction.state.log.replication.factor",
		.segment_bytes = settings->topic_segment_bytes,
		.min_insync_replicas = settings->topic_min_isr,
		.uncompressed = true,
		.never_unclean = true,
	};

	coordinator_init(&coordinator->base, &kind, &topic, services);
	coordinator->settings = *settings;
	coordinator->shard_settings = (struct shard_settings){
		.load_bytes = settings->load_bytes,
		.commit_timeout_ms = settings->commit_timeout_ms,
	};
	coordinator->sender_services = (struct txn_sender_services){
		.image = services->image,
		.partitions = services->partitions,
		.groups = groups,
	};
	coordinator->producer_ids = producer_ids;
	environment_init(coordinator);
	txn_coordinator_configure(coordinator, settings);
	return coordinator;
}

void
txn_coordinator_free(struct txn_coordinator *coordinator)
{
	if (coordinator == NULL)
		return;
	coordinator_fini(&coordinator->base);
	free(coordinator);
}

void
txn_coordinator_configure(
    struct txn_coordinator *coordinator, const struct txn_settings *settings)
{
	coordinator->shard_settings.batch_bytes_max = settings->batch_bytes_max;
	atomic_store(&coordinator->verifies, settings->verifies);
}

bool
txn_coordinator_verifies(const struct txn_coordinator *coordinator)
{
	return atomic_load(&coordinator->verifies);
}

static int16_t
version_of(struct image *image)
{
	int16_t version;

	image_read_lock(image);
	version = image_feature(image, VERSION_FEATURE);
	image_read_unlock(image);
	return version;
}

void
txn_coordinator_apply(void *context, const struct delta *delta)
{
	struct txn_coordinator *coordinator = context;

	atomic_store(&coordinator->environment.version,
	    version_of(coordinator->base.services.image));
	coordinator_apply(&coordinator->base, delta);
}

void
txn_coordinator_start(struct txn_coordinator *coordinator)
{
	coordinator_start(&coordinator->base);
}

void
txn_coordinator_stop(struct txn_coordinator *coordinator)
{
	coordinator_stop(&coordinator->base);
}

void
txn_coordinator_prepare(struct txn_coordinator *coordinator,
    void (*ready)(void *context, enum kp_error error), void *context)
{
	coordinator_prepare(&coordinator->base, ready, context);
}

int32_t
txn_coordinator_partition(
    struct txn_coordinator *coordinator, struct slice transactional_id)
{
	return coordinator_partition(&coordinator->base, transactional_id);
}

/* --- Calls --------------------------------------------------------------- */

static void
refuse(struct txn_call *call, enum kp_error error)
{
	call->call.error = error;
	call->call.done(&call->call);
}

static void
start(struct txn_coordinator *coordinator, struct txn_call *call,
    bool (*run)(struct txn_shard *shard, struct txn_call *call))
{
	assert(!slice_is_null(call->transactional_id));
	call->run = run;
	call->fresh_id = -1;
	call->environment = &coordinator->environment;
	call->tenure = coordinator_find(
	    &coordinator->base, call->transactional_id, call->node_id);
	if (call->tenure == NULL)
		refuse(call, KP_NOT_COORDINATOR);
	else
		call_go(call);
}

void
txn_coordinator_begin(
    struct txn_coordinator *coordinator, struct txn_begin *begin)
{
	if (begin->timeout_ms <= 0 ||
	    begin->timeout_ms > coordinator->settings.timeout_max_ms)
		refuse(&begin->call, KP_INVALID_TRANSACTION_TIMEOUT);
	else
		start(coordinator, &begin->call, txn_shard_begin);
}

void
txn_coordinator_add(struct txn_coordinator *coordinator, struct txn_add *add)
{
	start(coordinator, &add->call, txn_shard_add);
}

void
txn_coordinator_end(struct txn_coordinator *coordinator, struct txn_end *end)
{
	start(coordinator, &end->call, txn_shard_end);
}

void
txn_coordinator_describe(
    struct txn_coordinator *coordinator, struct txn_description *description)
{
	start(coordinator, &description->call, txn_shard_describe);
}

/* --- Listing ------------------------------------------------------------- */

/* A list of all shards, in the arena of its call. */
struct listing {
	struct txn_call *call;
	atomic_int pending; /* shards, and the caller */
	atomic_int error;   /* enum kp_error, of one of the shards */
};

struct listing_part {
	struct shard_call call;
	struct listing *listing;
};

static void
listing_unref(struct listing *listing)
{
	if (atomic_fetch_sub(&listing->pending, 1) > 1)
		return;
	refuse(listing->call, (enum kp_error)atomic_load(&listing->error));
}

static void
listing_part_done(struct shard_call *call)
{
	struct listing_part *part =
	    CONTAINER_OF(call, struct listing_part, call);

	if (call->error != KP_NONE && call->error != KP_NOT_COORDINATOR)
		atomic_store(&part->listing->error, (int)call->error);
	listing_unref(part->listing);
}

void
txn_coordinator_list(struct txn_coordinator *coordinator, struct txn_call *call,
    struct arena *arena, const struct txn_filter *filter, struct txn_list *list)
{
	struct listing *listing = arena_xcalloc(arena, 1, sizeof(*listing));
	int32_t count;
	struct tenure **tenures =
	    coordinator_tenures(&coordinator->base, &count);

	listing->call = call;
	atomic_init(&listing->pending, 1);
	atomic_init(&listing->error, KP_NONE);
	for (int32_t i = 0; i < count; i++) {
		struct listing_part *part =
		    arena_xcalloc(arena, 1, sizeof(*part));

		part->call.done = listing_part_done;
		part->listing = listing;
		if (tenures[i]->leader == call->node_id) {
			atomic_fetch_add(&listing->pending, 1);
			txn_shard_list(&txn_tenure_of(tenures[i])->shard,
			    &part->call, arena, filter, list);
		}
		tenure_unref(tenures[i]);
	}
	free((void *)tenures);
	listing_unref(listing);
}
