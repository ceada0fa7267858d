#include "cli/data_directories.h"

#include <ctype.h>
#include <stdio.h>

#include "meta/configs.h"

static void
add_directory(struct data_directories *directories, struct slice path)
{
	while (path.len > 0 && isspace(path.data[0]))
		path.data++, path.len--;
	while (path.len > 0 && isspace(path.data[path.len - 1]))
		path.len--;
	if (path.len == 0)
		return;
	directories->paths = xrealloc(directories->paths,
	    (directories->count + 1) * sizeof(*directories->paths));
	directories->paths[directories->count++] = slice_dup(path);
}

static void
split(struct data_directories *directories, struct slice list)
{
	size_t start = 0;

	for (size_t i = 0; i <= list.len; i++) {
		if (i < list.len && list.data[i] != ',')
			continue;
		add_directory(directories,
		    slice_of(list.data + start, i - start));
		start = i + 1;
	}
}

static int
find_metadata(struct data_directories *directories, struct slice path)
{
	if (slice_is_null(path))
		return 0;
	for (size_t i = 0; i < directories->count; i++) {
		if (slice_equal_str(path, directories->paths[i])) {
			directories->metadata = i;
			return 0;
		}
	}
	fprintf(stderr,
	    "klamm: metadata.log.dir: %.*s is not one of log.dirs\n",
	    SLICE_ARG(path));
	return -1;
}

int
data_directories_read(struct data_directories *directories,
    const struct configs *configs)
{
	struct slice list = configs_broker(configs, "log.dirs");

	memset(directories, 0, sizeof(*directories));
	if (slice_is_null(list))
		list = configs_broker(configs, "log.dir");
	split(directories, list);
	if (directories->count == 0) {
		fprintf(stderr, "klamm: log.dirs: there is no directory\n");
		return -1;
	}
	if (find_metadata(directories,
		configs_broker(configs, "metadata.log.dir")) == 0)
		return 0;
	data_directories_fini(directories);
	return -1;
}

void
data_directories_fini(struct data_directories *directories)
{
	for (size_t i = 0; i < directories->count; i++)
		free(directories->paths[i]);
	free(directories->paths);
	memset(directories, 0, sizeof(*directories));
}
