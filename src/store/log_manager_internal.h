/*
 * What the files of the log manager share.  Nobody else includes this.
 *
 * Locks, in the order in which they are taken: `upkeep_turn` (of who is the
 * next to have `upkeep`, until he has it), `upkeep` (held while a log is
 * renamed, and while the background thread or the cleaner works on one log or
 * writes a checkpoint; may be held across a sync), `lock` (the tables; never
 * across I/O), a log's lock, `wake_lock` (a leaf).
 *
 * A topic's deletion waits for `upkeep`: it is held for one log or directory at
 * a time, and where files are unlinked for a few of them.  The retention of a
 * log with many old segments, or a slow sync, is waited for all the same.  Who
 * has had it and wants it again is behind who is next.
 */
#ifndef STORE_LOG_MANAGER_INTERNAL_H
#define STORE_LOG_MANAGER_INTERNAL_H

#include "base/list.h"
#include "base/map.h"
#include "base/task.h"
#include "store/log_dir.h"
#include "store/log_manager.h"

#include <pthread.h>
#include <stdatomic.h>

#define LOG_MANAGER_LOGGER "kafka.log.LogManager"

struct log;

/* A log directory and what the manager knows of it. */
struct managed_dir {
	struct log_dir *dir;     /* owned */
	size_t log_count;        /* lock */
	atomic_bool offline;     /* an I/O error: nothing is written any more */
	atomic_bool names_dirty; /* a rename in it was not synced yet */
	bool leftovers;          /* lock; of what was found, in checkpoints */
	atomic_bool lacks; /* something found no room since the last look */
	atomic_bool told;  /* it was said that something did */
};

/*
 * A log, or a directory that is being removed.  Freed by whoever finds it
 * deleted, removed, not stale and not held.
 */
struct managed_log {
	/* written with upkeep and lock held: a move changes it */
	struct managed_dir *_Atomic home;
	/* upkeep: has lines for it in its checkpoints, too; or NULL */
	struct managed_dir *next_home;

	/* immutable */
	struct log *log; /* owned; NULL: only a directory to remove */
	char *topic;     /* owned; empty without a log */
	int32_t partition;

	/* lock */
	unsigned holds;
	bool deleted;          /* written with upkeep held too */
	bool stale;            /* the checkpoints may name it still */
	struct list_node node; /* in doomed, once deleted */

	/* upkeep */
	int64_t recovery_point; /* for the checkpoint */
	char *doomed_path;      /* owned; NULL once it is removed */
	int64_t remove_at_ms;   /* monotonic */
};

/*
 * A partition that could not be loaded.  Its directory stays as it is, and its
 * lines in the checkpoints, which the next start needs, are kept.
 */
struct lost_log {
	struct managed_dir *home;
	char *name;  /* owned; of its directory */
	char *topic; /* owned */
	int32_t partition;
	int64_t offsets[LOG_DIR_CHECKPOINTS]; /* -1: no line */
	bool heals;  /* the background thread's; it was short of room */
	bool loaded; /* upkeep and lock; it did, and is lost no more */
};

/* A partition that is being moved to another directory. */
struct managed_move {
	/* immutable */
	struct log_manager *manager;
	struct managed_log *entry; /* held */
	struct managed_dir *to;
	struct task task;

	/* lock */
	struct log *copy; /* owned; NULL once it is what the log was */

	/*
	 * The mover's: the copy has the log's name, and the log may have lost
	 * it; neither is removed any more.
	 */
	bool named;

	struct list_node node; /* lock; in moves until it ends */
	atomic_bool cancelled;
};

/* What the last run was moving, and where to. */
struct unfinished_move {
	char *name; /* owned; of the partition */
	char *path; /* owned; of the copy that is of no use any more */
	struct managed_dir *to;
};

/* When each job of the background thread is due: monotonic milliseconds. */
struct log_manager_due {
	int64_t retention_ms;
	int64_t tidy_ms;
	int64_t checkpoints_ms; /* all of them */
	int64_t high_watermarks_ms;
	int64_t producers_ms;
	int64_t flush_ms;
	int64_t doomed_ms;
	int64_t room_ms; /* INT64_MAX: nothing lacks room */
};

struct log_manager {
	/* immutable after loading */
	struct log_manager_settings settings;
	struct log_manager_hooks hooks;
	struct fd_cache *files;   /* owned */
	struct cleaner *cleaner;  /* owned */
	struct managed_dir *dirs; /* owned */
	size_t dir_count;
	struct lost_log *lost; /* owned */
	size_t lost_count;

	/* of the settings, those that change */
	atomic_int recovery_thread_count;
	_Atomic int64_t delete_delay_ms;

	pthread_mutex_t lock;
	struct map by_name; /* lock; "topic-0" to a live managed_log */
	struct map by_log;  /* lock; to each managed_log with a log */
	struct map stale;   /* lock; by name, deleted ones */
	struct list doomed; /* lock; deleted ones */
	struct list moves;  /* lock; struct managed_move, oldest first */
	struct map preferred; /* lock; by name, a managed_dir for a new log */

	/* Moves that the last run did not finish; until they begin again. */
	struct unfinished_move *unfinished; /* owned */
	size_t unfinished_count;

	struct worker *mover; /* lock; owned; NULL until there is a move */
	atomic_bool moves_stop;

	atomic_bool retry_wanted; /* of what could not be made */

	pthread_mutex_t upkeep;
	pthread_mutex_t upkeep_turn; /* of who is the next to have it */

	/* wake_lock */
	pthread_mutex_t wake_lock;
	pthread_cond_t wake;
	bool kicked;
	bool stopping;
	struct log **failed; /* owned; they went offline */
	size_t failed_count;

	/* the background thread's, or the stopping one's */
	pthread_t thread;
	bool running;
	struct log_manager_due due;
};

/* A copy of the table of live logs, each of them held. */
struct log_manager_view {
	struct managed_log **logs;
	size_t count;
};

/* Lock and unlock upkeep; who gives it up is behind who is next in turn. */
void log_manager_upkeep_take(struct log_manager *manager);
void log_manager_upkeep_release(struct log_manager *manager);

struct log_manager_view log_manager_view_take(struct log_manager *manager);
void log_manager_view_release(
    struct log_manager *manager, struct log_manager_view *view);

/*
 * Rename the directory at path, a partition's that nobody wants, to one of a
 * stray.  -1 with errno; logged.
 */
int log_manager_set_aside(struct log_manager *manager,
    struct managed_dir *home, struct slice topic, int32_t partition,
    const char *path) WARN_UNUSED;

/* Does the checkpoint of home have a line for entry?  upkeep. */
static inline bool
managed_log_in(const struct managed_log *entry, const struct managed_dir *home)
{
	return (entry->home == home || entry->next_home == home) &&
	    !entry->deleted;
}

void log_manager_preferred_free(struct log_manager *manager);

/* Begin again what the last run was moving. */
void log_manager_moves_resume(struct log_manager *manager);

/* Moves end where they are, and the next start begins them again. */
void log_manager_moves_stop(struct log_manager *manager);

/* The move of an entry, NULL where it does not move.  lock. */
struct managed_move *log_manager_move_of(
    struct log_manager *manager, const struct managed_log *entry);

/*
 * Where somebody wants a new log of that name; or NULL.  It is wanted until it
 * is there, and log_manager_preferred_drop says so.
 */
void log_manager_preferred_drop(struct log_manager *manager, const char *name);
struct managed_dir *log_manager_preferred(
    struct log_manager *manager, const char *name);

/* Enter a log into the tables; the manager owns it from here on.  lock. */
struct managed_log *log_manager_add(struct log_manager *manager,
    struct managed_dir *home, struct slice topic, int32_t partition,
    struct log *log);

/* Have the directory at path, which is taken, removed after the delay. */
void log_manager_doom_path(
    struct log_manager *manager, struct managed_dir *home, char *path);

/* Free a log and its entry, which is in no table. */
void log_manager_entry_free(
    struct log_manager *manager, struct managed_log *entry);

/*
 * Write all checkpoints of a directory, whose stale names are gone then.
 *  -1 with errno; logged unless disk_is_short.  upkeep.
 */
int log_manager_checkpoint(struct log_manager *manager,
    struct managed_dir *home, struct log_manager_view *view) WARN_UNUSED;

/*
 * Load what found no room at the start; NULL with errno after a logged line.
 * The log is in no table yet.
 */
struct log *log_manager_lost_open(struct log_manager *manager,
    const struct lost_log *lost, const struct log_settings *settings);

/* Add the lines of what could not be loaded in home.  upkeep. */
void log_manager_lost_add(const struct log_manager *manager,
    const struct managed_dir *home, enum log_dir_checkpoint which,
    struct checkpoint *checkpoint);

/* Remove what is due, and free what nobody needs any more. */
void log_manager_doomed_tend(struct log_manager *manager, int64_t now_ms);

/* Wake the background thread. */
void log_manager_kick(struct log_manager *manager);

/*
 * Something could not be done in home that may be possible later, mostly for
 * want of room: "create" "a-0", error is an errno.  Said once, until there was
 * room for a while; log_manager_room_tend tries again.  Any thread.
 */
void log_manager_lack(struct log_manager *manager, struct managed_dir *home,
    const char *verb, const char *name, int error);

/* What could not be made may be possible now.  Any thread. */
void log_manager_retry_soon(struct log_manager *manager);

/* Try again what lacked room, where it is time. */
void log_manager_room_tend(struct log_manager *manager, int64_t now_ms);

/*
 * Is it somebody's mistake, or does it heal by itself?  Then the start is
 * refused.  In any other case the disk does not answer.
 */
bool log_manager_must_refuse(int error);

/* Set all due times anew, as at a start. */
void log_manager_due_init(struct log_manager *manager);

/* An error of I/O in home: it and all its logs go offline, once. */
void log_manager_dir_fail(
    struct log_manager *manager, struct managed_dir *home, const char *reason);

/*
 * The same, unless it heals by itself (a full disk, a lack of descriptors):
 * that is log_manager_lack's.  error is an errno.
 */
void log_manager_dir_error(
    struct log_manager *manager, struct managed_dir *home, int error);

/* now + interval, which may be without end. */
static inline int64_t
log_manager_after(int64_t now_ms, int64_t interval_ms)
{
	return interval_ms > INT64_MAX - now_ms ? INT64_MAX :
						  now_ms + interval_ms;
}

#endif
