/*
 * What a shard stands on: its log and a wake-up.  A seam: the real one is a
 * partition of an internal topic (partition_host.h), tests have one that
 * holds back the high watermark or fails.
 *
 * append, delete_records and high_watermark are called with the shard's lock
 * held, the others without it.
 */
#ifndef COORD_SHARD_HOST_H
#define COORD_SHARD_HOST_H

#include "base/base.h"
#include "base/buf.h"
#include "wire/error.h"

/* One record batch on its way into the log. */
struct shard_append {
	/* in */
	uint8_t *data;		/* offsets and epoch are set in place */
	size_t len;
	bool guarded;		/* as struct log_append has the three */
	uint64_t guard;
	int16_t transaction_version;
	/* out */
	int64_t end_offset;	/* behind the batch */
};

struct shard_host {
	/* Append.  On error nothing of it is in the log. */
	enum kp_error (*append)(
	    struct shard_host *host, struct shard_append *append);

	/*
	 * Append batches from the one that holds offset on to buf, about
	 * max_bytes, but the first one whole; the last one may be cut.
	 * Nothing is put there at the end of the log, which is the end of
	 * what was appended, not the high watermark.  May block, and may be
	 * called while the shard is given away: then it is an error.
	 */
	enum kp_error (*read)(struct shard_host *host, int64_t offset,
	    size_t max_bytes, struct buf *buf);

	int64_t (*log_start_offset)(struct shard_host *host);

	/* Let the log begin at offset, which is committed. */
	enum kp_error (*delete_records)(
	    struct shard_host *host, int64_t offset);

	int64_t (*high_watermark)(struct shard_host *host);

	/*
	 * Call shard_advance once the high watermark has reached offset, or
	 * when it never will.  There is one watch at a time.
	 */
	void (*watch)(struct shard_host *host, int64_t offset);

	/*
	 * Call shard_tick soon, on a thread of the host's own, and then
	 * whenever the time that shard_tick returned has come.
	 */
	void (*wake)(struct shard_host *host);
};

#endif
