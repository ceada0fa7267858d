#include "sim/sim_disk.h"

#include "base/buf.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#define FILE_SIZE_MAX ((size_t)64 << 20)
#define FD_BASE 1000

/*
 * A sector lacks no bytes in its middle.  They are smaller here, but not so
 * small that the header of a batch could have a hole.
 */
#define GRAIN 64

/* A change of a file's contents that is not on the medium. */
struct change {
	int64_t position;	/* of a write; the new size of a truncation */
	uint8_t *data;		/* NULL: a truncation */
	size_t len;
};

/* A name in a directory. */
struct entry {
	char *name;
	struct sim_inode *inode;
};

struct entries {
	struct entry *list;
	size_t count;
};

/* A change of a directory's names that is not on the medium. */
struct name_change {
	char *from;		/* goes; NULL: none does */
	char *to;		/* comes; NULL: none does */
	struct sim_inode *inode;
};

struct sim_inode {
	bool directory;

	/* A file's. */
	struct buf data;
	struct buf medium;
	struct change *changes;
	size_t change_count;

	/* A directory's. */
	struct entries entries;
	struct entries medium_entries;
	struct name_change *name_changes;
	size_t name_change_count;
};

/* --- Contents ------------------------------------------------------------ */

static void
resize(struct buf *data, size_t size)
{
	size_t old = data->len;

	if (size > old) {
		uint8_t *more = buf_reserve(data, size - old);

		assert(more != NULL);
		memset(more, 0, size - old);
	}
	data->len = size;
}

static void
put(struct buf *data, int64_t position, const uint8_t *bytes, size_t len)
{
	if (len == 0)
		return;
	if ((size_t)position + len > data->len)
		resize(data, (size_t)position + len);
	memcpy(data->data + position, bytes, len);
}

static void
copy(struct buf *to, const struct buf *from)
{
	buf_clear(to);
	resize(to, from->len);
	if (from->len > 0)
		memcpy(to->data, from->data, from->len);
}

static void
changes_clear(struct sim_inode *inode)
{
	for (size_t i = 0; i < inode->change_count; i++)
		free(inode->changes[i].data);
	inode->change_count = 0;
}

static void
change_add(struct sim_inode *inode, int64_t position, const uint8_t *data,
    size_t len)
{
	struct change *change;

	inode->changes = xrealloc(inode->changes,
	    (inode->change_count + 1) * sizeof(*inode->changes));
	change = &inode->changes[inode->change_count++];
	*change = (struct change){ .position = position, .len = len };
	if (data != NULL) {
		change->data = xmalloc(MAX(len, 1));
		memcpy(change->data, data, len);
	}
}

/* Apply a change, or a part of it. */
static void
change_apply(struct buf *medium, const struct change *change, size_t from,
    size_t to)
{
	if (change->data == NULL)
		resize(medium, (size_t)change->position);
	else if (to > from)
		put(medium, change->position + (int64_t)from,
		    change->data + from, to - from);
}

/* --- Names --------------------------------------------------------------- */

static struct entry *
entry_find(const struct entries *entries, const char *name)
{
	for (size_t i = 0; i < entries->count; i++)
		if (strcmp(entries->list[i].name, name) == 0)
			return &entries->list[i];
	return NULL;
}

static void
entry_remove(struct entries *entries, const char *name)
{
	struct entry *entry = entry_find(entries, name);

	if (entry == NULL)
		return;
	free(entry->name);
	*entry = entries->list[--entries->count];
}

static void
entry_add(struct entries *entries, const char *name, struct sim_inode *inode)
{
	entries->list = xrealloc(
	    entries->list, (entries->count + 1) * sizeof(*entries->list));
	entries->list[entries->count++] =
	    (struct entry){ xstrdup(name), inode };
}

static void
entry_set(struct entries *entries, const char *name, struct sim_inode *inode)
{
	entry_remove(entries, name);
	entry_add(entries, name, inode);
}

static void
entries_clear(struct entries *entries)
{
	for (size_t i = 0; i < entries->count; i++)
		free(entries->list[i].name);
	entries->count = 0;
}

static void
entries_copy(struct entries *to, const struct entries *from)
{
	entries_clear(to);
	for (size_t i = 0; i < from->count; i++)
		entry_add(to, from->list[i].name, from->list[i].inode);
}

static void
name_changes_clear(struct sim_inode *inode)
{
	for (size_t i = 0; i < inode->name_change_count; i++) {
		free(inode->name_changes[i].from);
		free(inode->name_changes[i].to);
	}
	inode->name_change_count = 0;
}

static void
name_change_apply(
    struct entries *entries, const struct name_change *change)
{
	if (change->from != NULL)
		entry_remove(entries, change->from);
	if (change->to != NULL)
		entry_set(entries, change->to, change->inode);
}

/* Change names, as the process sees them, until a sync. */
static void
rename_in(struct sim_inode *directory, const char *from, const char *to,
    struct sim_inode *inode)
{
	struct name_change change = {
		.from = from == NULL ? NULL : xstrdup(from),
		.to = to == NULL ? NULL : xstrdup(to),
		.inode = inode,
	};

	name_change_apply(&directory->entries, &change);
	directory->name_changes = xrealloc(directory->name_changes,
	    (directory->name_change_count + 1) *
		sizeof(*directory->name_changes));
	directory->name_changes[directory->name_change_count++] = change;
}

/* --- Paths --------------------------------------------------------------- */

static struct sim_inode *
inode_new(struct sim_disk *sim, bool directory)
{
	struct sim_inode *inode = xcalloc(1, sizeof(*inode));

	inode->directory = directory;
	buf_init(&inode->data, FILE_SIZE_MAX);
	buf_init(&inode->medium, FILE_SIZE_MAX);
	sim->inodes = xrealloc(
	    sim->inodes, (sim->inode_count + 1) * sizeof(*sim->inodes));
	sim->inodes[sim->inode_count++] = inode;
	return inode;
}

/* Without the components that ".." takes back. */
static char *
normal(const char *path)
{
	char *result = xstrdup(path);
	char *up, *before;

	while ((up = strstr(result, "/..")) != NULL) {
		*up = '\0';
		before = strrchr(result, '/');
		assert(before != NULL);
		memmove(before, up + 3, strlen(up + 3) + 1);
	}
	return result;
}

/*
 * The directory that path is in and the last name, which the caller frees
 * with *whole.  NULL with errno.
 */
static struct sim_inode *
walk(struct sim_disk *sim, const char *path, char **whole, char **last)
{
	struct sim_inode *directory = sim->root;
	char *next, *name;

	*whole = normal(path);
	name = *whole + (**whole == '/');
	while ((next = strchr(name, '/')) != NULL) {
		struct entry *entry;

		*next = '\0';
		entry = entry_find(&directory->entries, name);
		if (entry == NULL || !entry->inode->directory) {
			free(*whole);
			errno = ENOENT;
			return NULL;
		}
		directory = entry->inode;
		name = next + 1;
	}
	*last = name;
	return directory;
}

/* What path names, or NULL with errno. */
static struct sim_inode *
lookup(struct sim_disk *sim, const char *path)
{
	char *whole, *last;
	struct sim_inode *directory = walk(sim, path, &whole, &last);
	struct entry *entry;

	if (directory == NULL)
		return NULL;
	if (*last == '\0') {
		free(whole);
		return directory;
	}
	entry = entry_find(&directory->entries, last);
	free(whole);
	if (entry == NULL) {
		errno = ENOENT;
		return NULL;
	}
	return entry->inode;
}

/* --- Faults -------------------------------------------------------------- */

static struct sim_disk *
sim_of(struct disk *disk)
{
	return CONTAINER_OF(disk, struct sim_disk, disk);
}

bool
sim_disk_lasts(const struct sim_disk *sim)
{
	return sim->fault == SIM_FAULT_FULL || sim->fault == SIM_FAULT_EMFILE;
}

/*
 * Count an operation.  The fault that comes now, if it is one of `possible`
 * (bits by enum sim_fault); else it comes with the next one that fits.
 */
static enum sim_fault
step(struct sim_disk *sim, unsigned possible)
{
	if (sim->quiet)
		return SIM_FAULT_NONE;
	if (sim->off)
		return SIM_FAULT_POWER;
	sim->operations++;
	if (sim->fault == SIM_FAULT_NONE ||
	    (sim->struck && !sim_disk_lasts(sim)) ||
	    sim->operations < sim->fault_at ||
	    (possible & 1U << sim->fault) == 0)
		return SIM_FAULT_NONE;
	sim->struck = sim->struck_ever = true;
	log_debug("sim", "operation %" PRIu64 " fails: %d", sim->operations,
	    (int)sim->fault);
	sim->off = sim->fault == SIM_FAULT_POWER;
	return sim->fault;
}

static int
failed(enum sim_fault fault)
{
	switch (fault) {
	case SIM_FAULT_ENOSPC:
	case SIM_FAULT_FULL:
		errno = ENOSPC;
		break;
	case SIM_FAULT_EMFILE:
		errno = EMFILE;
		break;
	case SIM_FAULT_EINTR:
		errno = EINTR;
		break;
	default:
		errno = EIO;
	}
	return -1;
}

#define ANY (1U << SIM_FAULT_EIO | 1U << SIM_FAULT_POWER)
#define SPACE (ANY | 1U << SIM_FAULT_ENOSPC | 1U << SIM_FAULT_FULL)
#define FILES (1U << SIM_FAULT_EMFILE)
#define SIGNAL (1U << SIM_FAULT_EINTR)
#define PART (1U << SIM_FAULT_SHORT)

/* --- Operations ---------------------------------------------------------- */

static int
fd_new(struct sim_disk *sim, struct sim_inode *inode)
{
	size_t at = 0;

	while (at < sim->fd_count && sim->fds[at] != NULL)
		at++;
	if (at == sim->fd_count) {
		sim->fds = xrealloc(
		    sim->fds, (sim->fd_count + 1) * sizeof(*sim->fds));
		sim->fd_count++;
	}
	sim->fds[at] = inode;
	return FD_BASE + (int)at;
}

static struct sim_inode *
inode_of(struct sim_disk *sim, int fd)
{
	struct sim_inode *inode;

	assert(fd >= FD_BASE && fd < FD_BASE + (int)sim->fd_count);
	inode = sim->fds[fd - FD_BASE];
	assert(inode != NULL);
	return inode;
}

static void
truncate_to(struct sim_inode *inode, int64_t size)
{
	resize(&inode->data, (size_t)size);
	change_add(inode, size, NULL, 0);
}

static int
sim_open(struct disk *disk, const char *path, int flags, mode_t mode UNUSED)
{
	struct sim_disk *sim = sim_of(disk);
	enum sim_fault fault =
	    step(sim, SIGNAL | FILES |
		((flags & O_CREAT) != 0 ? SPACE : ANY));
	struct sim_inode *inode, *directory;
	char *whole, *last;

	if (fault != SIM_FAULT_NONE)
		return failed(fault);
	inode = lookup(sim, path);
	if (inode == NULL && (flags & O_CREAT) == 0)
		return -1;
	if (inode == NULL) {
		directory = walk(sim, path, &whole, &last);
		if (directory == NULL)
			return -1;
		inode = inode_new(sim, false);
		rename_in(directory, NULL, last, inode);
		free(whole);
	} else if ((flags & O_TRUNC) != 0) {
		truncate_to(inode, 0);
	}
	return fd_new(sim, inode);
}

static int
sim_close(struct disk *disk, int fd)
{
	struct sim_disk *sim = sim_of(disk);

	assert(inode_of(sim, fd) != NULL);
	sim->fds[fd - FD_BASE] = NULL;
	return 0;
}

static ssize_t
sim_pread(struct disk *disk, int fd, void *data, size_t len, int64_t position)
{
	struct sim_disk *sim = sim_of(disk);
	struct sim_inode *inode = inode_of(sim, fd);
	enum sim_fault fault = step(sim, ANY | SIGNAL | PART);

	if (fault != SIM_FAULT_NONE && fault != SIM_FAULT_SHORT)
		return failed(fault);
	if ((size_t)position >= inode->data.len)
		return 0;
	len = MIN(len, inode->data.len - (size_t)position);
	if (fault == SIM_FAULT_SHORT && len > 1)
		len = 1 + rng_below(sim->rng, len - 1);
	memcpy(data, inode->data.data + position, len);
	return (ssize_t)len;
}

static ssize_t
sim_pwritev(struct disk *disk, int fd, const struct iovec *iov,
    int count UNUSED, int64_t position)
{
	struct sim_disk *sim = sim_of(disk);
	struct sim_inode *inode = inode_of(sim, fd);
	enum sim_fault fault = step(sim, SPACE | SIGNAL | PART);
	size_t len = iov[0].iov_len;

	if (fault == SIM_FAULT_EINTR || fault == SIM_FAULT_POWER)
		return failed(fault);
	if (fault != SIM_FAULT_NONE)
		len = rng_below(sim->rng, len + 1);
	if (fault == SIM_FAULT_SHORT)
		len = MAX(len, 1);
	put(&inode->data, position, iov[0].iov_base, len);
	change_add(inode, position, iov[0].iov_base, len);
	if (fault != SIM_FAULT_NONE && fault != SIM_FAULT_SHORT)
		return failed(fault);
	return (ssize_t)len;
}

static int
sim_ftruncate(struct disk *disk, int fd, int64_t size)
{
	struct sim_disk *sim = sim_of(disk);
	enum sim_fault fault = step(sim, ANY | SIGNAL);

	if (fault != SIM_FAULT_NONE)
		return failed(fault);
	truncate_to(inode_of(sim, fd), size);
	return 0;
}

/* Blocks behind the size are nothing that anybody could see. */
static int
sim_fallocate(struct disk *disk, int fd, int64_t position UNUSED,
    int64_t len UNUSED)
{
	struct sim_disk *sim = sim_of(disk);
	enum sim_fault fault = step(sim, SPACE | SIGNAL);

	(void)inode_of(sim, fd);
	return fault == SIM_FAULT_NONE ? 0 : failed(fault);
}

/* What is pending, and no more: what a failed sync has lost stays lost. */
static void
sync_inode(struct sim_inode *inode)
{
	for (size_t i = 0; i < inode->change_count; i++)
		change_apply(&inode->medium, &inode->changes[i], 0,
		    inode->changes[i].len);
	changes_clear(inode);
	for (size_t i = 0; i < inode->name_change_count; i++)
		name_change_apply(
		    &inode->medium_entries, &inode->name_changes[i]);
	name_changes_clear(inode);
}

/*
 * What was pending is forgotten, and what was written stays only in memory: a
 * directory's names, which are in the journal, are another matter.
 */
static void
lose(struct sim_inode *inode)
{
	changes_clear(inode);
}

static int
sim_fsync(struct disk *disk, int fd)
{
	struct sim_disk *sim = sim_of(disk);
	struct sim_inode *inode = inode_of(sim, fd);
	enum sim_fault fault = step(sim, ANY);

	if (fault == SIM_FAULT_EIO)
		lose(inode);
	if (fault != SIM_FAULT_NONE)
		return failed(fault);
	sync_inode(inode);
	return 0;
}

static int
sim_syncfs(struct disk *disk, int fd)
{
	struct sim_disk *sim = sim_of(disk);
	enum sim_fault fault = step(sim, ANY);

	(void)inode_of(sim, fd);
	if (fault == SIM_FAULT_POWER)
		return failed(fault);
	for (size_t i = 0; i < sim->inode_count; i++) {
		if (fault == SIM_FAULT_EIO)
			lose(sim->inodes[i]);
		else
			sync_inode(sim->inodes[i]);
	}
	return fault == SIM_FAULT_NONE ? 0 : failed(fault);
}

/* What is not pending, and not on the medium either, is seen no more. */
static int
sim_forget(struct disk *disk, int fd)
{
	struct sim_inode *inode = inode_of(sim_of(disk), fd);

	copy(&inode->data, &inode->medium);
	for (size_t i = 0; i < inode->change_count; i++)
		change_apply(&inode->data, &inode->changes[i], 0,
		    inode->changes[i].len);
	return 0;
}

static void
describe(const struct sim_inode *inode, struct stat *st)
{
	memset(st, 0, sizeof(*st));
	st->st_dev = 1;
	st->st_mode = inode->directory ? S_IFDIR | 0755 : S_IFREG | 0644;
	st->st_size = (off_t)inode->data.len;
	st->st_blocks = (blkcnt_t)((inode->data.len + 511) / 512);
	st->st_mtim.tv_sec = 1;
}

static int
sim_fstat(struct disk *disk, int fd, struct stat *st)
{
	struct sim_disk *sim = sim_of(disk);
	enum sim_fault fault = step(sim, ANY);

	if (fault != SIM_FAULT_NONE)
		return failed(fault);
	describe(inode_of(sim, fd), st);
	return 0;
}

static int
sim_stat(struct disk *disk, const char *path, struct stat *st)
{
	struct sim_disk *sim = sim_of(disk);
	enum sim_fault fault = step(sim, ANY);
	const struct sim_inode *inode;

	if (fault != SIM_FAULT_NONE)
		return failed(fault);
	inode = lookup(sim, path);
	if (inode == NULL)
		return -1;
	describe(inode, st);
	return 0;
}

/* Nor at how large the medium is. */
static int
sim_space(
    struct disk *disk, const char *path UNUSED, struct disk_space *space)
{
	enum sim_fault fault = step(sim_of(disk), ANY);

	*space = (struct disk_space){ 0 };
	return fault == SIM_FAULT_NONE ? 0 : failed(fault);
}

/* Nobody else is there. */
static int
sim_lock(struct disk *disk, int fd)
{
	struct sim_disk *sim = sim_of(disk);
	enum sim_fault fault = step(sim, ANY);

	(void)inode_of(sim, fd);
	return fault == SIM_FAULT_NONE ? 0 : failed(fault);
}

/* Nobody here looks at times. */
static int
sim_set_mtime(struct disk *disk, int fd UNUSED, int64_t mtime_ms UNUSED)
{
	enum sim_fault fault = step(sim_of(disk), ANY);

	return fault == SIM_FAULT_NONE ? 0 : failed(fault);
}

static int
sim_rename(struct disk *disk, const char *from, const char *to)
{
	struct sim_disk *sim = sim_of(disk);
	enum sim_fault fault = step(sim, SPACE);
	struct sim_inode *inode = lookup(sim, from);
	struct sim_inode *old, *new;
	char *from_whole, *from_last, *to_whole, *to_last;

	if (fault != SIM_FAULT_NONE)
		return failed(fault);
	if (inode == NULL)
		return -1;
	old = walk(sim, from, &from_whole, &from_last);
	new = walk(sim, to, &to_whole, &to_last);
	/* Nobody here moves anything to another directory. */
	assert(old != NULL && old == new);
	rename_in(old, from_last, to_last, inode);
	free(from_whole);
	free(to_whole);
	return 0;
}

static int
remove_name(struct sim_disk *sim, const char *path)
{
	struct sim_inode *inode = lookup(sim, path);
	struct sim_inode *directory;
	char *whole, *last;

	if (inode == NULL)
		return -1;
	directory = walk(sim, path, &whole, &last);
	rename_in(directory, last, NULL, NULL);
	free(whole);
	return 0;
}

static int
sim_unlink(struct disk *disk, const char *path)
{
	struct sim_disk *sim = sim_of(disk);
	enum sim_fault fault = step(sim, ANY);

	return fault == SIM_FAULT_NONE ? remove_name(sim, path) :
					 failed(fault);
}

static int
sim_mkdir(struct disk *disk, const char *path, mode_t mode UNUSED)
{
	struct sim_disk *sim = sim_of(disk);
	enum sim_fault fault = step(sim, SPACE);
	struct sim_inode *directory;
	char *whole, *last;

	if (fault != SIM_FAULT_NONE)
		return failed(fault);
	if (lookup(sim, path) != NULL) {
		errno = EEXIST;
		return -1;
	}
	directory = walk(sim, path, &whole, &last);
	if (directory == NULL)
		return -1;
	rename_in(directory, NULL, last, inode_new(sim, true));
	free(whole);
	return 0;
}

static int
sim_rmdir(struct disk *disk, const char *path)
{
	return sim_unlink(disk, path);
}

static int
sim_list(struct disk *disk, const char *path, disk_list_fn fn, void *context)
{
	struct sim_disk *sim = sim_of(disk);
	enum sim_fault fault = step(sim, ANY | FILES);
	const struct sim_inode *inode;
	struct entries names = { 0 };
	int result = 0;

	if (fault != SIM_FAULT_NONE)
		return failed(fault);
	inode = lookup(sim, path);
	if (inode == NULL)
		return -1;
	/* fn may change the directory. */
	entries_copy(&names, &inode->entries);
	for (size_t i = 0; i < names.count && result == 0; i++)
		result = fn(context, names.list[i].name);
	entries_clear(&names);
	free(names.list);
	return result;
}

/* --- Crashes ------------------------------------------------------------- */

enum survival { NOTHING, ALL, PREFIX, ANYTHING, ZEROES, SURVIVAL_COUNT };

/*
 * Of each change any part, in order; but what was written behind a truncation
 * has blocks of its own, which without it are nobody's.
 */
static void
survive_anything(struct sim_disk *sim, struct sim_inode *inode)
{
	for (size_t i = 0; i < inode->change_count; i++) {
		const struct change *change = &inode->changes[i];
		size_t from = GRAIN *
		    rng_below(sim->rng, change->len / GRAIN + 1);
		size_t to = GRAIN *
		    rng_below(sim->rng, change->len / GRAIN + 1);

		if (rng_below(sim->rng, 3) == 0) {
			if (change->data == NULL)
				break;
			continue;
		}
		if (rng_below(sim->rng, 2) == 0)
			change_apply(
			    &inode->medium, change, 0, change->len);
		else
			change_apply(&inode->medium, change, MIN(from, to),
			    MAX(from, to));
	}
}

/* The first changes, the last of them torn. */
static void
survive_prefix(struct sim_disk *sim, struct sim_inode *inode)
{
	size_t count = rng_below(sim->rng, inode->change_count + 1);

	for (size_t i = 0; i < count; i++) {
		const struct change *change = &inode->changes[i];
		size_t len = change->len;

		if (i + 1 == count)
			len = rng_below(sim->rng, len + 1);
		change_apply(&inode->medium, change, 0, len);
	}
}

static void
file_crash(struct sim_disk *sim, struct sim_inode *inode)
{
	size_t size = inode->data.len;

	switch ((enum survival)rng_below(sim->rng, SURVIVAL_COUNT)) {
	case ALL:
		for (size_t i = 0; i < inode->change_count; i++)
			change_apply(&inode->medium, &inode->changes[i], 0,
			    inode->changes[i].len);
		break;
	case PREFIX:
		survive_prefix(sim, inode);
		break;
	case ANYTHING:
		survive_anything(sim, inode);
		break;
	case ZEROES:
		/* The size is there, the blocks are not. */
		if (inode->change_count > 0 && size > inode->medium.len)
			resize(&inode->medium, size);
		break;
	case NOTHING:
	case SURVIVAL_COUNT:
		break;
	}
	changes_clear(inode);
	copy(&inode->data, &inode->medium);
}

/* Names come from a journal: the first changes, none without those before. */
static void
directory_crash(struct sim_disk *sim, struct sim_inode *inode)
{
	size_t count = rng_below(sim->rng, inode->name_change_count + 1);

	for (size_t i = 0; i < count; i++)
		name_change_apply(
		    &inode->medium_entries, &inode->name_changes[i]);
	name_changes_clear(inode);
	entries_copy(&inode->entries, &inode->medium_entries);
}

void
sim_disk_kill(struct sim_disk *sim)
{
	for (size_t i = 0; i < sim->fd_count; i++)
		sim->fds[i] = NULL;
}

void
sim_disk_crash(struct sim_disk *sim)
{
	sim_disk_kill(sim);
	for (size_t i = 0; i < sim->inode_count; i++) {
		struct sim_inode *inode = sim->inodes[i];

		if (inode->directory)
			directory_crash(sim, inode);
		else
			file_crash(sim, inode);
	}
	sim->off = false;
}

void
sim_disk_fail(struct sim_disk *sim, enum sim_fault fault, uint64_t after)
{
	sim->fault = fault;
	sim->fault_at = sim->operations + 1 + after;
	sim->struck = false;
}

bool
sim_disk_heal(struct sim_disk *sim)
{
	bool struck = sim->struck;

	sim->fault = SIM_FAULT_NONE;
	sim->struck = false;
	return struck;
}

/* --- Life ---------------------------------------------------------------- */

void
sim_disk_init(struct sim_disk *sim, struct rng *rng)
{
	*sim = (struct sim_disk){
		.disk = {
			.open = sim_open,
			.close = sim_close,
			.pread = sim_pread,
			.pwritev = sim_pwritev,
			.ftruncate = sim_ftruncate,
			.fallocate = sim_fallocate,
			.fdatasync = sim_fsync,
			.fsync = sim_fsync,
			.syncfs = sim_syncfs,
			.forget = sim_forget,
			.fstat = sim_fstat,
			.stat = sim_stat,
			.space = sim_space,
			.lock = sim_lock,
			.set_mtime = sim_set_mtime,
			.rename = sim_rename,
			.unlink = sim_unlink,
			.mkdir = sim_mkdir,
			.rmdir = sim_rmdir,
			.list = sim_list,
		},
		.rng = rng,
	};
	sim->root = inode_new(sim, true);
}

static void
inode_free(struct sim_inode *inode)
{
	changes_clear(inode);
	name_changes_clear(inode);
	entries_clear(&inode->entries);
	entries_clear(&inode->medium_entries);
	free(inode->changes);
	free(inode->name_changes);
	free(inode->entries.list);
	free(inode->medium_entries.list);
	buf_fini(&inode->data);
	buf_fini(&inode->medium);
	free(inode);
}

void
sim_disk_fini(struct sim_disk *sim)
{
	for (size_t i = 0; i < sim->inode_count; i++)
		inode_free(sim->inodes[i]);
	free(sim->inodes);
	free(sim->fds);
}

static void
inode_copy(struct sim_disk *sim, struct sim_inode *to,
    const struct sim_inode *from)
{
	copy(&to->data, &from->data);
	copy(&to->medium, &from->data);
	for (size_t i = 0; i < from->entries.count; i++) {
		const struct entry *entry = &from->entries.list[i];
		struct sim_inode *inode =
		    inode_new(sim, entry->inode->directory);

		entry_add(&to->entries, entry->name, inode);
		entry_add(&to->medium_entries, entry->name, inode);
		inode_copy(sim, inode, entry->inode);
	}
}

void
sim_disk_copy(struct sim_disk *to, const struct sim_disk *from)
{
	inode_copy(to, to->root, from->root);
}
