/*
 * The codecs of record batches: gzip, snappy, lz4 and zstd, both ways.
 *
 * Framing as Kafka's clients write and read it: gzip members; snappy in
 * xerial's block stream, and when reading also a bare block; the lz4 frame;
 * zstd frames.  Output goes into a buffer whose maximum bounds it, whatever
 * the input claims, and no window or block is allocated because a header
 * asks for it.
 *
 * Contexts live for one call, so any thread may call anything here, but for
 * whoever keeps some for many calls.
 */
#ifndef WIRE_COMPRESSION_H
#define WIRE_COMPRESSION_H

#include "base/base.h"
#include "base/buf.h"

#include <limits.h>

/* The numbers of a batch's attributes. */
enum compression {
	COMPRESSION_NONE = 0,
	COMPRESSION_GZIP = 1,
	COMPRESSION_SNAPPY = 2,
	COMPRESSION_LZ4 = 3,
	COMPRESSION_ZSTD = 4,
};

#define COMPRESSION_COUNT 5

/* Let the codec choose: gzip 6, lz4's fast mode, zstd 3. */
#define COMPRESSION_LEVEL_DEFAULT INT_MIN

enum compression_result {
	COMPRESSION_OK,
	COMPRESSION_CORRUPT,   /* torn, or not this codec's data */
	COMPRESSION_TOO_LARGE, /* the output buffer's maximum is passed */
	COMPRESSION_UNKNOWN,   /* no such codec */
};

/*
 * What lz4 and zstd work with, made when it is first needed and used again:
 * for a small batch that is a good part of the work.  Not thread-safe.
 */
struct compression_contexts {
	/* Private. */
	struct LZ4F_dctx_s *lz4_in;
	struct ZSTD_DCtx_s *zstd_in;
	struct ZSTD_CCtx_s *zstd_out;
};

void compression_contexts_init(struct compression_contexts *contexts);
void compression_contexts_fini(struct compression_contexts *contexts);

/* "none", "gzip", …, or NULL for a number that is no codec's. */
const char *compression_name(int codec);

/* Find a codec by its name; -1 where there is none. */
int compression_parse(struct slice name, enum compression *codec) WARN_UNUSED;

/*
 * Append the compressed form of in to out.  level is the codec's own (gzip
 * 1-9, lz4 1-17 of which 9 is Kafka's default and the fast mode, zstd any
 * that it knows); snappy has none.  -1 where the worst case of the codec does
 * not fit below out's maximum.
 */
int compression_compress(enum compression codec, int level, struct slice in,
    struct buf *out) WARN_UNUSED;
int compression_compress_with(struct compression_contexts *contexts,
    enum compression codec, int level, struct slice in,
    struct buf *out) WARN_UNUSED;

/*
 * Append what in decompresses to to out; after an error out has the length
 * it had before.  codec is the number found in the attributes.  Bytes behind
 * the end of a gzip, snappy or lz4 stream are ignored as in Kafka; further
 * streams are read, but not for lz4.
 */
enum compression_result compression_decompress(
    int codec, struct slice in, struct buf *out) WARN_UNUSED;
enum compression_result compression_decompress_with(
    struct compression_contexts *contexts, int codec, struct slice in,
    struct buf *out) WARN_UNUSED;

#endif
