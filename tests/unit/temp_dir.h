/*
 * A directory of its own for a test that works with files.
 */
#ifndef UNIT_TEMP_DIR_H
#define UNIT_TEMP_DIR_H

#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A new empty directory; temp_dir_remove frees the path. */
static inline char *
temp_dir_make(void)
{
	const char *root = getenv("TMPDIR");
	char *path = xasprintf("%s/klamm-test-XXXXXX",
	    root == NULL ? "/tmp" : root);

	assert_non_null(mkdtemp(path));
	return path;
}

static inline void
temp_dir_remove(char *path)
{
	pid_t child = fork();

	if (child == 0)
		execlp("rm", "rm", "-rf", path, (char *)NULL);
	assert_true(child > 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	free(path);
}

/* Make DIR/NAME hold text; NULL makes a directory. */
static inline void
temp_dir_put(const char *dir, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", dir, name);
	int fd;

	if (text == NULL) {
		assert_int_equal(mkdir(path, 0755), 0);
	} else {
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
		assert_true(fd >= 0);
		assert_int_equal(write(fd, text, strlen(text)),
		    (ssize_t)strlen(text));
		close(fd);
	}
	free(path);
}

static inline bool
temp_dir_has(const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	bool there = access(path, F_OK) == 0;

	free(path);
	return there;
}

/* What DIR/NAME holds, on the heap; NULL where there is none. */
static inline char *
temp_dir_get(const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	int fd = open(path, O_RDONLY);
	char *text = xcalloc(1, 65536);
	ssize_t n;

	free(path);
	if (fd < 0) {
		free(text);
		return NULL;
	}
	n = read(fd, text, 65535);
	assert_true(n >= 0);
	close(fd);
	return text;
}

#endif
