/*
 * A disk for tests: passes every operation on to another one, counts it, and
 * fails those that a test asks for.
 *
 *	disk_fault_init(&fault, disk_posix());
 *	disk_fault_fail(&fault, DISK_PWRITE, ".log", 2, ENOSPC);
 *	... the third write to a path that has ".log" in it fails
 *
 * Thread-safe.
 */
#ifndef UNIT_DISK_FAULT_H
#define UNIT_DISK_FAULT_H

#include "store/disk.h"

#include <pthread.h>

enum disk_operation {
	DISK_OPEN,
	DISK_PREAD,
	DISK_PWRITE,
	DISK_FTRUNCATE,
	DISK_FALLOCATE,
	DISK_FDATASYNC,
	DISK_FSYNC,
	DISK_SYNCFS,
	DISK_STAT,	/* fstat and space too */
	DISK_SET_MTIME,
	DISK_RENAME,
	DISK_UNLINK,
	DISK_MKDIR,
	DISK_RMDIR,
	DISK_LIST,
	DISK_OPERATION_COUNT,
	DISK_ANY = DISK_OPERATION_COUNT,
};

#define DISK_FAULT_FDS 4096

struct disk_fault {
	struct disk disk;	/* what the code under test gets */
	struct disk *real;

	pthread_mutex_t mutex;
	/* Guarded by mutex. */
	char *paths[DISK_FAULT_FDS];
	uint64_t counts[DISK_OPERATION_COUNT];
	uint64_t total;

	/* The fault that is armed; operation -1: none. */
	int operation;
	const char *path_part;	/* NULL: any path */
	uint64_t skip;		/* matches before the one that fails */
	uint64_t fail_max;	/* how many fail then */
	int error;
	size_t short_len;	/* a write puts so many bytes before it fails */
	uint64_t failed;	/* how many did */

	/* Called before each operation, without the mutex; may be NULL. */
	void (*hook)(void *context, enum disk_operation operation,
	    const char *path);
	void *hook_context;
};

void disk_fault_init(struct disk_fault *fault, struct disk *real);
void disk_fault_fini(struct disk_fault *fault);

/*
 * Fail one operation with error: the one behind skip that match.  DISK_ANY
 * matches all.  path_part must stay where it is.
 */
void disk_fault_fail(struct disk_fault *fault, int operation,
    const char *path_part, uint64_t skip, int error);

/* The same, and all that match behind it. */
void disk_fault_fail_all(struct disk_fault *fault, int operation,
    const char *path_part, uint64_t skip, int error);

/* Fail no more; how many operations failed. */
uint64_t disk_fault_clear(struct disk_fault *fault);

uint64_t disk_fault_count(struct disk_fault *fault,
    enum disk_operation operation);

#endif
