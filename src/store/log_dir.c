#include "base/base.h"
#include "store/log_dir.h"

#include "base/crc32c.h"
#include "base/log.h"
#include "base/rng.h"
#include "store/disk.h"
#include "store/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>

#define LOGGER "kafka.log.LogManager"

#define LOCK_FILE ".lock"
#define CLEAN_FILE ".kafka_cleanshutdown"
#define CLEAN_FILE_LEN_MAX 4096
#define METADATA_NAME "__cluster_metadata-0"
#define REMOTE_CACHE_NAME "remote-log-index-cache"
#define LOST_FOUND_NAME "lost+found"
#define SUFFIX_HEX_LEN 32

/* A lock file that its owner unlinks while we lock it is tried again. */
#define LOCK_ATTEMPTS_MAX 10

char *
log_dir_path(const struct log_dir *dir, const char *name)
{
	return xasprintf("%s/%s", dir->path, name);
}

/* --- names --------------------------------------------------------------- */

/* The number behind the last '-' of name, or -1; *topic is what is before. */
static int64_t
partition_parse(struct slice name, struct slice *topic)
{
	const uint8_t *dash = memrchr(name.data, '-', name.len);
	int64_t partition;

	if (dash == NULL || dash == name.data)
		return -1;
	*topic = slice_of(name.data, (size_t)(dash - name.data));
	partition =
	    checkpoint_number(slice_of(dash + 1, name.len - topic->len - 1));
	return partition > INT32_MAX ? -1 : partition;
}

/* The kind that the text behind the last '-' makes of a renamed directory. */
static enum log_dir_kind
suffix_kind(struct slice name)
{
	static const struct {
		const char *suffix;
		enum log_dir_kind kind;
	} table[] = {
		{ "-delete", LOG_DIR_DELETE },
		{ "-stray", LOG_DIR_STRAY },
		{ "-future", LOG_DIR_FUTURE },
	};

	for (size_t i = 0; i < COUNT_OF(table); i++) {
		size_t len = strlen(table[i].suffix);

		if (name.len > len &&
		    memcmp(name.data + name.len - len, table[i].suffix, len) ==
			0)
			return table[i].kind;
	}
	return LOG_DIR_PARTITION;
}

int
log_dir_name_parse(const char *name, struct log_dir_entry *entry)
{
	struct slice text = slice_str(name);
	const uint8_t *dot;
	int64_t partition;

	*entry = (struct log_dir_entry){ .kind = LOG_DIR_METADATA };
	if (strcmp(name, METADATA_NAME) == 0)
		return 0;
	entry->kind = LOG_DIR_IGNORED;
	if (strcmp(name, REMOTE_CACHE_NAME) == 0 ||
	    strcmp(name, LOST_FOUND_NAME) == 0)
		return 0;
	entry->kind = suffix_kind(text);
	if (entry->kind != LOG_DIR_PARTITION) {
		dot = memrchr(text.data, '.', text.len);
		if (dot == NULL)
			return -1;
		text.len = (size_t)(dot - text.data);
	}
	partition = partition_parse(text, &entry->topic);
	entry->partition = (int32_t)partition;
	return partition < 0 ? -1 : 0;
}

char *
log_dir_partition_name(struct slice topic, int32_t partition)
{
	return xasprintf("%.*s-%d", SLICE_ARG(topic), partition);
}

bool
log_dir_may_move(struct slice topic, int32_t partition)
{
	char *name = log_dir_partition_name(topic, partition);
	size_t len = strlen(name) + strlen(".") + SUFFIX_HEX_LEN +
	    strlen("-future");

	free(name);
	return len <= NAME_MAX;
}

char *
log_dir_renamed_name(
    struct slice topic, int32_t partition, enum log_dir_kind kind)
{
	static const char *const suffixes[] = {
		[LOG_DIR_DELETE] = "delete",
		[LOG_DIR_STRAY] = "stray",
		[LOG_DIR_FUTURE] = "future",
	};
	const char *suffix = suffixes[kind];
	char *tail, *name;
	struct rng rng;

	assert(suffix != NULL);
	rng_init_random(&rng);
	tail = xasprintf("-%d.%016" PRIx64 "%016" PRIx64 "-%s", partition,
	    rng_next(&rng), rng_next(&rng), suffix);
	topic.len = MIN(topic.len, NAME_MAX - strlen(tail));
	name = xasprintf("%.*s%s", SLICE_ARG(topic), tail);
	free(tail);
	return name;
}

/* --- the lock ------------------------------------------------------------ */

/* Does path still name the file that fd is open on? */
static bool
lock_is_current(struct disk *disk, const char *path, int fd)
{
	struct stat locked, named;

	return disk_fstat(disk, fd, &locked) == 0 &&
	    disk_stat(disk, path, &named) == 0 &&
	    locked.st_ino == named.st_ino && locked.st_dev == named.st_dev;
}

/* Open and lock the file once. */
static int
lock_try(struct disk *disk, const char *path)
{
	int fd = disk_open(disk, path, O_RDWR | O_CREAT, 0644);
	int error;

	if (fd < 0)
		return -1;
	if (disk_lock(disk, fd) == 0)
		return fd;
	error = errno;
	disk_close(disk, fd);
	errno = error;
	return -1;
}

static int
lock_take(struct disk *disk, const char *path)
{
	for (int attempt = 0; attempt < LOCK_ATTEMPTS_MAX; attempt++) {
		int fd = lock_try(disk, path);

		if (fd < 0 || lock_is_current(disk, path, fd))
			return fd;
		disk_close(disk, fd);
	}
	errno = EAGAIN;
	return -1;
}

int
log_dir_lock(struct disk *disk, const char *path)
{
	char *file = xasprintf("%s/%s", path, LOCK_FILE);
	int fd = lock_take(disk, file);

	int error = errno;

	if (fd < 0 && error == EAGAIN)
		log_error(LOGGER,
		    "Log directory %s is in use: another broker holds its "
		    ".lock",
		    path);
	else if (fd < 0)
		log_error(LOGGER, "Cannot lock %s: %s", file, strerror(error));
	free(file);
	errno = error;
	return fd;
}

static int
dir_lock(struct log_dir *dir)
{
	dir->lock_fd = log_dir_lock(dir->disk, dir->path);
	return dir->lock_fd < 0 ? -1 : 0;
}

void
log_dir_unlock(struct log_dir *dir)
{
	char *path;

	if (dir->lock_fd < 0)
		return;
	path = log_dir_path(dir, LOCK_FILE);
	if (disk_unlink(dir->disk, path) < 0)
		log_warn(LOGGER, "Cannot remove %s: %s", path, strerror(errno));
	disk_close(dir->disk, dir->lock_fd);
	dir->lock_fd = -1;
	free(path);
}

/* --- the mark of a clean shutdown ---------------------------------------- */

/*
 * The broker epoch of the mark's JSON.  Older releases left the file empty;
 * whatever else does not fit is taken for that.
 */
static int64_t
clean_epoch_parse(struct slice text)
{
	json_t *root = json_loadb((const char *)text.data, text.len, 0, NULL);
	json_t *version = json_object_get(root, "version");
	json_t *epoch = json_object_get(root, "brokerEpoch");
	int64_t result = -1;

	if (json_is_integer(version) && json_integer_value(version) == 0 &&
	    json_is_integer(epoch))
		result = json_integer_value(epoch);
	json_decref(root);
	return result;
}

/* Note the mark, whatever is in it; what cannot be read is no mark. */
static int
clean_note(struct log_dir *dir)
{
	char *path = log_dir_path(dir, CLEAN_FILE);
	size_t len;
	uint8_t *text =
	    disk_read_file(dir->disk, path, CLEAN_FILE_LEN_MAX, &len);
	int error = errno;
	int result = 0;

	dir->clean = text != NULL || error == EFBIG;
	dir->clean_broker_epoch = -1;
	if (!dir->clean && error != ENOENT) {
		log_error(LOGGER, "Cannot read %s: %s", path, strerror(error));
		result = -1;
	}
	if (text != NULL)
		dir->clean_broker_epoch =
		    clean_epoch_parse(slice_of(text, len));
	free(text);
	free(path);
	errno = error;
	return result;
}

/* --- what is known of closed logs ---------------------------------------- */

/* Without it, all logs are loaded from their files. */
static void
closed_load(struct log_dir *dir)
{
	char *path = log_dir_path(dir, CLOSED_LOGS_FILE);

	if (dir->clean &&
	    closed_logs_read(&dir->closed, dir->disk, path) < 0 &&
	    errno != ENOENT)
		log_warn(
		    LOGGER, "Cannot use %s: %s", path, strerror(errno));
	free(path);
}

void
log_dir_closed_write(struct log_dir *dir, struct closed_logs *closed)
{
	char *path = log_dir_path(dir, CLOSED_LOGS_FILE);

	if (closed_logs_write(closed, dir->disk, path) < 0)
		log_warn(
		    LOGGER, "Cannot write %s: %s", path, strerror(errno));
	free(path);
}

/* --- taking the mark ----------------------------------------------------- */

/* What it says was read, and is soon no longer true. */
static void
closed_drop(struct log_dir *dir)
{
	char *path = log_dir_path(dir, CLOSED_LOGS_FILE);

	if (disk_unlink(dir->disk, path) < 0 && errno != ENOENT)
		log_warn(LOGGER, "Cannot remove %s: %s", path, strerror(errno));
	free(path);
}

int
log_dir_mark_take(struct log_dir *dir)
{
	char *path = log_dir_path(dir, CLEAN_FILE);
	int result = 0, error;

	if (dir->clean)
		result = state_file_remove(dir->disk, path);
	error = errno;
	if (result < 0)
		log_error(
		    LOGGER, "Cannot remove %s: %s", path, strerror(error));
	free(path);
	errno = error;
	if (result == 0)
		closed_drop(dir);
	return result;
}

int
log_dir_mark_clean(struct log_dir *dir, int64_t broker_epoch)
{
	char *path = log_dir_path(dir, CLEAN_FILE);
	char *text = xasprintf(
	    "{\"version\":0,\"brokerEpoch\":%" PRId64 "}", broker_epoch);
	int result =
	    state_file_write_in_place(dir->disk, path, slice_str(text), true);

	if (result < 0)
		log_error(LOGGER, "Cannot write %s: %s", path, strerror(errno));
	free(text);
	free(path);
	return result;
}

/* --- checkpoints --------------------------------------------------------- */

static const char *const checkpoint_files[LOG_DIR_CHECKPOINTS] = {
	[LOG_DIR_RECOVERY_POINTS] = CHECKPOINT_RECOVERY_POINTS,
	[LOG_DIR_LOG_STARTS] = CHECKPOINT_LOG_STARTS,
	[LOG_DIR_HIGH_WATERMARKS] = CHECKPOINT_HIGH_WATERMARKS,
	[LOG_DIR_CLEANER_POINTS] = CHECKPOINT_CLEANER,
};

static int
checkpoint_load(struct log_dir *dir, enum log_dir_checkpoint which)
{
	char *path = log_dir_path(dir, checkpoint_files[which]);
	int result = checkpoint_read(&dir->found[which], dir->disk, path);
	int error = errno;

	if (result < 0 && error == EBADMSG)
		log_error(LOGGER,
		    "Checkpoint %s is malformed; restore it, or remove it "
		    "to do without what it says",
		    path);
	else if (result < 0)
		log_error(LOGGER, "Cannot read %s: %s", path, strerror(error));
	free(path);
	errno = error;
	return result;
}

static int
checkpoints_load(struct log_dir *dir)
{
	for (int which = 0; which < LOG_DIR_CHECKPOINTS; which++) {
		if (checkpoint_load(dir, which) < 0)
			return -1;
	}
	return 0;
}

int64_t
log_dir_checkpoint_find(const struct log_dir *dir,
    enum log_dir_checkpoint which, struct slice topic, int32_t partition,
    int64_t fallback)
{
	return checkpoint_find(&dir->found[which], topic, partition, fallback);
}

/* Replace the file at path by text. */
static int
text_write(struct log_dir *dir, const char *file, struct slice text)
{
	char *path = log_dir_path(dir, file);
	int result = state_file_write(dir->disk, path, text);
	int error = errno;

	if (result < 0 && !disk_is_short(error))
		log_error(LOGGER, "Cannot write %s: %s", path, strerror(error));
	free(path);
	errno = error;
	return result;
}

int
log_dir_checkpoint_write(struct log_dir *dir, enum log_dir_checkpoint which,
    const struct checkpoint *checkpoint)
{
	char *text = checkpoint_text(checkpoint);
	struct slice bytes = slice_str(text);
	uint32_t crc = crc32c(0, bytes.data, bytes.len);
	int result = 0;

	if (!dir->written[which] || dir->written_crc[which] != crc)
		result = text_write(dir, checkpoint_files[which], bytes);
	free(text);
	dir->written[which] = result == 0;
	dir->written_crc[which] = crc;
	return result;
}

/* --- life ---------------------------------------------------------------- */

struct log_dir *
log_dir_new_unusable(struct disk *disk, const char *path)
{
	struct log_dir *dir = xcalloc(1, sizeof(*dir));

	dir->disk = disk;
	dir->path = xstrdup(path);
	dir->clean_broker_epoch = -1;
	dir->lock_fd = -1;
	for (int which = 0; which < LOG_DIR_CHECKPOINTS; which++)
		checkpoint_init(&dir->found[which]);
	closed_logs_init(&dir->closed);
	return dir;
}

struct log_dir *
log_dir_open(struct disk *disk, const char *path, struct uuid id)
{
	struct log_dir *dir = log_dir_new_unusable(disk, path);
	int error;

	dir->id = id;
	if (dir_lock(dir) == 0 && clean_note(dir) == 0 &&
	    checkpoints_load(dir) == 0) {
		closed_load(dir);
		return dir;
	}
	error = errno;
	log_dir_free(dir);
	errno = error;
	return NULL;
}

void
log_dir_entries_forget(struct log_dir *dir)
{
	for (size_t i = 0; i < dir->entry_count; i++)
		free(dir->entries[i].name);
	free(dir->entries);
	dir->entries = NULL;
	dir->entry_count = 0;
}

void
log_dir_forget(struct log_dir *dir)
{
	log_dir_entries_forget(dir);
	for (int which = 0; which < LOG_DIR_CHECKPOINTS; which++)
		checkpoint_fini(&dir->found[which]);
	closed_logs_fini(&dir->closed);
}

void
log_dir_free(struct log_dir *dir)
{
	if (dir == NULL)
		return;
	log_dir_forget(dir);
	if (dir->lock_fd >= 0)
		disk_close(dir->disk, dir->lock_fd);
	free(dir->path);
	free(dir);
}

/* --- listing ------------------------------------------------------------- */

static void
entry_append(struct log_dir *dir, struct log_dir_entry entry)
{
	/* Capacities are the powers of two. */
	if ((dir->entry_count & (dir->entry_count - 1)) == 0)
		dir->entries = xrealloc(dir->entries,
		    MAX(1, dir->entry_count * 2) * sizeof(*dir->entries));
	dir->entries[dir->entry_count++] = entry;
}

/* 1 for a directory, 0 for anything else, -1 with errno. */
static int
is_directory(struct log_dir *dir, const char *name)
{
	char *path = log_dir_path(dir, name);
	struct stat st;
	int result = disk_stat(dir->disk, path, &st);

	free(path);
	return result < 0 ? -1 : S_ISDIR(st.st_mode);
}

/* Positive stops the walk after a logged line, -1 with errno. */
static int
name_add(void *context, const char *name)
{
	struct log_dir *dir = context;
	struct log_dir_entry entry;
	int directory = is_directory(dir, name);

	if (directory <= 0)
		return directory;
	if (log_dir_name_parse(name, &entry) < 0) {
		log_error(LOGGER,
		    "Directory %s/%s is no partition's: the name is not "
		    "TOPIC-NUMBER. A log directory holds nothing else; move "
		    "it away",
		    dir->path, name);
		return 1;
	}
	if (entry.kind == LOG_DIR_METADATA || entry.kind == LOG_DIR_IGNORED)
		return 0;
	entry.name = xstrdup(name);
	entry.topic.data = (const uint8_t *)entry.name;
	entry_append(dir, entry);
	return 0;
}

int
log_dir_list(struct log_dir *dir)
{
	int result, error;

	assert(dir->entry_count == 0);
	result = disk_list(dir->disk, dir->path, name_add, dir);
	error = result < 0 ? errno : EBADMSG;
	if (result < 0)
		log_error(
		    LOGGER, "Cannot list %s: %s", dir->path, strerror(error));
	errno = error;
	return result == 0 ? 0 : -1;
}

struct record_search {
	struct disk *disk;
	const char *path;
};

/* Positive where the file is a segment that is not empty. */
static int
segment_look(void *context, const char *name)
{
	const struct record_search *search = context;
	size_t len = strlen(name);
	struct stat st;
	char *path;
	int result;

	if (len < 4 || strcmp(name + len - 4, ".log") != 0)
		return 0;
	path = xasprintf("%s/%s", search->path, name);
	result = disk_stat(search->disk, path, &st);
	free(path);
	return result < 0 ? -1 : st.st_size > 0;
}

int
log_dir_has_records(struct disk *disk, const char *path)
{
	struct record_search search = { disk, path };
	int found = disk_list(disk, path, segment_look, &search);

	return found < 0 && errno == ENOENT ? 0 : found;
}
