#include "meta/format.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "meta/broker_ops.h"
#include "meta/control_batch.h"
#include "meta/metadata_record.h"
#include "meta/metadata_snapshot.h"
#include "store/disk.h"
#include "store/log_dir.h"
#include "store/meta_properties.h"
#include "wire/generated/metadata_feature_level_record.h"
#include "wire/generated/metadata_user_scram_credential_record.h"

#define LOGGER "meta"
#define METADATA_DIR "__cluster_metadata-0"
#define METADATA_VERSION "metadata.version"
#define VOTERS_FILE "00000000000000000000-0000000000.checkpoint"

/* Where a directory stands before anything is written. */
struct place {
	const char *path;
	struct meta_properties meta;
	struct stat st;			/* tells two names of one directory */
	bool formatted;
	bool broken;			/* and left out */
	int lock_fd;			/* while it is formatted; else -1 */
};

struct format {
	const struct format_settings *settings;
	struct format_result *result;
	struct place *places;
};

/*
 * An operation on a directory has failed, which was logged: 0 where it can be
 * left out, else -1.
 */
static int
leave_out(struct format *format, struct place *place)
{
	const struct format_settings *settings = format->settings;

	if (!settings->tolerant ||
	    place == &format->places[settings->metadata_dir])
		return -1;
	log_warn(LOGGER, "%s is left out: its disk does not answer",
	    place->path);
	place->broken = true;
	return 0;
}

/* --- Looking ------------------------------------------------------------- */

/* A new name is made durable at once: all that is ours will be behind it. */
static int
make_one(struct disk *disk, const char *path)
{
	char *parent;
	int result;

	if (disk_mkdir(disk, path, 0755) != 0)
		return errno == EEXIST ? 0 : -1;
	parent = xasprintf("%s/..", path);
	result = disk_sync_dir(disk, parent);
	free(parent);
	return result;
}

/* Make the directory with those above it; there already is as good. */
static int
make_directory(struct disk *disk, const char *path)
{
	char *copy = xstrdup(path);
	int result = 0;

	for (char *slash = copy + 1; *slash != '\0' && result == 0; slash++) {
		if (*slash != '/')
			continue;
		*slash = '\0';
		result = make_one(disk, copy);
		*slash = '/';
	}
	if (result == 0)
		result = make_one(disk, copy);
	if (result != 0)
		log_error(LOGGER, "cannot make %s: %s", path, strerror(errno));
	free(copy);
	return result;
}

static bool
is_one_of(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* Positive for what no format of ours leaves in the metadata's directory. */
static int
metadata_stranger(void *context UNUSED, const char *name)
{
	static const char *const ours[] = { VOTERS_FILE, VOTERS_FILE ".part" };

	return !is_one_of(name, ours, COUNT_OF(ours));
}

/* A directory without meta.properties, while it is looked at. */
struct inspection {
	struct disk *disk;
	const char *path;
};

/* Positive for what is neither a volume's nor left by a format of ours. */
static int
stranger(void *context, const char *name)
{
	static const char *const ours[] = {
		".lock",
		"lost+found",
		METADATA_SNAPSHOT_BOOTSTRAP,
		METADATA_SNAPSHOT_BOOTSTRAP ".part",
		META_PROPERTIES_FILE ".tmp",
	};
	const struct inspection *inspection = context;
	char *path;
	int result;

	if (strcmp(name, METADATA_DIR) != 0)
		return !is_one_of(name, ours, COUNT_OF(ours));
	path = xasprintf("%s/%s", inspection->path, name);
	result = disk_list(inspection->disk, path, metadata_stranger, NULL);
	free(path);
	return result;
}

/*
 * A directory without meta.properties must be empty to become ours, but for
 * what a format that did not get to its end has left.
 */
static int
check_empty(struct format *format, struct place *place)
{
	struct disk *disk = format->settings->disk;
	struct inspection inspection = { disk, place->path };
	int found = disk_list(disk, place->path, stranger, &inspection);

	if (found == 0)
		return 0;
	if (found < 0) {
		log_error(LOGGER, "cannot list %s: %s", place->path,
		    strerror(errno));
		return leave_out(format, place);
	}
	log_error(LOGGER, "%s has files but no meta.properties: it is "
	    "no data directory of Kafka, or has lost that file", place->path);
	return -1;
}

/* Make the directory, and see which one it is. */
static int
find(struct format *format, struct place *place, const char *path)
{
	struct disk *disk = format->settings->disk;

	place->path = path;
	if (make_directory(disk, path) != 0)
		return leave_out(format, place);
	if (disk_stat(disk, path, &place->st) == 0)
		return 0;
	log_error(LOGGER, "cannot look at %s: %s", path, strerror(errno));
	return leave_out(format, place);
}

/* Is it formatted?  -1 where that makes no sense. */
static int
read_properties(struct format *format, struct place *place)
{
	char *why = NULL;
	int error;

	place->formatted = meta_properties_read(&place->meta,
	    format->settings->disk, place->path, &why) == 0;
	error = errno;
	if (place->formatted)
		return 0;
	if (error == ENOENT) {
		free(why);
		return 0;
	}
	log_error(LOGGER, "%s/%s cannot be used: %s", place->path,
	    META_PROPERTIES_FILE, why != NULL ? why : strerror(error));
	free(why);
	return error == EBADMSG ? -1 : leave_out(format, place);
}

/*
 * What is to be formatted is locked, and looked at again: another start may
 * have done it meanwhile.
 */
static int
look(struct format *format, struct place *place)
{
	if (read_properties(format, place) != 0)
		return -1;
	if (place->formatted || place->broken)
		return 0;
	if (check_empty(format, place) != 0)
		return -1;
	if (place->broken)
		return 0;
	place->lock_fd = log_dir_lock(format->settings->disk, place->path);
	if (place->lock_fd < 0)
		return errno == EAGAIN ? -1 : leave_out(format, place);
	if (read_properties(format, place) != 0)
		return -1;
	return place->formatted || place->broken ?
	    0 :
	    check_empty(format, place);
}

/* log.dirs may name a directory twice, in two ways. */
static int
check_distinct(const struct format *format, size_t index)
{
	const struct place *place = &format->places[index];

	for (size_t i = 0; i < index; i++) {
		const struct place *other = &format->places[i];

		if (place->broken || other->broken)
			continue;
		if (other->st.st_ino != place->st.st_ino ||
		    other->st.st_dev != place->st.st_dev)
			continue;
		log_error(LOGGER, "%s and %s are the same directory",
		    other->path, place->path);
		return -1;
	}
	return 0;
}

/* --- Checking ------------------------------------------------------------ */

static int
check_node(const struct format *format, const struct place *place)
{
	if (place->meta.node_id < 0 ||
	    place->meta.node_id == format->settings->node_id)
		return 0;
	log_error(LOGGER, "%s is the data of node %d, but node.id is %d",
	    place->path, place->meta.node_id, format->settings->node_id);
	return -1;
}

static int
check_cluster(struct format *format, const struct place *place)
{
	struct format_result *result = format->result;
	const char *id = place->meta.cluster_id;

	if (id == NULL)
		return 0;
	if (result->cluster_id == NULL)
		result->cluster_id = xstrdup(id);
	if (strcmp(result->cluster_id, id) == 0)
		return 0;
	log_error(LOGGER, "%s is of cluster %s, not of cluster %s",
	    place->path, id, result->cluster_id);
	return -1;
}

static int
check_directory_id(const struct format *format, size_t index)
{
	struct uuid id = format->result->directory_ids[index];

	for (size_t i = 0; i < index; i++) {
		if (format->places[i].broken ||
		    !uuid_equal(format->result->directory_ids[i], id))
			continue;
		log_error(LOGGER, "%s and %s have the same directory.id",
		    format->places[i].path, format->places[index].path);
		return -1;
	}
	return 0;
}

/*
 * Where data is but no metadata, a disk is missing: a fresh metadata log would
 * make strays of all partitions.
 */
static int
check_metadata_dir(const struct format *format)
{
	const struct place *metadata =
	    &format->places[format->settings->metadata_dir];

	for (size_t i = 0; i < format->settings->dirs_count; i++) {
		if (metadata->formatted || !format->places[i].formatted)
			continue;
		log_error(LOGGER, "%s, which is to hold the metadata, is "
		    "empty, but %s is in use",
		    metadata->path, format->places[i].path);
		return -1;
	}
	return 0;
}

static int
check(struct format *format, size_t index)
{
	const struct place *place = &format->places[index];
	struct uuid *id = &format->result->directory_ids[index];

	if (place->broken)
		return 0;
	if (place->formatted &&
	    (check_node(format, place) != 0 ||
		check_cluster(format, place) != 0))
		return -1;
	*id = place->meta.directory_id;
	if (uuid_is_zero(*id) && index == format->settings->metadata_dir)
		*id = format->settings->metadata_dir_id;
	if (uuid_is_zero(*id))
		*id = uuid_random(format->settings->rng);
	return check_directory_id(format, index);
}

/* --- Writing ------------------------------------------------------------- */

static int
write_record(struct metadata_snapshot *snapshot,
    enum metadata_record_type type, const void *record)
{
	struct buf bytes;
	int result;

	buf_init(&bytes, METADATA_RECORD_BATCH_LEN_MAX);
	result = metadata_record_encode(&bytes, type, 0, record);
	assert(result == 0);
	result = metadata_snapshot_write(snapshot, buf_slice(&bytes));
	buf_fini(&bytes);
	return result;
}

static int
write_feature(struct metadata_snapshot *snapshot, const char *name,
    int16_t level)
{
	const struct kp_feature_level_record record = {
		.name = slice_str(name),
		.feature_level = level,
	};

	return write_record(snapshot, METADATA_RECORD_FEATURE_LEVEL, &record);
}

static int
write_own_features(struct metadata_snapshot *snapshot)
{
	size_t count;
	const struct broker_ops_feature *features =
	    broker_ops_features(&count);
	int result;

	result = write_feature(snapshot, METADATA_VERSION,
	    BROKER_OPS_METADATA_VERSION);
	for (size_t i = 0; i < count && result == 0; i++)
		if (features[i].bootstrap > 0 &&
		    strcmp(features[i].name, METADATA_VERSION) != 0)
			result = write_feature(snapshot, features[i].name,
			    features[i].bootstrap);
	return result;
}

/* metadata.version comes first; it says how to read the rest. */
static int
write_features(const struct format_settings *settings,
    struct metadata_snapshot *snapshot)
{
	int result = 0;

	if (settings->features == NULL)
		return write_own_features(snapshot);
	for (size_t i = 0; i < settings->features_count && result == 0; i++)
		result = write_feature(snapshot, settings->features[i].name,
		    settings->features[i].level);
	return result;
}

static int
write_users(const struct format_settings *settings,
    struct metadata_snapshot *snapshot)
{
	int result = 0;

	for (size_t i = 0; i < settings->scram_count && result == 0; i++)
		result = write_record(snapshot,
		    METADATA_RECORD_USER_SCRAM_CREDENTIAL,
		    &settings->scram[i]);
	return result;
}

static int
write_bootstrap(const struct format *format, const char *directory)
{
	const struct metadata_snapshot_header header = {
		.now_ms = clock_wall_ms(),
		.mode = 0644,
	};
	char *path = xasprintf("%s/%s", directory,
	    METADATA_SNAPSHOT_BOOTSTRAP);
	struct metadata_snapshot *snapshot = metadata_snapshot_create(
	    format->settings->disk, path, &header);
	int result;

	free(path);
	result = write_features(format->settings, snapshot);
	if (result == 0)
		result = write_users(format->settings, snapshot);
	if (metadata_snapshot_end(snapshot) != 0)
		result = -1;
	return result;
}

/* The one voter, encoded, in arena. */
static struct slice
voters_record(const struct format *format, struct arena *arena)
{
	const struct format_settings *settings = format->settings;
	const struct control_voter voter = {
		.id = settings->node_id,
		.directory_id =
		    format->result->directory_ids[settings->metadata_dir],
		.listener = settings->controller_listener,
		.host = settings->controller_host,
		.port = settings->controller_port,
	};

	return control_batch_voters(&voter, arena);
}

static int
write_voters(const struct format *format, const char *directory)
{
	struct metadata_snapshot_header header = {
		.now_ms = clock_wall_ms(),
		.voters = true,
		.kraft_version = 1,
		.mode = 0400,
	};
	struct disk *disk = format->settings->disk;
	char *metadata = xasprintf("%s/%s", directory, METADATA_DIR);
	char *path = xasprintf("%s/%s", metadata, VOTERS_FILE);
	struct arena arena;
	int result = make_directory(disk, metadata);

	arena_init(&arena, SIZE_MAX);
	header.last_timestamp_ms = header.now_ms;
	header.voters_record = voters_record(format, &arena);
	if (result == 0)
		result = metadata_snapshot_end(
		    metadata_snapshot_create(disk, path, &header));
	arena_reset(&arena);
	free(metadata);
	free(path);
	return result;
}

static int
write_properties(const struct format *format, size_t index)
{
	const struct place *place = &format->places[index];
	struct meta_properties meta;
	int result;

	meta_properties_init(&meta);
	meta.version = 1;
	meta.node_id = format->settings->node_id;
	meta.cluster_id = format->result->cluster_id;
	meta.directory_id = format->result->directory_ids[index];
	result = meta_properties_write(&meta, format->settings->disk,
	    place->path);
	if (result != 0)
		log_error(LOGGER, "cannot write %s/%s: %s", place->path,
		    META_PROPERTIES_FILE, strerror(errno));
	return result;
}

/* meta.properties comes last: a directory that has it is whole. */
static int
write_directory(struct format *format, size_t index)
{
	const struct place *place = &format->places[index];

	if (place->formatted) {
		if (!uuid_is_zero(place->meta.directory_id))
			return 0;
		return write_properties(format, index);
	}
	format->result->formatted = true;
	if (write_bootstrap(format, place->path) != 0)
		return -1;
	if (index == format->settings->metadata_dir &&
	    !format->settings->static_quorum &&
	    write_voters(format, place->path) != 0)
		return -1;
	if (write_properties(format, index) != 0)
		return -1;
	log_info(LOGGER, "Formatted %s for cluster %s", place->path,
	    format->result->cluster_id);
	return 0;
}

/* --- All ----------------------------------------------------------------- */

static char *
random_cluster_id(struct rng *rng)
{
	char text[UUID_TEXT_LEN + 1];

	uuid_format(uuid_random(rng), text);
	return xstrdup(text);
}

static int
look_and_check(struct format *format)
{
	const struct format_settings *settings = format->settings;

	for (size_t i = 0; i < settings->dirs_count; i++)
		if (find(format, &format->places[i], settings->dirs[i]) != 0 ||
		    check_distinct(format, i) != 0)
			return -1;
	for (size_t i = 0; i < settings->dirs_count; i++)
		if (!format->places[i].broken &&
		    look(format, &format->places[i]) != 0)
			return -1;
	if (check_metadata_dir(format) != 0)
		return -1;
	if (settings->cluster_id != NULL)
		format->result->cluster_id = xstrdup(settings->cluster_id);
	for (size_t i = 0; i < settings->dirs_count; i++)
		if (check(format, i) != 0)
			return -1;
	if (format->result->cluster_id == NULL)
		format->result->cluster_id = random_cluster_id(settings->rng);
	return 0;
}

/*
 * The metadata's directory is first, because the others may be added to it,
 * but not it to them: see check_metadata_dir.
 */
static int
write_all(struct format *format)
{
	const struct format_settings *settings = format->settings;
	int result = write_directory(format, settings->metadata_dir);

	for (size_t i = 0; i < settings->dirs_count && result == 0; i++)
		if (i != settings->metadata_dir &&
		    !format->places[i].broken &&
		    write_directory(format, i) != 0)
			result = leave_out(format, &format->places[i]);
	return result;
}

static struct place *
places_new(size_t count)
{
	struct place *places = xcalloc(count, sizeof(*places));

	for (size_t i = 0; i < count; i++) {
		meta_properties_init(&places[i].meta);
		places[i].lock_fd = -1;
	}
	return places;
}

static void
places_free(struct place *places, size_t count, struct disk *disk)
{
	for (size_t i = 0; i < count; i++) {
		meta_properties_fini(&places[i].meta);
		if (places[i].lock_fd >= 0)
			disk_close(disk, places[i].lock_fd);
	}
	free(places);
}

int
format_ensure(const struct format_settings *settings,
    struct format_result *result)
{
	struct format format = { .settings = settings, .result = result };
	int outcome;

	memset(result, 0, sizeof(*result));
	format.places = places_new(settings->dirs_count);
	result->directory_ids =
	    xcalloc(settings->dirs_count, sizeof(*result->directory_ids));
	result->left_out =
	    xcalloc(settings->dirs_count, sizeof(*result->left_out));
	outcome = look_and_check(&format);
	if (outcome == 0)
		outcome = write_all(&format);
	for (size_t i = 0; i < settings->dirs_count; i++)
		result->left_out[i] = format.places[i].broken;
	places_free(format.places, settings->dirs_count, settings->disk);
	return outcome;
}

void
format_result_fini(struct format_result *result)
{
	free(result->cluster_id);
	free(result->directory_ids);
	free(result->left_out);
	memset(result, 0, sizeof(*result));
}
