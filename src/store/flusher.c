#include "base/base.h"
#include "store/flusher.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "store/disk.h"
#include "store/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <time.h>

#define LOGGER "kafka.log.LogManager"

/* Until it tries again what there was no descriptor for. */
#define AGAIN_MS 100

/* The syncs of one round, with the file system they go to. */
struct round_item {
	struct log_flush flush;
	struct flush_link *link;
	dev_t device;
	bool placed; /* device is known */
	int fd;      /* the first one's on that file system, or -1 */
	bool dirty;  /* begun, and not ended yet */
	bool again;  /* no descriptor was left for it */
};

/* A thread, and the logs whose syncs wait for each other. */
struct lane {
	/* immutable */
	pthread_t thread;
	bool syncfs_safe;

	/* guarded by lock */
	pthread_mutex_t lock;
	pthread_cond_t submitted;
	pthread_cond_t round_done;
	struct list queue;
	size_t queue_len;
	size_t waiters; /* callers that wait for round_done */
	bool waiting;   /* the thread waits for submitted */
	bool pausing;   /* what is queued was tried in vain just now */
	bool stopping;
	struct flusher_counters counters;

	/* the thread's */
	struct round_item *items; /* owned */
	size_t item_capacity;
	struct flusher_counters round; /* of this round, added at its end */
};

/*
 * Before Linux 5.8 syncfs succeeds although pages could not be written, and
 * an acknowledgement would be a lie.
 */
static bool
syncfs_reports_errors(void)
{
	struct utsname name;
	int major = 0, minor = 0;

	if (uname(&name) < 0 ||
	    sscanf(name.release, "%d.%d", &major, &minor) != 2)
		return false;
	return major > 5 || (major == 5 && minor >= 8);
}

struct flusher {
	/* NULL until a log needs it; one that cannot be had is lane 0. */
	_Atomic(struct lane *) lanes[FLUSHER_LANES_MAX];
	pthread_mutex_t lock; /* taken to begin one */
};

/* --- one round ----------------------------------------------------------- */

/* Take the queue; the number of items.  Locked. */
static size_t
round_take(struct lane *lane)
{
	size_t count = 0;
	struct list_node *node;

	if (lane->item_capacity < lane->queue_len) {
		lane->item_capacity = lane->queue_len * 2;
		free(lane->items);
		lane->items =
		    xcalloc(lane->item_capacity, sizeof(*lane->items));
	}
	while ((node = list_pop(&lane->queue)) != NULL) {
		struct flush_link *link =
		    LIST_ENTRY(node, struct flush_link, node);

		link->queued = false;
		link->again = false;
		link->syncing = true;
		lane->items[count++] =
		    (struct round_item){ .link = link, .fd = -1 };
	}
	assert(count == lane->queue_len);
	lane->queue_len = 0;
	return count;
}

static void
link_queue(struct lane *lane, struct flush_link *link)
{
	link->queued = true;
	list_append(&lane->queue, &link->node);
	lane->queue_len++;
}

/* The log is free again, or waits for the next try.  Locked. */
static void
item_finish(struct lane *lane, const struct round_item *item)
{
	struct flush_link *link = item->link;

	link->syncing = false;
	if (!item->again || link->queued)
		return;
	link->again = true;
	link_queue(lane, link);
	lane->pausing = true;
}

/* Give the logs free again, and wake who waits for that. */
static void
round_finish(struct lane *lane, size_t count)
{
	pthread_mutex_lock(&lane->lock);
	for (size_t i = 0; i < count; i++)
		item_finish(lane, &lane->items[i]);
	lane->counters.rounds++;
	lane->counters.logs += lane->round.logs;
	lane->counters.syncs += lane->round.syncs;
	lane->counters.syncfs_calls += lane->round.syncfs_calls;
	lane->counters.failures += lane->round.failures;
	if (lane->waiters > 0)
		pthread_cond_broadcast(&lane->round_done);
	pthread_mutex_unlock(&lane->lock);
	lane->round = (struct flusher_counters){ 0 };
}

/* Ask each log what is dirty; how many syncs that would be, one by one. */
static size_t
round_begin(struct lane *lane, size_t count)
{
	size_t syncs = 0;

	for (size_t i = 0; i < count; i++) {
		struct round_item *item = &lane->items[i];

		item->dirty = log_flush_begin(
		    log_of_flush_link(item->link), &item->flush);
		if (!item->dirty)
			continue;
		lane->round.logs++;
		syncs += item->flush.sync_count;
	}
	return syncs;
}

/* The log is durable now, or offline, or has to be tried again. */
static void
item_end(struct lane *lane, struct round_item *item, int error)
{
	item->dirty = false;
	item->again = disk_is_busy(error);
	lane->round.failures += error != 0 && !item->again;
	log_flush_end(&item->flush, error);
}

static void
item_sync(struct lane *lane, struct round_item *item)
{
	int error = 0;

	lane->round.syncs += item->flush.sync_count;
	if (log_flush_sync(&item->flush) < 0)
		error = errno;
	item_end(lane, item, error);
}

/* Is the item the first one that is known to be on its file system? */
static bool
is_lead(const struct lane *lane, const struct round_item *item)
{
	const struct round_item *other = lane->items;

	while (!other->placed || other->device != item->device)
		other++;
	return other == item;
}

/*
 * Find out which file system an item's files are on.  One descriptor is kept
 * for each: there may be more logs than the process may have open files.
 */
static void
item_place(const struct lane *lane, struct round_item *item)
{
	struct stat st;
	int fd = log_flush_fd(&item->flush);

	if (fd < 0)
		return;
	if (disk_fstat(log_disk(item->flush.log), fd, &st) == 0) {
		item->placed = true;
		item->device = st.st_dev;
	}
	if (item->placed && is_lead(lane, item))
		item->fd = fd;
	else
		log_flush_fd_release(&item->flush);
}

static bool
items_together(const struct round_item *a, const struct round_item *b)
{
	return a->dirty && b->dirty && a->placed && b->placed &&
	    a->device == b->device;
}

/* Sync the file system of first, and with it all items that are on it. */
static void
group_sync(struct lane *lane, struct round_item *first, size_t count)
{
	struct disk *disk = log_disk(first->flush.log);
	struct round_item lead = *first;
	int error = 0;

	/* Those that are first to be alone leave ever fewer together. */
	assert(lead.fd >= 0);
	lane->round.syncfs_calls++;
	if (disk_syncfs(disk, lead.fd) < 0) {
		error = errno;
		log_error(LOGGER, "Cannot sync the file system of %s: %s",
		    log_name(lead.flush.log), strerror(error));
	}
	for (size_t i = 0; i < count; i++) {
		if (items_together(&lead, first + i))
			item_end(lane, first + i, error);
	}
}

/*
 * Many files of one file system are cheaper together; what is alone on its
 * file system, or whose file system is not known, goes one by one.
 */
static void
round_sync_grouped(struct lane *lane, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (lane->items[i].dirty)
			item_place(lane, &lane->items[i]);
	}
	for (size_t i = 0; i < count; i++) {
		struct round_item *first = &lane->items[i];
		size_t syncs = 0;

		if (!first->dirty)
			continue;
		for (size_t j = i; j < count; j++) {
			if (items_together(first, &lane->items[j]))
				syncs += lane->items[j].flush.sync_count;
		}
		if (syncs > FLUSHER_SYNCFS_ABOVE)
			group_sync(lane, first, count - i);
		else
			item_sync(lane, first);
	}
}

static void
round_run(struct lane *lane, size_t count)
{
	size_t syncs = round_begin(lane, count);

	if (syncs > FLUSHER_SYNCFS_ABOVE && lane->syncfs_safe) {
		round_sync_grouped(lane, count);
	} else {
		for (size_t i = 0; i < count; i++) {
			if (lane->items[i].dirty)
				item_sync(lane, &lane->items[i]);
		}
	}
	round_finish(lane, count);
}

/* Sleep once, for as long as nothing is submitted.  Locked. */
static void
pause_between(struct lane *lane)
{
	int64_t until_ms = clock_monotonic_ms() + AGAIN_MS;
	struct timespec until = { .tv_sec = (time_t)(until_ms / 1000),
		.tv_nsec = (long)(until_ms % 1000 * 1000000) };

	pthread_cond_timedwait(&lane->submitted, &lane->lock, &until);
	lane->pausing = false;
}

/* Sleep until there is something to do.  Locked. */
static void
work_wait(struct lane *lane)
{
	lane->waiting = true;
	if (lane->pausing && !lane->stopping)
		pause_between(lane);
	while (lane->queue_len == 0 && !lane->stopping)
		pthread_cond_wait(&lane->submitted, &lane->lock);
	lane->waiting = false;
}

static void *
lane_main(void *argument)
{
	struct lane *lane = argument;
	size_t count;

	for (;;) {
		pthread_mutex_lock(&lane->lock);
		work_wait(lane);
		count = round_take(lane);
		pthread_mutex_unlock(&lane->lock);
		if (count == 0)
			return NULL;
		round_run(lane, count);
	}
}

/* --- life ---------------------------------------------------------------- */

static struct lane *
lane_new(void)
{
	struct lane *lane = xcalloc(1, sizeof(*lane));
	pthread_condattr_t attributes;

	lane->syncfs_safe = syncfs_reports_errors();
	pthread_mutex_init(&lane->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&lane->submitted, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_cond_init(&lane->round_done, NULL);
	list_init(&lane->queue);
	if (thread_start(&lane->thread, "flusher", lane_main, lane) == 0)
		return lane;
	free(lane);
	return NULL;
}

static void
lane_free(struct lane *lane)
{
	pthread_mutex_lock(&lane->lock);
	lane->stopping = true;
	pthread_cond_signal(&lane->submitted);
	pthread_mutex_unlock(&lane->lock);
	pthread_join(lane->thread, NULL);
	assert(list_empty(&lane->queue));
	pthread_cond_destroy(&lane->round_done);
	pthread_cond_destroy(&lane->submitted);
	pthread_mutex_destroy(&lane->lock);
	free(lane->items);
	free(lane);
}

/* Wait for the end of a round.  Locked. */
static void
round_wait(struct lane *lane)
{
	lane->waiters++;
	pthread_cond_wait(&lane->round_done, &lane->lock);
	lane->waiters--;
}

/* Locked. */
static void
link_unqueue(struct lane *lane, struct flush_link *link)
{
	if (!link->queued)
		return;
	link->queued = false;
	link->again = false;
	list_remove(&link->node);
	lane->queue_len--;
}

/* Have no round hold it, nor take it.  Locked. */
static void
link_forget(struct lane *lane, struct flush_link *link)
{
	link_unqueue(lane, link);
	while (link->syncing) {
		round_wait(lane);
		link_unqueue(lane, link);
	}
}

static struct flusher_counters
lane_counters(struct lane *lane)
{
	struct flusher_counters counters;

	pthread_mutex_lock(&lane->lock);
	counters = lane->counters;
	pthread_mutex_unlock(&lane->lock);
	return counters;
}

/* --- the lanes ----------------------------------------------------------- */

struct flusher *
flusher_new(void)
{
	struct flusher *flusher = xcalloc(1, sizeof(*flusher));
	struct lane *lane = lane_new();

	if (lane == NULL) {
		free(flusher);
		return NULL;
	}
	atomic_store(&flusher->lanes[0], lane);
	pthread_mutex_init(&flusher->lock, NULL);
	return flusher;
}

void
flusher_free(struct flusher *flusher)
{
	struct lane *first;

	if (flusher == NULL)
		return;
	first = atomic_load(&flusher->lanes[0]);
	for (size_t i = 1; i < FLUSHER_LANES_MAX; i++) {
		struct lane *lane = atomic_load(&flusher->lanes[i]);

		if (lane != NULL && lane != first)
			lane_free(lane);
	}
	lane_free(first);
	pthread_mutex_destroy(&flusher->lock);
	free(flusher);
}

/* Begin the thread of a lane, unless somebody did. */
static struct lane *
lane_begin(struct flusher *flusher, size_t number)
{
	struct lane *lane;

	pthread_mutex_lock(&flusher->lock);
	lane = atomic_load(&flusher->lanes[number]);
	if (lane == NULL) {
		lane = lane_new();
		if (lane == NULL)
			lane = atomic_load(&flusher->lanes[0]);
		atomic_store(&flusher->lanes[number], lane);
	}
	pthread_mutex_unlock(&flusher->lock);
	return lane;
}

static struct lane *
lane_of(struct flusher *flusher, size_t directory)
{
	size_t number = directory % FLUSHER_LANES_MAX;
	struct lane *lane = atomic_load(&flusher->lanes[number]);

	return lane != NULL ? lane : lane_begin(flusher, number);
}

/* Lock the lane of a log, which does not change while it is locked. */
static struct lane *
lane_lock(struct flusher *flusher, const struct flush_link *link)
{
	for (;;) {
		size_t directory = atomic_load(&link->lane);
		struct lane *lane = lane_of(flusher, directory);

		pthread_mutex_lock(&lane->lock);
		if (atomic_load(&link->lane) == directory)
			return lane;
		pthread_mutex_unlock(&lane->lock);
	}
}

void
flusher_submit(struct flusher *flusher, struct log *log)
{
	struct flush_link *link = log_flush_link(log);
	struct lane *lane = lane_lock(flusher, link);
	bool wake = false;

	if (!link->queued) {
		link_queue(lane, link);
		wake = lane->waiting;
	}
	pthread_mutex_unlock(&lane->lock);
	if (wake)
		pthread_cond_signal(&lane->submitted);
}

void
flusher_forget(struct flusher *flusher, struct log *log)
{
	struct flush_link *link = log_flush_link(log);
	struct lane *lane = lane_lock(flusher, link);

	link_forget(lane, link);
	pthread_mutex_unlock(&lane->lock);
}

void
flusher_drain(struct flusher *flusher, struct log *log)
{
	const struct flush_link *link = log_flush_link(log);
	struct lane *lane = lane_lock(flusher, link);

	while (link->syncing || (link->queued && !link->again))
		round_wait(lane);
	pthread_mutex_unlock(&lane->lock);
}

void
flusher_move(struct flusher *flusher, struct log *log, size_t directory)
{
	struct flush_link *link = log_flush_link(log);
	struct lane *lane = lane_lock(flusher, link);

	link_forget(lane, link);
	atomic_store(&link->lane, directory);
	pthread_mutex_unlock(&lane->lock);
	/* Whatever was dropped, and a log that is clean costs nothing. */
	flusher_submit(flusher, log);
}

struct flusher_counters
flusher_counters(struct flusher *flusher)
{
	struct flusher_counters sum = { 0 };
	struct lane *first = atomic_load(&flusher->lanes[0]);

	for (size_t i = 0; i < FLUSHER_LANES_MAX; i++) {
		struct lane *lane = atomic_load(&flusher->lanes[i]);
		struct flusher_counters one;

		if (lane == NULL || (i > 0 && lane == first))
			continue;
		one = lane_counters(lane);
		sum.rounds += one.rounds;
		sum.logs += one.logs;
		sum.syncs += one.syncs;
		sum.syncfs_calls += one.syncfs_calls;
		sum.failures += one.failures;
	}
	return sum;
}
