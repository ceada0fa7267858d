#include "cli/dump_log_deep.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/log.h"
#include "cli/dump_log.h"
#include "cli/exit_code.h"
#include "meta/metadata_record.h"
#include "meta/metadata_snapshot.h"
#include "meta/quorum_state.h"
#include "store/checkpoint.h"
#include "store/disk.h"
#include "store/leader_epochs.h"
#include "store/log_dir.h"
#include "store/meta_properties.h"
#include "store/partition_metadata.h"
#include "store/producer_snapshot.h"
#include "store/state_file.h"

#define OFFSET_DIGITS 20

void
dump_log_deep_problem(struct dump_log_deep *deep, const char *path,
    const char *format, ...)
{
	va_list arguments;

	deep->problems++;
	fprintf(deep->out, "%s: ", path);
	va_start(arguments, format);
	vfprintf(deep->out, format, arguments);
	va_end(arguments);
	fputc('\n', deep->out);
}

static const char *
reason(void)
{
	return errno == EBADMSG ? "is malformed" : strerror(errno);
}

/* --- The names in a directory -------------------------------------------- */

struct names {
	char **items;	/* owned; sorted */
	size_t count;
};

static int
add_name(void *context, const char *name)
{
	struct names *names = context;

	names->items = xrealloc(names->items,
	    (names->count + 1) * sizeof(*names->items));
	names->items[names->count++] = xstrdup(name);
	return 0;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A directory that cannot be listed has no names, and is a problem. */
static void
names_read(struct names *names, struct dump_log_deep *deep, const char *path)
{
	memset(names, 0, sizeof(*names));
	if (disk_list(deep->disk, path, add_name, names) != 0)
		dump_log_deep_problem(deep, path, "cannot be listed: %s",
		    strerror(errno));
	if (names->count > 0)
		qsort(names->items, names->count, sizeof(*names->items),
		    compare_names);
}

static void
names_free(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
}

/* The offset of a name "%020d" + suffix; -1 where it is none. */
static int64_t
offset_of(const char *name, const char *suffix)
{
	int64_t offset;

	if (strspn(name, "0123456789") != OFFSET_DIGITS ||
	    strcmp(name + OFFSET_DIGITS, suffix) != 0)
		return -1;
	errno = 0;
	offset = strtoll(name, NULL, 10);
	return errno == 0 ? offset : -1;
}

/* --- Files of a partition ------------------------------------------------ */

static void
check_leader_epochs(struct dump_log_deep *deep, const char *directory)
{
	struct leader_epochs epochs;

	leader_epochs_init(&epochs);
	deep->files++;
	if (leader_epochs_read(&epochs, deep->disk, directory) != 0) {
		char *path = xasprintf("%s/%s", directory, LEADER_EPOCHS_FILE);

		dump_log_deep_problem(deep, path, "%s", reason());
		free(path);
	}
	leader_epochs_fini(&epochs);
}

static void
check_partition_metadata(struct dump_log_deep *deep, const char *directory)
{
	struct uuid id;

	deep->files++;
	if (partition_metadata_read(deep->disk, directory, &id) != 0) {
		char *path = xasprintf("%s/%s", directory,
		    PARTITION_METADATA_FILE);

		dump_log_deep_problem(deep, path, "%s", reason());
		free(path);
	}
}

static void
check_producers(struct dump_log_deep *deep, const char *path)
{
	struct producer_state state;
	size_t len;
	uint8_t *bytes = disk_read_file(deep->disk, path, STATE_FILE_SIZE_MAX,
	    &len);

	deep->files++;
	if (bytes == NULL) {
		dump_log_deep_problem(deep, path, "%s", strerror(errno));
		return;
	}
	producer_state_init(&state);
	if (producer_snapshot_decode(&state, slice_of(bytes, len)) != 0)
		dump_log_deep_problem(deep, path, "is no whole snapshot");
	producer_state_fini(&state);
	free(bytes);
}

/* Where a record of the metadata is that does not decode. */
struct metadata_check {
	struct dump_log_deep *deep;
	const char *path;
};

static int
check_metadata_record(void *context,
    const struct metadata_snapshot_record *record)
{
	struct metadata_check *check = context;
	struct metadata_record decoded;
	struct arena arena;
	const char *why;

	if (record->control)
		return 0;
	arena_init(&arena, DUMP_LOG_BATCH_LEN_MAX);
	if (metadata_record_decode(record->value, &arena, &decoded, &why) != 0)
		dump_log_deep_problem(check->deep, check->path,
		    "the record at offset %" PRId64 " has %s", record->offset,
		    why);
	arena_reset(&arena);
	return 0;
}

static void
check_metadata_snapshot(struct dump_log_deep *deep, const char *path)
{
	struct metadata_check check = { deep, path };
	struct slice bytes = metadata_snapshot_read(deep->disk, path);
	bool damaged;

	deep->files++;
	if (slice_is_null(bytes)) {
		dump_log_deep_problem(deep, path, "%s",
		    errno == EBADMSG ? "is no whole snapshot"
				     : strerror(errno));
		return;
	}
	if (metadata_snapshot_walk(bytes, check_metadata_record, &check,
		&damaged) != 0)
		dump_log_deep_problem(deep, path, "is damaged");
	free((void *)(uintptr_t)bytes.data);
}

static void
check_quorum_state(struct dump_log_deep *deep, const char *directory)
{
	int32_t epoch;

	deep->files++;
	if (quorum_state_read(deep->disk, directory, &epoch) != 0) {
		char *path = xasprintf("%s/%s", directory, QUORUM_STATE_FILE);

		dump_log_deep_problem(deep, path, "is malformed");
		free(path);
	}
}

static void
check_segments(struct dump_log_deep *deep, const char *directory,
    const struct names *names, bool metadata)
{
	struct dump_log_deep_segment segment = {
		.directory = directory,
		.base_offset = -1,
		.metadata = metadata,
	};

	/* Sorted by name, the bases rise. */
	for (size_t i = 0; i < names->count; i++) {
		int64_t base_offset = offset_of(names->items[i], ".log");

		if (base_offset < 0)
			continue;
		segment.next_offset = base_offset;
		if (segment.base_offset >= 0)
			dump_log_deep_segment(deep, &segment);
		segment.base_offset = base_offset;
	}
	segment.next_offset = INT64_MAX;
	if (segment.base_offset >= 0)
		dump_log_deep_segment(deep, &segment);
}

static bool
names_have(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->items[i], name) == 0)
			return true;
	return false;
}

/* Does some segment have a byte? */
static bool
has_records(struct dump_log_deep *deep, const char *directory,
    const struct names *names)
{
	bool found = false;

	for (size_t i = 0; i < names->count && !found; i++) {
		struct stat st;
		char *path;

		if (offset_of(names->items[i], ".log") < 0)
			continue;
		path = xasprintf("%s/%s", directory, names->items[i]);
		found = disk_stat(deep->disk, path, &st) == 0 && st.st_size > 0;
		free(path);
	}
	return found;
}

static void
check_partition(struct dump_log_deep *deep, const char *directory,
    bool metadata)
{
	struct metadata_snapshot_id id;
	struct names names;

	names_read(&names, deep, directory);
	if (names_have(&names, LEADER_EPOCHS_FILE))
		check_leader_epochs(deep, directory);
	if (names_have(&names, QUORUM_STATE_FILE))
		check_quorum_state(deep, directory);
	/* It is written before the first record. */
	if (names_have(&names, PARTITION_METADATA_FILE) ||
	    (!metadata && has_records(deep, directory, &names)))
		check_partition_metadata(deep, directory);
	for (size_t i = 0; i < names.count; i++) {
		char *path = xasprintf("%s/%s", directory, names.items[i]);

		if (offset_of(names.items[i], ".snapshot") >= 0)
			check_producers(deep, path);
		if (metadata &&
		    metadata_snapshot_name_parse(names.items[i], &id) == 0)
			check_metadata_snapshot(deep, path);
		free(path);
	}
	check_segments(deep, directory, &names, metadata);
	names_free(&names);
}

/* --- Files of a data directory ------------------------------------------- */

static void
check_checkpoint(struct dump_log_deep *deep, const char *directory,
    const char *name)
{
	char *path = xasprintf("%s/%s", directory, name);
	struct checkpoint checkpoint;

	checkpoint_init(&checkpoint);
	deep->files++;
	if (checkpoint_read(&checkpoint, deep->disk, path) != 0)
		dump_log_deep_problem(deep, path, "%s", reason());
	checkpoint_fini(&checkpoint);
	free(path);
}

static void
check_meta_properties(struct dump_log_deep *deep, const char *directory)
{
	struct meta_properties meta;
	char *why = NULL;

	meta_properties_init(&meta);
	deep->files++;
	if (meta_properties_read(&meta, deep->disk, directory, &why) != 0) {
		char *path = xasprintf("%s/%s", directory,
		    META_PROPERTIES_FILE);

		dump_log_deep_problem(deep, path, "%s",
		    why != NULL ? why : reason());
		free(path);
	}
	free(why);
	meta_properties_fini(&meta);
}

static void
check_directory_in(struct dump_log_deep *deep, const char *directory,
    const char *name)
{
	char *path = xasprintf("%s/%s", directory, name);
	struct log_dir_entry entry;
	struct stat st;

	if (disk_stat(deep->disk, path, &st) != 0)
		dump_log_deep_problem(deep, path, "%s", strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		;	/* Files of other names are nobody's. */
	else if (log_dir_name_parse(name, &entry) != 0)
		dump_log_deep_problem(deep, path,
		    "is no partition's directory");
	else if (entry.kind != LOG_DIR_DELETE && entry.kind != LOG_DIR_IGNORED)
		check_partition(deep, path, entry.kind == LOG_DIR_METADATA);
	free(path);
}

static void
check_data_directory(struct dump_log_deep *deep, const char *directory)
{
	static const char *const checkpoints[] = {
		CHECKPOINT_RECOVERY_POINTS,
		CHECKPOINT_LOG_STARTS,
		CHECKPOINT_HIGH_WATERMARKS,
		CHECKPOINT_CLEANER,
	};
	struct names names;
	char *path;

	check_meta_properties(deep, directory);
	names_read(&names, deep, directory);
	for (size_t i = 0; i < COUNT_OF(checkpoints); i++)
		if (names_have(&names, checkpoints[i]))
			check_checkpoint(deep, directory, checkpoints[i]);
	path = xasprintf("%s/%s", directory, METADATA_SNAPSHOT_BOOTSTRAP);
	if (names_have(&names, METADATA_SNAPSHOT_BOOTSTRAP))
		check_metadata_snapshot(deep, path);
	free(path);
	for (size_t i = 0; i < names.count; i++)
		check_directory_in(deep, directory, names.items[i]);
	names_free(&names);
}

int
dump_log_deep(const struct dump_log_options *options, struct disk *disk,
    FILE *out)
{
	struct dump_log_deep deep = {
		.disk = disk,
		.out = out,
		.buffer = xmalloc(DUMP_LOG_BUFFER_LEN),
	};

	/* What the readers log is said here. */
	log_set_level(LOG_FATAL);
	buf_init(&deep.scratch, DUMP_LOG_BATCH_LEN_MAX);
	for (int i = 0; i < options->directories_count; i++)
		check_data_directory(&deep, options->directories[i]);
	fprintf(out, "%" PRIu64 " problem%s in %" PRIu64 " files\n",
	    deep.problems, deep.problems == 1 ? "" : "s", deep.files);
	buf_fini(&deep.scratch);
	free(deep.buffer);
	return deep.problems == 0 && fflush(out) == 0 ? EXIT_OK : EXIT_FAILED;
}
