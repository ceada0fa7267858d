/*
 * Image records: the image as records again, for a snapshot.
 */
#ifndef META_IMAGE_RECORDS_H
#define META_IMAGE_RECORDS_H

#include "base/base.h"

struct image;
struct metadata_log;

/*
 * Write a snapshot of image into log's directory.  On the controller's
 * thread.  -1 after a line in the log.
 */
int image_records_snapshot(const struct image *image,
    struct metadata_log *log) WARN_UNUSED;

#endif
