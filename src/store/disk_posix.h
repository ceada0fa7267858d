/* The disk of the operating system. */
#ifndef STORE_DISK_POSIX_H
#define STORE_DISK_POSIX_H

#include "store/disk.h"

/* One for the whole process; it has no state and is never freed. */
struct disk *disk_posix(void);

#endif
