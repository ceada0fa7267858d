#include "base/base.h"
#include "store/cleaner.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "store/checkpoint.h"
#include "store/log.h"
#include "store/log_clean.h"
#include "store/log_manager_internal.h"

#include <errno.h>
#include <float.h>
#include <time.h>

#define LOGGER "kafka.log.LogCleaner"

/* However small the settings: room to work. */
#define BUFFER_LEN_MIN ((size_t)4 << 10)
/* And however large: Kafka's limit for a thread. */
#define MEMORY_MAX INT32_MAX

struct cleaner_thread {
	struct cleaner *cleaner;
	int index;
	pthread_t thread;
	bool started; /* to be joined */
	bool running;
};

struct cleaner {
	struct log_manager *manager; /* immutable */

	pthread_mutex_t mutex;
	/* Guarded by mutex. */
	pthread_cond_t wake;
	struct cleaner_settings settings;
	struct cleaner_thread **threads; /* owned */
	int thread_count;                /* of threads, ended ones too */
	int64_t next_us; /* when I/O is within its limit again */
	bool on;                         /* between start and stop */
};

/* What one round of a thread needs. */
struct turn {
	struct cleaner *cleaner;
	int index; /* of the thread; -1: none of ours */
};

void
cleaner_settings_init(struct cleaner_settings *settings)
{
	*settings = (struct cleaner_settings){
		.enabled = true,
		.thread_count = 1,
		.memory_bytes = 128 << 20,
		.map_load_factor = 0.9,
		.buffer_bytes = 512 << 10,
		.bytes_per_second_max = DBL_MAX,
		.backoff_ms = 15000,
	};
}

struct cleaner *
cleaner_new(struct log_manager *manager)
{
	struct cleaner *cleaner = xcalloc(1, sizeof(*cleaner));
	pthread_condattr_t attributes;

	cleaner->manager = manager;
	cleaner_settings_init(&cleaner->settings);
	pthread_mutex_init(&cleaner->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&cleaner->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	return cleaner;
}

void
cleaner_free(struct cleaner *cleaner)
{
	if (cleaner == NULL)
		return;
	cleaner_stop(cleaner);
	pthread_cond_destroy(&cleaner->wake);
	pthread_mutex_destroy(&cleaner->mutex);
	free(cleaner);
}

/* --- Waiting -------------------------------------------------------------- */

/* Has the thread work to do?  mutex. */
static bool
is_wanted(const struct turn *turn)
{
	const struct cleaner *cleaner = turn->cleaner;

	if (turn->index < 0)
		return true;
	return cleaner->on && turn->index < cleaner->settings.thread_count;
}

/* Sleep until due_us, or until somebody wakes all.  mutex. */
static void
sleep_until(struct cleaner *cleaner, int64_t due_us)
{
	struct timespec until = { .tv_sec = (time_t)(due_us / 1000000),
		.tv_nsec = (long)(due_us % 1000000 * 1000) };

	pthread_cond_timedwait(&cleaner->wake, &cleaner->mutex, &until);
}

/* Book bytes of I/O; the moment from which they are within the limit. */
static int64_t
book(struct cleaner *cleaner, size_t bytes, int64_t now_us)
{
	double rate = cleaner->settings.bytes_per_second_max;
	double took_us = (double)bytes * 1e6;

	/* Below 1, or no number: one byte a second. */
	if (rate > 1)
		took_us /= rate;

	cleaner->next_us = MAX(cleaner->next_us, now_us) +
	    (int64_t)MIN(took_us, (double)INT32_MAX * 1e3);
	return cleaner->next_us;
}

/* For log_clean_round. */
static bool
pace(void *context, size_t bytes)
{
	const struct turn *turn = context;
	struct cleaner *cleaner = turn->cleaner;
	int64_t due_us;
	bool wanted;

	pthread_mutex_lock(&cleaner->mutex);
	due_us = book(cleaner, bytes, clock_monotonic_us());
	/* What is booked goes back when the limit changes. */
	while ((wanted = is_wanted(turn)) && cleaner->next_us >= due_us &&
	    clock_monotonic_us() < due_us)
		sleep_until(cleaner, due_us);
	pthread_mutex_unlock(&cleaner->mutex);
	return wanted;
}

/* --- Checkpoint ----------------------------------------------------------- */

int
cleaner_checkpoint(const struct log_manager *manager, struct managed_dir *home,
    const struct log_manager_view *view)
{
	struct checkpoint checkpoint;
	int result, error;

	checkpoint_init(&checkpoint);
	for (size_t i = 0; i < view->count; i++) {
		const struct managed_log *entry = view->logs[i];
		int64_t offset;

		if (!managed_log_in(entry, home))
			continue;
		log_lock(entry->log);
		offset = log_clean_offset(entry->log);
		log_unlock(entry->log);
		if (offset >= 0)
			checkpoint_add(&checkpoint, slice_str(entry->topic),
			    entry->partition, offset);
	}
	log_manager_lost_add(
	    manager, home, LOG_DIR_CLEANER_POINTS, &checkpoint);
	result = log_dir_checkpoint_write(
	    home->dir, LOG_DIR_CLEANER_POINTS, &checkpoint);
	error = errno;
	checkpoint_fini(&checkpoint);
	errno = error;
	return result;
}

static void
checkpoint(struct cleaner *cleaner, struct managed_dir *home)
{
	struct log_manager *manager = cleaner->manager;
	struct log_manager_view view;
	int error = 0;

	log_manager_upkeep_take(manager);
	view = log_manager_view_take(manager);
	if (!home->offline && cleaner_checkpoint(manager, home, &view) < 0)
		error = errno;
	log_manager_view_release(manager, &view);
	log_manager_upkeep_release(manager);
	if (error != 0)
		log_manager_dir_error(manager, home, error);
}

/* --- A round -------------------------------------------------------------- */

/* The log that is to be cleaned first, or NULL. */
static struct managed_log *
pick(const struct log_manager_view *view, int64_t now_ms)
{
	struct managed_log *best = NULL;
	double best_ratio = -1;

	for (size_t i = 0; i < view->count; i++) {
		struct managed_log *entry = view->logs[i];
		struct log_clean_state state;

		if (!entry->home->offline &&
		    log_clean_look(entry->log, now_ms, &state) &&
		    state.dirty_ratio > best_ratio) {
			best = entry;
			best_ratio = state.dirty_ratio;
		}
	}
	return best;
}

static struct log_clean_round
round_of(struct turn *turn, int64_t now_ms)
{
	struct cleaner *cleaner = turn->cleaner;
	struct cleaner_settings settings;
	int64_t threads;

	pthread_mutex_lock(&cleaner->mutex);
	settings = cleaner->settings;
	pthread_mutex_unlock(&cleaner->mutex);
	threads = MAX(1, settings.thread_count);
	return (struct log_clean_round){
		.memory_max = (size_t)MIN(
		    MAX(0, settings.memory_bytes / threads), MEMORY_MAX),
		.map_load_factor = settings.map_load_factor,
		.buffer_len = MAX(BUFFER_LEN_MIN,
		    (size_t)MAX(0, settings.buffer_bytes / threads / 2)),
		.now_ms = now_ms,
		.pace = pace,
		.context = turn,
	};
}

/* Make more to clean of what internal topics do not need any more. */
static void
roll(struct cleaner *cleaner, const struct log_manager_view *view)
{
	struct log_manager *manager = cleaner->manager;
	int64_t now_ms = clock_wall_ms();

	for (size_t i = 0; i < view->count; i++) {
		struct managed_log *entry = view->logs[i];

		if (entry->home->offline)
			continue;
		log_manager_upkeep_take(manager);
		if (!entry->deleted)
			log_clean_roll(entry->log, now_ms);
		log_manager_upkeep_release(manager);
	}
}

/* Clean one log; false where there was none to clean. */
static bool
clean_one(struct turn *turn, const struct log_manager_view *view)
{
	int64_t now_ms = clock_wall_ms();
	struct log_clean_round round = round_of(turn, now_ms);
	struct managed_log *entry = pick(view, now_ms);
	struct log_clean_stats stats;

	if (entry == NULL ||
	    log_clean(entry->log, &round, &stats) != LOG_CLEAN_DONE)
		return false;
	checkpoint(turn->cleaner, entry->home);
	return true;
}

static bool
is_compacted(struct log *log)
{
	bool compacted;

	log_lock(log);
	compacted = log_settings(log)->cleanup_compact;
	log_unlock(log);
	return compacted;
}

/* What retention takes from compacted logs, now that nobody cleans them. */
static void
retain(struct cleaner *cleaner, const struct log_manager_view *view)
{
	struct log_manager *manager = cleaner->manager;
	int64_t now_ms = clock_wall_ms();

	for (size_t i = 0; i < view->count; i++) {
		struct managed_log *entry = view->logs[i];
		int error = 0;

		if (entry->home->offline || !is_compacted(entry->log))
			continue;
		log_manager_upkeep_take(manager);
		if (!entry->deleted && log_retain(entry->log, now_ms) < 0)
			error = errno;
		log_manager_upkeep_release(manager);
		if (error != 0)
			log_manager_dir_error(manager, entry->home, error);
	}
}

static bool
take_turn(struct turn *turn)
{
	struct log_manager_view view =
	    log_manager_view_take(turn->cleaner->manager);
	bool cleaned;

	roll(turn->cleaner, &view);
	cleaned = clean_one(turn, &view);
	retain(turn->cleaner, &view);
	log_manager_view_release(turn->cleaner->manager, &view);
	return cleaned;
}

bool
cleaner_run(struct cleaner *cleaner)
{
	struct turn turn = { .cleaner = cleaner, .index = -1 };

	return take_turn(&turn);
}

/* --- Threads -------------------------------------------------------------- */

/* Sleep for the backoff; settings may be other ones meanwhile. */
static void
back_off(const struct turn *turn)
{
	struct cleaner *cleaner = turn->cleaner;
	int64_t since_ms = clock_monotonic_ms();
	int64_t due_ms;

	pthread_mutex_lock(&cleaner->mutex);
	while (is_wanted(turn)) {
		due_ms = log_manager_after(
		    since_ms, cleaner->settings.backoff_ms);
		if (clock_monotonic_ms() >= due_ms)
			break;
		sleep_until(cleaner, MIN(due_ms, INT64_MAX / 1000) * 1000);
	}
	pthread_mutex_unlock(&cleaner->mutex);
}

/* False, once, where the thread has to end. */
static bool
goes_on(struct cleaner_thread *thread, const struct turn *turn)
{
	bool wanted;

	pthread_mutex_lock(&thread->cleaner->mutex);
	wanted = is_wanted(turn);
	thread->running = wanted;
	pthread_mutex_unlock(&thread->cleaner->mutex);
	return wanted;
}

static void *
thread_main(void *argument)
{
	struct cleaner_thread *thread = argument;
	struct turn turn = {
		.cleaner = thread->cleaner,
		.index = thread->index,
	};

	while (goes_on(thread, &turn)) {
		if (!take_turn(&turn))
			back_off(&turn);
	}
	return NULL;
}

/* mutex. */
static struct cleaner_thread *
thread_at(struct cleaner *cleaner, int index)
{
	struct cleaner_thread *thread;

	if (index < cleaner->thread_count)
		return cleaner->threads[index];
	thread = xcalloc(1, sizeof(*thread));
	thread->cleaner = cleaner;
	thread->index = index;
	cleaner->threads = xrealloc(cleaner->threads,
	    (size_t)(index + 1) * sizeof(struct cleaner_thread *));
	cleaner->threads[index] = thread;
	cleaner->thread_count = index + 1;
	return thread;
}

/* Have as many threads as the settings say.  mutex. */
static void
threads_start(struct cleaner *cleaner)
{
	for (int i = 0; i < cleaner->settings.thread_count; i++) {
		struct cleaner_thread *thread = thread_at(cleaner, i);

		if (thread->running)
			continue;
		if (thread->started)
			pthread_join(thread->thread, NULL);
		thread->running = thread_start(&thread->thread, "log-cleaner",
				      thread_main, thread) == 0;
		thread->started = thread->running;
		if (!thread->running)
			log_error(LOGGER, "Cannot start a thread: %s",
			    strerror(errno));
	}
}

void
cleaner_start(struct cleaner *cleaner)
{
	pthread_mutex_lock(&cleaner->mutex);
	cleaner->on = cleaner->settings.enabled;
	if (cleaner->on)
		threads_start(cleaner);
	pthread_mutex_unlock(&cleaner->mutex);
}

void
cleaner_stop(struct cleaner *cleaner)
{
	pthread_mutex_lock(&cleaner->mutex);
	cleaner->on = false;
	pthread_cond_broadcast(&cleaner->wake);
	pthread_mutex_unlock(&cleaner->mutex);
	for (int i = 0; i < cleaner->thread_count; i++) {
		if (cleaner->threads[i]->started)
			pthread_join(cleaner->threads[i]->thread, NULL);
		free(cleaner->threads[i]);
	}
	free(cleaner->threads);
	cleaner->threads = NULL;
	cleaner->thread_count = 0;
}

void
cleaner_configure(
    struct cleaner *cleaner, const struct cleaner_settings *settings)
{
	pthread_mutex_lock(&cleaner->mutex);
	cleaner->settings = *settings;
	cleaner->next_us = 0;
	if (cleaner->on)
		threads_start(cleaner);
	pthread_cond_broadcast(&cleaner->wake);
	pthread_mutex_unlock(&cleaner->mutex);
}
