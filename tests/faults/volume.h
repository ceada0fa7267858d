/*
 * An ext4 file system of the test's own, on a block device that it was given,
 * which loses power when told to.  Needs root.  Fails the test where the
 * system refuses what it is asked for.
 */
#ifndef FAULTS_VOLUME_H
#define FAULTS_VOLUME_H

#include "base/base.h"

struct volume {
	const char *device;
	const char *directory;	/* where it is mounted */
};

/* options are mount's own for ext4, "" for none. */
void volume_mount(const struct volume *volume, const char *options);

/* Nothing may have a file open there any more. */
void volume_unmount(const struct volume *volume);

/*
 * From now on nothing reaches the device, and all writes fail with EIO.  Where
 * journal is true what was changed in the metadata is written before that, as
 * a file system may do at any time; data is not.
 */
void volume_cut_power(const struct volume *volume, bool journal);

#endif
