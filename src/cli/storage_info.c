/*
 * `klamm storage info`: whose the directories of a configuration are.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cli/exit_code.h"
#include "cli/storage.h"
#include "store/disk.h"
#include "store/disk_posix.h"
#include "store/meta_properties.h"

struct info {
	struct disk *disk;
	char **found;		/* borrowed paths */
	size_t found_count;
	char **problems;	/* owned */
	size_t problem_count;
	struct meta_properties meta;	/* of the first one */
	bool formatted;		/* meta is set */
};

/* Takes ownership of the text. */
static void
add_problem(struct info *info, char *text)
{
	info->problems = xrealloc(info->problems,
	    (info->problem_count + 1) * sizeof(*info->problems));
	info->problems[info->problem_count++] = text;
}

static bool
same_cluster(const struct meta_properties *a, const struct meta_properties *b)
{
	return slice_equal(slice_str(a->cluster_id),
	    slice_str(b->cluster_id));
}

/* Compare with the first one, or be it. */
static void
take_meta(struct info *info, struct meta_properties *meta)
{
	if (!info->formatted) {
		info->meta = *meta;
		info->formatted = true;
		return;
	}
	if (!same_cluster(&info->meta, meta))
		add_problem(info, xstrdup("Mismatched cluster IDs between "
		    "storage directories."));
	else if (info->meta.node_id != meta->node_id)
		add_problem(info, xstrdup("Mismatched node IDs between "
		    "storage directories."));
	meta_properties_fini(meta);
}

static void
look_at(struct info *info, char *path)
{
	struct meta_properties meta;
	char *why = NULL;
	struct stat st;

	if (disk_stat(info->disk, path, &st) != 0) {
		add_problem(info, errno == ENOENT
			? xasprintf("%s does not exist", path)
			: xasprintf("%s: %s", path, strerror(errno)));
		return;
	}
	if (!S_ISDIR(st.st_mode)) {
		add_problem(info, xasprintf("%s is not a directory", path));
		return;
	}
	info->found[info->found_count++] = path;
	meta_properties_init(&meta);
	if (meta_properties_read(&meta, info->disk, path, &why) == 0) {
		take_meta(info, &meta);
		return;
	}
	add_problem(info, errno == ENOENT
		? xasprintf("%s is not formatted.", path)
		: xasprintf("Error loading %s/%s: %s", path,
		      META_PROPERTIES_FILE,
		      why != NULL ? why : strerror(errno)));
	free(why);
}

/* In the order of the keys, of which version 0 has others. */
static void
print_meta(const struct meta_properties *meta)
{
	char directory_id[UUID_TEXT_LEN + 1];
	const char *separator = "";

	fputs("Found metadata: {", stdout);
	if (meta->version == 0 && meta->node_id >= 0) {
		printf("broker.id=%d", meta->node_id);
		separator = ", ";
	}
	if (meta->cluster_id != NULL) {
		printf("%scluster.id=%s", separator, meta->cluster_id);
		separator = ", ";
	}
	if (!uuid_is_zero(meta->directory_id)) {
		uuid_format(meta->directory_id, directory_id);
		printf("%sdirectory.id=%s", separator, directory_id);
		separator = ", ";
	}
	if (meta->version == 1)
		printf("%snode.id=%d", separator, meta->node_id);
	printf(", version=%d}\n\n", meta->version);
}

static void
print_list(const char *one, const char *several, char *const *lines,
    size_t count)
{
	if (count == 0)
		return;
	puts(count == 1 ? one : several);
	for (size_t i = 0; i < count; i++)
		printf("  %s\n", lines[i]);
	puts("");
}

static int
print_info(struct info *info)
{
	if (info->formatted && info->meta.version == 0)
		add_problem(info, xstrdup("The kafka configuration file "
		    "appears to be for a cluster in KRaft mode, but the "
		    "directories are formatted for legacy mode."));
	print_list("Found log directory:", "Found log directories:",
	    info->found, info->found_count);
	if (info->formatted)
		print_meta(&info->meta);
	print_list("Found problem:", "Found problems:", info->problems,
	    info->problem_count);
	return info->problem_count == 0 ? EXIT_OK : EXIT_FAILED;
}

static int
info_of(const struct data_directories *directories)
{
	size_t *order = storage_directory_order(directories);
	struct info info = {
		.disk = disk_posix(),
		.found = xcalloc(directories->count, sizeof(char *)),
	};
	int result;

	for (size_t i = 0; i < directories->count; i++)
		look_at(&info, directories->paths[order[i]]);
	result = print_info(&info);
	for (size_t i = 0; i < info.problem_count; i++)
		free(info.problems[i]);
	if (info.formatted)
		meta_properties_fini(&info.meta);
	free(info.problems);
	free(info.found);
	free(order);
	return result;
}

int
storage_info(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	struct configuration configuration;
	const char *path = NULL;
	int result = EXIT_FAILED, option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "c:", options, NULL)) == 'c')
		path = optarg;
	if (option != -1)
		return EXIT_USAGE;
	if (optind < argc)
		return storage_usage("%s: not an option", argv[optind]);
	if (path == NULL)
		return storage_usage("--config is missing");
	if (storage_configuration(&configuration, path) == 0)
		result = info_of(&configuration.directories);
	configuration_fini(&configuration);
	return result;
}
