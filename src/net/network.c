#include "base/base.h"
#include "base/budget.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/task.h"
#include "net/admission.h"
#include "net/connection_set.h"
#include "net/listener_inner.h"
#include "net/loop.h"
#include "net/loop_group.h"
#include "net/network.h"
#include "net/network_inner.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#define MEMORY_MIN ((size_t)256 * 1024 * 1024)
#define STRANGERS_MEMORY ((size_t)16 * 1024 * 1024)
/* How long owners of exchanges have after everything was cancelled. */
#define RELEASE_MS 5000

struct network {
	/* immutable */
	struct network_settings settings;
	struct connection_handler *handler;
	struct loop_group *loops;
	struct connection_set *sets;	/* one a loop */
	struct admission *admission;

	struct budget budget;		/* atomic */
	struct budget strangers_budget;	/* atomic */
	atomic_bool favour;		/* some connection has it */
	_Atomic uint64_t accepted;
	_Atomic uint64_t rejected;

	atomic_bool closing_excess;	/* the next two are in use */
	struct task excess;		/* goes from loop to loop */
	int excess_loop;		/* whose turn it is */
	int excess_misses;		/* loops in a row with none to close */

	pthread_mutex_t lock;
	pthread_cond_t changed;

	/* guarded by lock */
	struct listener **listeners;
	size_t listeners_count;
	size_t listening;		/* of them, until they have stopped */
	size_t alive;			/* connections not freed */
};

/* A task for a connection set, to be run on its loop. */
struct set_task {
	struct task task;
	struct connection_set *set;
	void (*run)(struct connection_set *set);
};

static void run_excess(struct task *task);

/* --- Life ---------------------------------------------------------------- */

/* A quarter of the machine's memory, or MEMORY_MIN where that is more. */
static size_t
default_memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES);
	long page_len = sysconf(_SC_PAGESIZE);

	if (pages <= 0 || page_len <= 0)
		return MEMORY_MIN;
	return MAX((size_t)pages / 4 * (size_t)page_len, MEMORY_MIN);
}

void
network_defaults(struct network_settings *settings)
{
	*settings = (struct network_settings){
		.frame_len_max = 104857600,
		.idle_ms_max = 600000,
		.partial_frame_ms_max = 30000,
		.handshake_ms_max = 10000,
		.in_flight_max = 64,
		.output_len_max = (size_t)1024 * 1024,
		.memory_max = default_memory(),
		.strangers_memory_max = STRANGERS_MEMORY,
		.connections_max = INT32_MAX,
		.connections_per_ip_max = INT32_MAX,
	};
}

static void
init_sets(struct network *network)
{
	int count = loop_group_count(network->loops);

	network->sets = xcalloc((size_t)count, sizeof(*network->sets));
	for (int i = 0; i < count; i++)
		connection_set_init(&network->sets[i], network,
		    loop_group_get(network->loops, i));
}

static void
init_lock(struct network *network)
{
	pthread_condattr_t attributes;

	pthread_mutex_init(&network->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&network->changed, &attributes);
	pthread_condattr_destroy(&attributes);
}

struct network *
network_new(struct loop_group *loops, const struct network_settings *settings,
    struct connection_handler *handler)
{
	struct network *network = xcalloc(1, sizeof(*network));

	assert(settings->in_flight_max > 0);
	network->settings = *settings;
	network->handler = handler;
	network->loops = loops;
	network->admission = admission_new(settings);
	/* Only the admission reads them, and it has its own copy. */
	network->settings.ip_limits = NULL;
	network->settings.ip_limits_count = 0;
	budget_init(&network->budget, settings->memory_max);
	budget_init(&network->strangers_budget,
	    settings->strangers_memory_max);
	network->excess.run = run_excess;
	init_lock(network);
	init_sets(network);
	return network;
}

void
network_free(struct network *network)
{
	if (network == NULL)
		return;
	assert(network->listening == 0);
	/* Owners of exchanges may still come back to what they hold. */
	if (network->alive > 0) {
		log_warn("net", "%zu connections are left as they are",
		    network->alive);
		return;
	}
	for (int i = 0; i < loop_group_count(network->loops); i++)
		connection_set_fini(&network->sets[i]);
	for (size_t i = 0; i < network->listeners_count; i++)
		listener_free(network->listeners[i]);
	free(network->listeners);
	free(network->sets);
	admission_free(network->admission);
	pthread_cond_destroy(&network->changed);
	pthread_mutex_destroy(&network->lock);
	free(network);
}

/* --- Stopping ------------------------------------------------------------ */

static void
run_set_task(struct task *task)
{
	struct set_task *set_task = CONTAINER_OF(task, struct set_task, task);

	set_task->run(set_task->set);
	free(set_task);
}

static void
for_each_set(struct network *network, void (*run)(struct connection_set *set))
{
	for (int i = 0; i < loop_group_count(network->loops); i++) {
		struct set_task *task = xcalloc(1, sizeof(*task));

		task->task.run = run_set_task;
		task->set = &network->sets[i];
		task->run = run;
		loop_post(task->set->loop, &task->task);
	}
}

static struct timespec
moment_of(int64_t ms)
{
	return (struct timespec){
		.tv_sec = (time_t)(ms / 1000),
		.tv_nsec = (long)(ms % 1000 * 1000000),
	};
}

/* Wait until *count is 0 or the moment has come; is it 0?  Lock is held. */
static bool
wait_for_none(struct network *network, const size_t *count, int64_t end_ms)
{
	struct timespec end = moment_of(end_ms);

	while (*count > 0)
		if (pthread_cond_timedwait(&network->changed, &network->lock,
			&end) != 0)
			break;
	return *count == 0;
}

static bool
wait_for_connections(struct network *network, int64_t delay_ms)
{
	bool none;

	pthread_mutex_lock(&network->lock);
	none = wait_for_none(network, &network->alive,
	    clock_monotonic_ms() + delay_ms);
	pthread_mutex_unlock(&network->lock);
	return none;
}

static void
stop_listeners(struct network *network)
{
	pthread_mutex_lock(&network->lock);
	for (size_t i = 0; i < network->listeners_count; i++)
		listener_stop(network->listeners[i]);
	while (network->listening > 0)
		pthread_cond_wait(&network->changed, &network->lock);
	pthread_mutex_unlock(&network->lock);
}

int
network_stop(struct network *network, int64_t deadline_ms)
{
	assert(loop_current() == NULL);
	stop_listeners(network);
	for_each_set(network, connection_set_drain);
	if (wait_for_connections(network, deadline_ms))
		return 0;
	for_each_set(network, connection_set_abort);
	return wait_for_connections(network, RELEASE_MS) ? 0 : -1;
}

/* --- For net's own files ------------------------------------------------- */

const struct network_settings *
network_settings_of(const struct network *network)
{
	return &network->settings;
}

struct connection_handler *
network_handler(const struct network *network)
{
	return network->handler;
}

struct budget *
network_budget(struct network *network)
{
	return &network->budget;
}

struct budget *
network_strangers_budget(struct network *network)
{
	return &network->strangers_budget;
}

bool
network_favour_take(struct network *network)
{
	return !atomic_exchange(&network->favour, true);
}

void
network_favour_give(struct network *network)
{
	atomic_store(&network->favour, false);
}

struct admission *
network_admission(const struct network *network)
{
	return network->admission;
}

struct loop_group *
network_loops(const struct network *network)
{
	return network->loops;
}

struct connection_set *
network_set(const struct network *network, const struct loop *loop)
{
	return &network->sets[loop_index(loop)];
}

void
network_adopt(struct network *network, struct listener *listener)
{
	pthread_mutex_lock(&network->lock);
	network->listeners = xrealloc(network->listeners,
	    (network->listeners_count + 1) * sizeof(*network->listeners));
	network->listeners[network->listeners_count++] = listener;
	network->listening++;
	pthread_mutex_unlock(&network->lock);
}

struct loop *
network_listener_loop(struct network *network)
{
	int count = loop_group_count(network->loops);
	size_t number;

	pthread_mutex_lock(&network->lock);
	number = network->listeners_count;
	pthread_mutex_unlock(&network->lock);
	return loop_group_get(network->loops, (int)(number % (size_t)count));
}

void
network_listener_stopped(struct network *network)
{
	pthread_mutex_lock(&network->lock);
	assert(network->listening > 0);
	network->listening--;
	pthread_cond_broadcast(&network->changed);
	pthread_mutex_unlock(&network->lock);
}

void
network_connection_accepted(struct network *network)
{
	atomic_fetch_add_explicit(&network->accepted, 1,
	    memory_order_relaxed);
	pthread_mutex_lock(&network->lock);
	network->alive++;
	pthread_mutex_unlock(&network->lock);
}

void
network_connection_rejected(struct network *network)
{
	atomic_fetch_add_explicit(&network->rejected, 1,
	    memory_order_relaxed);
}

/* There may be room for more connections. */
static void
wake_listeners(struct network *network)
{
	pthread_mutex_lock(&network->lock);
	for (size_t i = 0; i < network->listeners_count; i++)
		listener_wake(network->listeners[i]);
	pthread_mutex_unlock(&network->lock);
}

/* --- Excess -------------------------------------------------------------- */

static void
post_excess(struct network *network)
{
	loop_post(loop_group_get(network->loops, network->excess_loop),
	    &network->excess);
}

void
network_close_excess(struct network *network)
{
	if (!admission_exceeded(network->admission) ||
	    atomic_exchange(&network->closing_excess, true))
		return;
	network->excess_misses = 0;
	post_excess(network);
}

static void
run_excess(struct task *task)
{
	struct network *network = CONTAINER_OF(task, struct network, excess);
	int count = loop_group_count(network->loops);
	struct connection_set *set = &network->sets[network->excess_loop];

	if (admission_exceeded(network->admission)) {
		network->excess_misses = connection_set_close_oldest(set) ?
		    0 :
		    network->excess_misses + 1;
		network->excess_loop = (network->excess_loop + 1) % count;
		if (network->excess_misses < count) {
			post_excess(network);
			return;
		}
		/* They are on their way, and ask for it when they are there. */
		atomic_store(&network->closing_excess, false);
		return;
	}
	atomic_store(&network->closing_excess, false);
	/* Somebody may have come who found it in use. */
	network_close_excess(network);
}

void
network_set_limits(struct network *network,
    const struct network_settings *settings)
{
	admission_set_limits(network->admission, settings);
	wake_listeners(network);
	network_close_excess(network);
}

void
network_connection_closed(struct network *network, const char *host)
{
	admission_leave(network->admission, host);
	wake_listeners(network);
}

void
network_connection_freed(struct network *network)
{
	pthread_mutex_lock(&network->lock);
	assert(network->alive > 0);
	if (--network->alive == 0)
		pthread_cond_broadcast(&network->changed);
	pthread_mutex_unlock(&network->lock);
}

/* --- Counters ------------------------------------------------------------ */

static void
add_set(const struct connection_counters *from, struct network_counters *to)
{
	to->closed += counter_get(&from->closed);
	to->idle_closed += counter_get(&from->idle_closed);
	to->deadline_closed += counter_get(&from->deadline_closed);
	to->bad_frames += counter_get(&from->bad_frames);
	to->frames += counter_get(&from->frames);
	to->reads += counter_get(&from->reads);
	to->read_bytes += counter_get(&from->read_bytes);
	to->parks += counter_get(&from->parks);
	to->parked_bytes += counter_get(&from->parked_bytes);
	to->pauses += counter_get(&from->pauses);
	to->budget_waits += counter_get(&from->budget_waits);
	to->moves += counter_get(&from->moves);
	to->sendfiles += counter_get(&from->out.sendfiles);
	to->writes += counter_get(&from->out.writes) +
	    counter_get(&from->out.sendfiles);
	to->written_bytes += counter_get(&from->out.written_bytes);
	to->sendfile_bytes += counter_get(&from->out.sendfile_bytes);
	to->preads += counter_get(&from->out.preads);
	to->pread_bytes += counter_get(&from->out.pread_bytes);
}

static void
add_loop(const struct loop_counters *from, struct network_counters *to)
{
	to->passes += counter_get(&from->passes);
	to->wakeups += counter_get(&from->wakeups);
	to->tasks += counter_get(&from->tasks);
	to->timers += counter_get(&from->timers);
}

void
network_counters(const struct network *network,
    struct network_counters *counters)
{
	*counters = (struct network_counters){
		.accepted = atomic_load(&network->accepted),
		.rejected = atomic_load(&network->rejected),
		.connections =
		    (uint64_t)admission_count(network->admission),
		.memory_bytes = atomic_load(&network->budget.used) +
		    atomic_load(&network->strangers_budget.used),
	};
	for (int i = 0; i < loop_group_count(network->loops); i++) {
		add_set(&network->sets[i].counters, counters);
		add_loop(loop_counters(loop_group_get(network->loops, i)),
		    counters);
	}
}
