/*
 * Reads the records of a batch of any magic and codec.
 *
 * Records of an uncompressed batch point into its bytes.  A compressed one is
 * first decompressed as a whole into the caller's scratch buffer, whose
 * maximum bounds it; its records point there, and are valid until the buffer
 * is used again.  The checksum is not looked at.
 *
 *	enum kp_error error = batch_reader_open(&reader, bytes, &scratch);
 *	while (error == KP_NONE && batch_reader_next(&reader, &record))
 *		...
 *	if (error == KP_NONE)
 *		error = reader.error;
 */
#ifndef WIRE_BATCH_READER_H
#define WIRE_BATCH_READER_H

#include "base/base.h"
#include "base/buf.h"
#include "wire/batch.h"
#include "wire/compression.h"
#include "wire/error.h"
#include "wire/record.h"

struct batch_reader {
	struct batch batch;
	enum kp_error error; /* why batch_reader_next ended, or KP_NONE */

	/* Private. */
	struct slice left;
	int64_t count_left;
	int64_t legacy_offset_add;
};

/*
 * Begin to read the whole batch at the start of bytes.  reader->batch is its
 * header.  Errors: KP_CORRUPT_MESSAGE where the header cannot be or the
 * payload does not decompress, KP_INVALID_RECORD for an unknown codec, and
 * KP_MESSAGE_TOO_LARGE where scratch's maximum is passed.  There is nothing to
 * close.
 */
enum kp_error batch_reader_open(struct batch_reader *reader, struct slice bytes,
    struct buf *scratch) WARN_UNUSED;

/* The same with contexts that are used again, for one who reads many. */
enum kp_error batch_reader_open_with(struct batch_reader *reader,
    struct slice bytes, struct buf *scratch,
    struct compression_contexts *contexts) WARN_UNUSED;

/*
 * The next record, with its absolute offset and its effective timestamp.
 * False at the end; reader->error then is KP_NONE, or KP_INVALID_RECORD where
 * a record is broken or bytes are left behind the last one.
 */
bool batch_reader_next(struct batch_reader *reader, struct record *record);

#endif
