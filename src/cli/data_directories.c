#include "cli/data_directories.h"

#include <stdio.h>
#include <unistd.h>

#include "base/slice.h"

/* Absolute, as Kafka shows them and clients name them, on the heap. */
static char *
absolute(struct slice path)
{
	char *base, *result;

	if (path.data[0] == '/')
		return slice_dup(path);
	base = getcwd(NULL, 0);
	if (base == NULL)
		return slice_dup(path);
	result = xasprintf("%s/%.*s", base, SLICE_ARG(path));
	free(base);
	return result;
}

static void
add_directory(struct data_directories *directories, struct slice path)
{
	path = slice_trim(path);
	while (path.len > 1 && path.data[path.len - 1] == '/')
		path.len--;
	if (path.len == 0)
		return;
	directories->paths = xrealloc(directories->paths,
	    (directories->count + 1) * sizeof(*directories->paths));
	directories->paths[directories->count++] = absolute(path);
}

/* Kafka takes what stands in a list twice once. */
static void
split(struct data_directories *directories, struct slice list)
{
	struct slice left = list, path;

	while (slice_next_word(&left, &path))
		if (!slice_list_has(slice_of(list.data,
					(size_t)(path.data - list.data)),
			path))
			add_directory(directories, path);
}

/* The metadata may have a directory of its own. */
static void
find_metadata(struct data_directories *directories, const char *path)
{
	size_t count = directories->count;

	if (path != NULL)
		add_directory(directories, slice_str(path));
	if (directories->count == count)
		return;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(directories->paths[i], directories->paths[count]) !=
		    0)
			continue;
		free(directories->paths[count]);
		directories->count = count;
		directories->metadata = i;
		return;
	}
	directories->metadata = count;
}

int
data_directories_read(struct data_directories *directories,
    const struct properties *properties)
{
	const char *list = properties_get(properties, "log.dirs");

	memset(directories, 0, sizeof(*directories));
	if (list == NULL)
		list = properties_get(properties, "log.dir");
	split(directories, slice_str(list));
	if (directories->count == 0) {
		fprintf(stderr, "klamm: log.dirs: there is no directory\n");
		return -1;
	}
	directories->logs_count = directories->count;
	find_metadata(directories,
	    properties_get(properties, "metadata.log.dir"));
	return 0;
}

void
data_directories_fini(struct data_directories *directories)
{
	for (size_t i = 0; i < directories->count; i++)
		free(directories->paths[i]);
	free(directories->paths);
	memset(directories, 0, sizeof(*directories));
}
