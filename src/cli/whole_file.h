/*
 * Whole files: small ones that are read at once.
 */
#ifndef CLI_WHOLE_FILE_H
#define CLI_WHOLE_FILE_H

#include "base/base.h"

/*
 * All of path on the heap, which the caller frees; NULL with errno, EFBIG
 * where it is longer than len_max.  context is not used: the type is
 * that of struct tls_files.
 */
uint8_t *whole_file_read(void *context, const char *path, size_t len_max,
    size_t *len) WARN_UNUSED;

#endif
