/*
 * Rebuilds a batch with another codec, as a leader does whose topic has a
 * compression.type other than "producer".
 */
#ifndef WIRE_BATCH_RECODE_H
#define WIRE_BATCH_RECODE_H

#include "base/base.h"
#include "base/buf.h"
#include "wire/compression.h"
#include "wire/error.h"

/*
 * Append to out the batch of magic 2 at the start of bytes, compressed by
 * codec at this level.  Producer, sequence and transactional bit stay, offsets
 * are counted anew, timestamps are the records' own (batch_patch_timestamp
 * makes append time of them).  scratch bounds decompression.  Errors are
 * batch_reader's, KP_INVALID_RECORD where there is no record, and
 * KP_MESSAGE_TOO_LARGE where out's maximum is passed.
 */
enum kp_error batch_recode(struct slice bytes, enum compression codec,
    int level, struct buf *scratch, struct buf *out) WARN_UNUSED;

#endif
