/*
 * Runs a fuzz target without a fuzz engine: over every file of the
 * directories, or over the single files, that the command line names; without
 * any, fuzz_NAME runs over tests/fuzz/corpus/NAME.  Fails where it finds
 * nothing to run.
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Run the target over a file, in memory of exactly its size. */
static void
file_run(const char *path, size_t size)
{
	uint8_t *data = xmalloc(size);
	FILE *file = fopen(path, "rb");

	assert(file != NULL);
	assert(fread(data, 1, size, file) == size);
	assert(fclose(file) == 0);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
}

static int path_run(const char *path);

static int
directory_run(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int count = 0;

	assert(dir != NULL);
	while ((entry = readdir(dir)) != NULL) {
		char *name;

		if (entry->d_name[0] == '.')
			continue;
		name = xasprintf("%s/%s", path, entry->d_name);
		count += path_run(name);
		free(name);
	}
	assert(closedir(dir) == 0);
	return count;
}

/* The number of files that were run. */
static int
path_run(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0) {
		perror(path);
		exit(1);
	}
	if (S_ISDIR(st.st_mode))
		return directory_run(path);
	file_run(path, (size_t)st.st_size);
	return 1;
}

/* Run the corpus that goes with the program's name. */
static int
corpus_run(const char *program)
{
	const char *name = strstr(program, "fuzz_");
	char *path;
	int count;

	assert(name != NULL);
	path = xasprintf(SRCDIR "/tests/fuzz/corpus/%s",
	    name + strlen("fuzz_"));
	count = path_run(path);
	free(path);
	return count;
}

int
main(int argc, char **argv)
{
	int count = argc == 1 ? corpus_run(argv[0]) : 0;

	for (int i = 1; i < argc; i++)
		count += path_run(argv[i]);
	printf("%s: %d inputs\n", argv[0], count);
	return count > 0 ? 0 : 1;
}
