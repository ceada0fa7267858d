#include "base/base.h"
#include "store/flusher.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "store/disk.h"
#include "store/log.h"

#include <errno.h>
#include <pthread.h>
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
	int fd;     /* on that file system, or -1 */
	bool dirty; /* begun, and not ended yet */
	bool again; /* no descriptor was left for it */
};

struct flusher {
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

/* --- one round ----------------------------------------------------------- */

/* Take the queue; the number of items.  Locked. */
static size_t
round_take(struct flusher *flusher)
{
	size_t count = 0;
	struct list_node *node;

	if (flusher->item_capacity < flusher->queue_len) {
		flusher->item_capacity = flusher->queue_len * 2;
		free(flusher->items);
		flusher->items =
		    xcalloc(flusher->item_capacity, sizeof(*flusher->items));
	}
	while ((node = list_pop(&flusher->queue)) != NULL) {
		struct flush_link *link =
		    LIST_ENTRY(node, struct flush_link, node);

		link->queued = false;
		link->again = false;
		link->syncing = true;
		flusher->items[count++] =
		    (struct round_item){ .link = link, .fd = -1 };
	}
	assert(count == flusher->queue_len);
	flusher->queue_len = 0;
	return count;
}

static void
link_queue(struct flusher *flusher, struct flush_link *link)
{
	link->queued = true;
	list_append(&flusher->queue, &link->node);
	flusher->queue_len++;
}

/* The log is free again, or waits for the next try.  Locked. */
static void
item_finish(struct flusher *flusher, const struct round_item *item)
{
	struct flush_link *link = item->link;

	link->syncing = false;
	if (!item->again || link->queued)
		return;
	link->again = true;
	link_queue(flusher, link);
	flusher->pausing = true;
}

/* Give the logs free again, and wake who waits for that. */
static void
round_finish(struct flusher *flusher, size_t count)
{
	pthread_mutex_lock(&flusher->lock);
	for (size_t i = 0; i < count; i++)
		item_finish(flusher, &flusher->items[i]);
	flusher->counters.rounds++;
	flusher->counters.logs += flusher->round.logs;
	flusher->counters.syncs += flusher->round.syncs;
	flusher->counters.syncfs_calls += flusher->round.syncfs_calls;
	flusher->counters.failures += flusher->round.failures;
	if (flusher->waiters > 0)
		pthread_cond_broadcast(&flusher->round_done);
	pthread_mutex_unlock(&flusher->lock);
	flusher->round = (struct flusher_counters){ 0 };
}

/* Ask each log what is dirty; how many syncs that would be, one by one. */
static size_t
round_begin(struct flusher *flusher, size_t count)
{
	size_t syncs = 0;

	for (size_t i = 0; i < count; i++) {
		struct round_item *item = &flusher->items[i];

		item->dirty = log_flush_begin(
		    log_of_flush_link(item->link), &item->flush);
		if (!item->dirty)
			continue;
		flusher->round.logs++;
		syncs += item->flush.sync_count;
	}
	return syncs;
}

/* The log is durable now, or offline, or has to be tried again. */
static void
item_end(struct flusher *flusher, struct round_item *item, int error)
{
	item->dirty = false;
	item->again = disk_is_busy(error);
	flusher->round.failures += error != 0 && !item->again;
	log_flush_end(&item->flush, error);
}

static void
item_sync(struct flusher *flusher, struct round_item *item)
{
	int error = 0;

	flusher->round.syncs += item->flush.sync_count;
	if (log_flush_sync(&item->flush) < 0)
		error = errno;
	item_end(flusher, item, error);
}

/* Find out which file system an item's files are on. */
static void
item_device_find(struct round_item *item)
{
	struct stat st;
	int fd = log_flush_fd(&item->flush);

	if (fd < 0 || disk_fstat(log_disk(item->flush.log), fd, &st) < 0)
		return;
	item->fd = fd;
	item->device = st.st_dev;
}

static bool
items_together(const struct round_item *a, const struct round_item *b)
{
	return a->dirty && b->dirty && a->fd >= 0 && b->fd >= 0 &&
	    a->device == b->device;
}

/* Sync the file system of first, and with it all items that are on it. */
static void
group_sync(struct flusher *flusher, struct round_item *first, size_t count)
{
	struct disk *disk = log_disk(first->flush.log);
	struct round_item lead = *first;
	int error = 0;

	flusher->round.syncfs_calls++;
	if (disk_syncfs(disk, lead.fd) < 0) {
		error = errno;
		log_error(LOGGER, "Cannot sync the file system of %s: %s",
		    log_name(lead.flush.log), strerror(error));
	}
	for (size_t i = 0; i < count; i++) {
		if (items_together(&lead, first + i))
			item_end(flusher, first + i, error);
	}
}

/*
 * Many files of one file system are cheaper together; what is alone on its
 * file system, or whose file system is not known, goes one by one.
 */
static void
round_sync_grouped(struct flusher *flusher, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (flusher->items[i].dirty)
			item_device_find(&flusher->items[i]);
	}
	for (size_t i = 0; i < count; i++) {
		struct round_item *first = &flusher->items[i];
		size_t syncs = 0;

		if (!first->dirty)
			continue;
		for (size_t j = i; j < count; j++) {
			if (items_together(first, &flusher->items[j]))
				syncs += flusher->items[j].flush.sync_count;
		}
		if (syncs > FLUSHER_SYNCFS_ABOVE)
			group_sync(flusher, first, count - i);
		else
			item_sync(flusher, first);
	}
}

static void
round_run(struct flusher *flusher, size_t count)
{
	size_t syncs = round_begin(flusher, count);

	if (syncs > FLUSHER_SYNCFS_ABOVE && flusher->syncfs_safe) {
		round_sync_grouped(flusher, count);
	} else {
		for (size_t i = 0; i < count; i++) {
			if (flusher->items[i].dirty)
				item_sync(flusher, &flusher->items[i]);
		}
	}
	round_finish(flusher, count);
}

/* Sleep once, for as long as nothing is submitted.  Locked. */
static void
pause_between(struct flusher *flusher)
{
	int64_t until_ms = clock_monotonic_ms() + AGAIN_MS;
	struct timespec until = { .tv_sec = (time_t)(until_ms / 1000),
		.tv_nsec = (long)(until_ms % 1000 * 1000000) };

	pthread_cond_timedwait(&flusher->submitted, &flusher->lock, &until);
	flusher->pausing = false;
}

/* Sleep until there is something to do.  Locked. */
static void
work_wait(struct flusher *flusher)
{
	flusher->waiting = true;
	if (flusher->pausing && !flusher->stopping)
		pause_between(flusher);
	while (flusher->queue_len == 0 && !flusher->stopping)
		pthread_cond_wait(&flusher->submitted, &flusher->lock);
	flusher->waiting = false;
}

static void *
flusher_main(void *argument)
{
	struct flusher *flusher = argument;
	size_t count;

	for (;;) {
		pthread_mutex_lock(&flusher->lock);
		work_wait(flusher);
		count = round_take(flusher);
		pthread_mutex_unlock(&flusher->lock);
		if (count == 0)
			return NULL;
		round_run(flusher, count);
	}
}

/* --- life ---------------------------------------------------------------- */

struct flusher *
flusher_new(void)
{
	struct flusher *flusher = xcalloc(1, sizeof(*flusher));
	pthread_condattr_t attributes;

	flusher->syncfs_safe = syncfs_reports_errors();
	pthread_mutex_init(&flusher->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&flusher->submitted, &attributes);
	pthread_condattr_destroy(&attributes);
	pthread_cond_init(&flusher->round_done, NULL);
	list_init(&flusher->queue);
	if (thread_start(&flusher->thread, "flusher", flusher_main, flusher) ==
	    0)
		return flusher;
	free(flusher);
	return NULL;
}

void
flusher_free(struct flusher *flusher)
{
	if (flusher == NULL)
		return;
	pthread_mutex_lock(&flusher->lock);
	flusher->stopping = true;
	pthread_cond_signal(&flusher->submitted);
	pthread_mutex_unlock(&flusher->lock);
	pthread_join(flusher->thread, NULL);
	assert(list_empty(&flusher->queue));
	pthread_cond_destroy(&flusher->round_done);
	pthread_cond_destroy(&flusher->submitted);
	pthread_mutex_destroy(&flusher->lock);
	free(flusher->items);
	free(flusher);
}

void
flusher_submit(struct flusher *flusher, struct log *log)
{
	struct flush_link *link = log_flush_link(log);
	bool wake = false;

	pthread_mutex_lock(&flusher->lock);
	if (!link->queued) {
		link_queue(flusher, link);
		wake = flusher->waiting;
	}
	pthread_mutex_unlock(&flusher->lock);
	if (wake)
		pthread_cond_signal(&flusher->submitted);
}

/* Wait for the end of a round.  Locked. */
static void
round_wait(struct flusher *flusher)
{
	flusher->waiters++;
	pthread_cond_wait(&flusher->round_done, &flusher->lock);
	flusher->waiters--;
}

/* Locked. */
static void
link_unqueue(struct flusher *flusher, struct flush_link *link)
{
	if (!link->queued)
		return;
	link->queued = false;
	link->again = false;
	list_remove(&link->node);
	flusher->queue_len--;
}

void
flusher_forget(struct flusher *flusher, struct log *log)
{
	struct flush_link *link = log_flush_link(log);

	pthread_mutex_lock(&flusher->lock);
	link_unqueue(flusher, link);
	while (link->syncing) {
		round_wait(flusher);
		link_unqueue(flusher, link);
	}
	pthread_mutex_unlock(&flusher->lock);
}

void
flusher_drain(struct flusher *flusher, struct log *log)
{
	const struct flush_link *link = log_flush_link(log);

	pthread_mutex_lock(&flusher->lock);
	while (link->syncing || (link->queued && !link->again))
		round_wait(flusher);
	pthread_mutex_unlock(&flusher->lock);
}

struct flusher_counters
flusher_counters(struct flusher *flusher)
{
	struct flusher_counters counters;

	pthread_mutex_lock(&flusher->lock);
	counters = flusher->counters;
	pthread_mutex_unlock(&flusher->lock);
	return counters;
}
