/*
 * A disk in memory that loses what was not synced.
 *
 * It keeps two states of every file and directory: what a process sees, and
 * what is on the medium.  A write, a truncation and a change of a name are
 * pending until the file, or the directory that has the name, is synced.
 * sim_disk_crash is the power cut: of a file's changes any part may have
 * reached the medium, in any order, torn anywhere, or as a longer file that
 * reads as zeroes; of a directory's the first ones, as a journal keeps them.
 * The rest is gone.
 *
 * A sync that fails drops what was pending: the process goes on seeing it, and
 * a later sync succeeds, but it never reaches the medium (Linux's way).
 *
 * Not thread-safe.
 */
#ifndef SIM_SIM_DISK_H
#define SIM_SIM_DISK_H

#include "base/rng.h"
#include "store/disk.h"

/* What goes wrong, at the operation that is chosen; once, if not said. */
enum sim_fault {
	SIM_FAULT_NONE,
	SIM_FAULT_EIO,
	SIM_FAULT_ENOSPC,	/* of operations that need space */
	SIM_FAULT_FULL,		/* the same, with all later ones */
	SIM_FAULT_EMFILE,	/* of what opens a file, with all later ones */
	SIM_FAULT_EINTR,
	SIM_FAULT_SHORT,	/* a read or write of a part */
	SIM_FAULT_POWER,	/* it and all later ones: the machine is off */
	SIM_FAULTS,
};

struct sim_inode;

struct sim_disk {
	struct disk disk;	/* what the code under test gets */
	bool quiet;		/* who only looks: nothing fails, or counts */

	/* Private. */
	struct rng *rng;
	struct sim_inode *root;
	struct sim_inode **inodes;	/* all there ever were */
	size_t inode_count;
	struct sim_inode **fds;		/* by descriptor; NULL: free */
	size_t fd_count;

	uint64_t operations;	/* so far */
	uint64_t fault_at;	/* the operation that fails */
	enum sim_fault fault;
	bool off;		/* the power is */
	bool struck;		/* the fault has come */
	bool struck_ever;	/* this one, or one before */
};

/* An empty disk; rng decides what crashes keep.  It outlives the disk. */
void sim_disk_init(struct sim_disk *sim, struct rng *rng);
void sim_disk_fini(struct sim_disk *sim);

/*
 * Make `to`, which was initialised and is empty, the same as `from`: what a
 * process sees there, all of it on the medium.
 */
void sim_disk_copy(struct sim_disk *to, const struct sim_disk *from);

/* Let the fault come at the operation that is `after` operations away. */
void sim_disk_fail(struct sim_disk *sim, enum sim_fault fault, uint64_t after);

/* No fault any more; whether it had come. */
bool sim_disk_heal(struct sim_disk *sim);

/* Is the fault one that goes on until the disk is healed? */
bool sim_disk_lasts(const struct sim_disk *sim);

/* Cut the power, and turn it on again.  All descriptors are closed. */
void sim_disk_crash(struct sim_disk *sim);

/* The process is killed: its descriptors are closed, nothing is lost. */
void sim_disk_kill(struct sim_disk *sim);

#endif
