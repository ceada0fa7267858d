#include "base/base.h"
#include "store/meta_properties.h"

#include "base/clock.h"
#include "base/properties.h"
#include "store/disk.h"
#include "store/state_file.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

/* The file has five lines; Java's header line is the longest. */
#define FILE_LEN_MAX 65536

void
meta_properties_init(struct meta_properties *meta)
{
	*meta = (struct meta_properties){ .version = 1, .node_id = -1 };
}

void
meta_properties_fini(struct meta_properties *meta)
{
	free(meta->cluster_id);
	meta_properties_init(meta);
}

static char *
file_path(const char *directory)
{
	return xasprintf("%s/%s", directory, META_PROPERTIES_FILE);
}

/* --- reading ------------------------------------------------------------- */

/* A number from 0 to max, or -1. */
static int32_t
number_parse(const char *text, int32_t max)
{
	int64_t value = 0;

	if (*text == '\0')
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		value = value * 10 + (*text - '0');
		if (value > max)
			return -1;
	}
	return (int32_t)value;
}

static char *
version_read(struct meta_properties *meta, const struct properties *file)
{
	const char *text = properties_get(file, "version");

	if (text == NULL)
		return xstrdup("version is missing");
	meta->version = number_parse(text, 1);
	if (meta->version < 0)
		return xasprintf("version is %s, known are 0 and 1", text);
	return NULL;
}

static char *
node_id_read(struct meta_properties *meta, const struct properties *file)
{
	const char *key = meta->version == 0 ? "broker.id" : "node.id";
	const char *text = properties_get(file, key);

	if (text == NULL)
		return meta->version == 0 ? NULL :
					    xasprintf("%s is missing", key);
	meta->node_id = number_parse(text, INT32_MAX);
	if (meta->node_id < 0)
		return xasprintf("%s is no number: %s", key, text);
	return NULL;
}

static char *
ids_read(struct meta_properties *meta, const struct properties *file)
{
	const char *cluster_id = properties_get(file, "cluster.id");
	const char *directory_id = properties_get(file, "directory.id");

	if (cluster_id != NULL)
		meta->cluster_id = xstrdup(cluster_id);
	else if (meta->version == 1)
		return xstrdup("cluster.id is missing");
	if (directory_id == NULL)
		return NULL;
	if (uuid_parse(slice_str(directory_id), &meta->directory_id) < 0 ||
	    uuid_is_reserved(meta->directory_id))
		return xasprintf("directory.id is no id: %s", directory_id);
	return NULL;
}

/* What is wrong with the text, on the heap, or NULL. */
static char *
text_read(struct meta_properties *meta, struct slice text)
{
	struct properties file;
	size_t line;
	char *why = NULL;

	properties_init(&file);
	if (properties_parse(&file, text, &line) < 0)
		why = xasprintf("line %zu is no property", line);
	if (why == NULL && file.count == 0)
		why = xstrdup("it is empty");
	if (why == NULL)
		why = version_read(meta, &file);
	if (why == NULL)
		why = node_id_read(meta, &file);
	if (why == NULL)
		why = ids_read(meta, &file);
	properties_fini(&file);
	return why;
}

int
meta_properties_read(struct meta_properties *meta, struct disk *disk,
    const char *directory, char **why)
{
	char *path = file_path(directory);
	size_t len;
	uint8_t *text = disk_read_file(disk, path, FILE_LEN_MAX, &len);

	free(path);
	*why = NULL;
	meta_properties_fini(meta);
	if (text == NULL)
		return -1;
	*why = text_read(meta, slice_of(text, len));
	free(text);
	if (*why == NULL)
		return 0;
	meta_properties_fini(meta);
	errno = EBADMSG;
	return -1;
}

/* --- writing ------------------------------------------------------------- */

/* "Sat Jan 31 12:00:00 UTC 2026", the second line of Java's files. */
static void
date_format(char *text, size_t size)
{
	time_t now = (time_t)(clock_wall_ms() / 1000);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(text, size, "%a %b %d %H:%M:%S UTC %Y", &tm);
}

int
meta_properties_write(const struct meta_properties *meta, struct disk *disk,
    const char *directory)
{
	char *path = file_path(directory), *pairs, *text, date[64], number[16];
	char uuid[UUID_TEXT_LEN + 1];
	struct properties file;
	int result;

	assert(meta->cluster_id != NULL && meta->node_id >= 0);
	properties_init(&file);
	properties_set(&file, "version", "1");
	properties_set(&file, "cluster.id", meta->cluster_id);
	snprintf(number, sizeof(number), "%d", meta->node_id);
	properties_set(&file, "node.id", number);
	if (!uuid_is_zero(meta->directory_id)) {
		uuid_format(meta->directory_id, uuid);
		properties_set(&file, "directory.id", uuid);
	}
	pairs = properties_text(&file);
	properties_fini(&file);
	date_format(date, sizeof(date));
	text = xasprintf("#\n#%s\n%s", date, pairs);
	result = state_file_write(disk, path, slice_str(text));
	free(text);
	free(pairs);
	free(path);
	return result;
}
