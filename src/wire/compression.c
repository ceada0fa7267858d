#include "wire/compression.h"

#include "base/bytes.h"

#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

/* What a decompressor asks for first, and the least that it asks for. */
#define ROOM_MIN 4096
#define RATIO_EXPECTED 4

#define GZIP_WINDOW_BITS (15 + 16) /* + 16: gzip's header, not zlib's */
#define GZIP_MEMORY_LEVEL 8

/* Kafka's default level of lz4, by which its clients mean the fast mode. */
#define LZ4_LEVEL_FAST 9
#define LZ4_LEVEL_MAX 12
/* As clients write them.  Where there is room for one, lz4 makes no copy. */
#define LZ4_BLOCK_LEN ((size_t)64 << 10)

/*
 * Xerial's stream: this header, then blocks of an int32 length and a snappy
 * block each.  The two numbers are its version and the oldest compatible one.
 */
#define XERIAL_HEADER_LEN 16
#define XERIAL_MAGIC_LEN 8
#define XERIAL_BLOCK_LEN 32768
/* No snappy block unfolds further: 64 bytes from a tag of three. */
#define SNAPPY_RATIO_MAX 22

static const uint8_t xerial_header[XERIAL_HEADER_LEN] = { 0x82, 'S', 'N', 'A',
	'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1 };

static const char *const names[COMPRESSION_COUNT] = { "none", "gzip", "snappy",
	"lz4", "zstd" };

const char *
compression_name(int codec)
{
	return codec >= 0 && codec < COMPRESSION_COUNT ? names[codec] : NULL;
}

int
compression_parse(struct slice name, enum compression *codec)
{
	for (int i = 0; i < COMPRESSION_COUNT; i++) {
		if (slice_equal_str(name, names[i])) {
			*codec = (enum compression)i;
			return 0;
		}
	}
	return -1;
}

void
compression_contexts_init(struct compression_contexts *contexts)
{
	*contexts = (struct compression_contexts){ .lz4_in = NULL };
}

void
compression_contexts_fini(struct compression_contexts *contexts)
{
	LZ4F_freeDecompressionContext(contexts->lz4_in);
	ZSTD_freeDCtx(contexts->zstd_in);
	ZSTD_freeCCtx(contexts->zstd_out);
	compression_contexts_init(contexts);
}

/* The room for output that is left below the maximum. */
static size_t
room_left(const struct buf *out)
{
	return out->len_max - out->len;
}

/*
 * Room for about want bytes, less near the maximum, and maybe none: the
 * address is valid even then.  *room says how much there is.
 */
static uint8_t *
room_make(struct buf *out, size_t want, size_t *room)
{
	uint8_t *p = buf_reserve(out, MIN(MAX(want, ROOM_MIN), room_left(out)));

	assert(p != NULL);
	*room = out->cap - out->len;
	*room = MIN(*room, room_left(out));
	return p;
}

/* --- gzip ---------------------------------------------------------------- */

static int
gzip_compress(int level, struct slice in, struct buf *out)
{
	z_stream z = { .next_in = (z_const Bytef *)(uintptr_t)in.data,
		.avail_in = (uInt)in.len };
	size_t bound;
	int result;

	if (level == COMPRESSION_LEVEL_DEFAULT)
		level = Z_DEFAULT_COMPRESSION;
	result = deflateInit2(&z, level, Z_DEFLATED, GZIP_WINDOW_BITS,
	    GZIP_MEMORY_LEVEL, Z_DEFAULT_STRATEGY);
	assert(result == Z_OK);
	bound = deflateBound(&z, (uLong)in.len);
	z.next_out = buf_reserve(out, bound);
	if (z.next_out == NULL) {
		deflateEnd(&z);
		return -1;
	}
	z.avail_out = (uInt)bound;
	result = deflate(&z, Z_FINISH);
	assert(result == Z_STREAM_END);
	out->len += bound - z.avail_out;
	deflateEnd(&z);
	return 0;
}

/*
 * Inflate one member.  *header_seen tells a broken member from bytes that
 * only follow the one before.
 */
static enum compression_result
gzip_member(z_stream *z, struct buf *out, bool *header_seen)
{
	gz_header header = { .done = 0 };
	int result;

	result = inflateGetHeader(z, &header);
	assert(result == Z_OK);
	do {
		size_t room;

		z->next_out =
		    room_make(out, (size_t)z->avail_in * RATIO_EXPECTED, &room);
		room = MIN(room, UINT_MAX);
		z->avail_out = (uInt)room;
		result = inflate(z, Z_NO_FLUSH);
		out->len += room - z->avail_out;
	} while (result == Z_OK && (z->avail_in > 0 || z->avail_out == 0));
	*header_seen = header.done == 1;
	if (result == Z_STREAM_END)
		return COMPRESSION_OK;
	return result == Z_BUF_ERROR && room_left(out) == 0
		   ? COMPRESSION_TOO_LARGE
		   : COMPRESSION_CORRUPT;
}

static enum compression_result
gzip_decompress(struct slice in, struct buf *out)
{
	z_stream z = { .next_in = (z_const Bytef *)(uintptr_t)in.data,
		.avail_in = (uInt)in.len };
	enum compression_result result;
	bool header_seen;
	int ready;

	ready = inflateInit2(&z, GZIP_WINDOW_BITS);
	assert(ready == Z_OK);
	result = gzip_member(&z, out, &header_seen);
	while (result == COMPRESSION_OK && z.avail_in > 0) {
		ready = inflateReset(&z);
		assert(ready == Z_OK);
		result = gzip_member(&z, out, &header_seen);
		if (result != COMPRESSION_OK && !header_seen) {
			result = COMPRESSION_OK;
			break;
		}
	}
	inflateEnd(&z);
	return result;
}

/* --- snappy -------------------------------------------------------------- */

static int
snappy_block_append(struct slice in, struct buf *out)
{
	size_t len = snappy_max_compressed_length(in.len);
	uint8_t *p = buf_reserve(out, 4 + len);
	snappy_status status;

	if (p == NULL)
		return -1;
	status = snappy_compress(
	    (const char *)in.data, in.len, (char *)(p + 4), &len);
	assert(status == SNAPPY_OK);
	be32_put(p, (uint32_t)len);
	out->len += 4 + len;
	return 0;
}

static int
snappy_write(struct slice in, struct buf *out)
{
	if (buf_append(out, xerial_header, sizeof(xerial_header)) != 0)
		return -1;
	while (in.len > 0) {
		size_t len = MIN(in.len, (size_t)XERIAL_BLOCK_LEN);

		if (snappy_block_append(slice_of(in.data, len), out) != 0)
			return -1;
		in = slice_of(in.data + len, in.len - len);
	}
	return 0;
}

static enum compression_result
snappy_block_read(struct slice in, struct buf *out)
{
	const char *data = (const char *)in.data;
	size_t len;
	uint8_t *p;

	if (in.len == 0 ||
	    snappy_uncompressed_length(data, in.len, &len) != SNAPPY_OK ||
	    len / SNAPPY_RATIO_MAX > in.len)
		return COMPRESSION_CORRUPT;
	p = buf_reserve(out, len);
	if (p == NULL)
		return COMPRESSION_TOO_LARGE;
	if (snappy_uncompress(data, in.len, (char *)p, &len) != SNAPPY_OK)
		return COMPRESSION_CORRUPT;
	out->len += len;
	return COMPRESSION_OK;
}

static bool
xerial_header_is(struct slice in)
{
	return in.len >= XERIAL_HEADER_LEN &&
	       memcmp(in.data, xerial_header, XERIAL_MAGIC_LEN) == 0;
}

static struct slice
slice_skip(struct slice in, size_t len)
{
	return slice_of(in.data + len, in.len - len);
}

/* Fewer than four bytes are no length, and by xerial no error either. */
static enum compression_result
snappy_read(struct slice in, struct buf *out)
{
	enum compression_result result = COMPRESSION_OK;

	if (!xerial_header_is(in))
		return snappy_block_read(in, out);
	while (result == COMPRESSION_OK && in.len >= 4) {
		size_t len;

		if (xerial_header_is(in)) {
			in = slice_skip(in, XERIAL_HEADER_LEN);
			continue;
		}
		len = be32_get(in.data);
		in = slice_skip(in, 4);
		if (len > in.len)
			return COMPRESSION_CORRUPT;
		result = snappy_block_read(slice_of(in.data, len), out);
		in = slice_skip(in, len);
	}
	return result;
}

/* --- lz4 ----------------------------------------------------------------- */

static int
lz4_level(int level)
{
	if (level == COMPRESSION_LEVEL_DEFAULT || level == LZ4_LEVEL_FAST)
		return 0;
	return MIN(level, LZ4_LEVEL_MAX);
}

static int
lz4_compress(int level, struct slice in, struct buf *out)
{
	LZ4F_preferences_t preferences = { .autoFlush = 1,
		.compressionLevel = lz4_level(level),
		.frameInfo = { .blockSizeID = LZ4F_max64KB,
		    .blockMode = LZ4F_blockIndependent } };
	size_t bound = LZ4F_compressFrameBound(in.len, &preferences);
	uint8_t *p = buf_reserve(out, bound);
	size_t len;

	if (p == NULL)
		return -1;
	len = LZ4F_compressFrame(p, bound, in.data, in.len, &preferences);
	assert(!LZ4F_isError(len));
	out->len += len;
	return 0;
}

/*
 * One step over in; *in keeps what is not consumed.  The result is lz4's: 0
 * at the end of the frame, else a hint or an error.
 */
static size_t
lz4_step(LZ4F_dctx *context, struct slice *in, uint8_t *p, size_t *len)
{
	size_t consumed = in->len;
	size_t result;

	result = LZ4F_decompress(context, p, len, in->data, &consumed, NULL);
	if (!LZ4F_isError(result))
		*in = slice_skip(*in, consumed);
	return result;
}

static enum compression_result
lz4_frame_read(LZ4F_dctx *context, struct slice in, struct buf *out)
{
	for (;;) {
		size_t room, len, result;
		size_t before = in.len;
		uint8_t *p;

		p = room_make(out, MAX(in.len * RATIO_EXPECTED, LZ4_BLOCK_LEN),
		    &room);
		len = room;
		result = lz4_step(context, &in, p, &len);
		if (LZ4F_isError(result))
			return COMPRESSION_CORRUPT;
		out->len += len;
		if (result == 0)
			return COMPRESSION_OK;
		if (len == 0 && in.len == before)
			return room_left(out) == 0 ? COMPRESSION_TOO_LARGE
						   : COMPRESSION_CORRUPT;
	}
}

static enum compression_result
lz4_decompress(
    struct compression_contexts *contexts, struct slice in, struct buf *out)
{
	if (contexts->lz4_in == NULL) {
		size_t error = LZ4F_createDecompressionContext(
		    &contexts->lz4_in, LZ4F_VERSION);

		assert(!LZ4F_isError(error));
	}
	/* The frame before may have been a broken one. */
	LZ4F_resetDecompressionContext(contexts->lz4_in);
	return lz4_frame_read(contexts->lz4_in, in, out);
}

/* --- zstd ---------------------------------------------------------------- */

static int
zstd_compress(struct compression_contexts *contexts, int level,
    struct slice in, struct buf *out)
{
	size_t bound = ZSTD_compressBound(in.len);
	uint8_t *p = buf_reserve(out, bound);
	size_t len;

	if (p == NULL)
		return -1;
	if (level == COMPRESSION_LEVEL_DEFAULT)
		level = ZSTD_CLEVEL_DEFAULT;
	if (contexts->zstd_out == NULL)
		contexts->zstd_out = ZSTD_createCCtx();
	assert(contexts->zstd_out != NULL);
	len = ZSTD_compressCCtx(
	    contexts->zstd_out, p, bound, in.data, in.len, level);
	assert(!ZSTD_isError(len));
	out->len += len;
	return 0;
}

/*
 * All at once and again with more room where it did not fit: that way the
 * window that a header asks for, up to 128 MiB, is never allocated.
 */
static enum compression_result
zstd_frames_read(ZSTD_DCtx *context, struct slice in, struct buf *out)
{
	size_t want = in.len * RATIO_EXPECTED;

	for (;;) {
		size_t room, len;
		uint8_t *p;

		p = room_make(out, want, &room);
		len = ZSTD_decompressDCtx(context, p, room, in.data, in.len);
		if (!ZSTD_isError(len)) {
			out->len += len;
			return COMPRESSION_OK;
		}
		if (ZSTD_getErrorCode(len) != ZSTD_error_dstSize_tooSmall)
			return COMPRESSION_CORRUPT;
		if (room == room_left(out))
			return COMPRESSION_TOO_LARGE;
		want = room * 4;
	}
}

static enum compression_result
zstd_decompress(
    struct compression_contexts *contexts, struct slice in, struct buf *out)
{
	if (contexts->zstd_in == NULL)
		contexts->zstd_in = ZSTD_createDCtx();
	assert(contexts->zstd_in != NULL);
	return zstd_frames_read(contexts->zstd_in, in, out);
}

/* ------------------------------------------------------------------------- */

int
compression_compress_with(struct compression_contexts *contexts,
    enum compression codec, int level, struct slice in, struct buf *out)
{
	assert(in.len <= INT32_MAX);
	switch (codec) {
	case COMPRESSION_NONE:
		return buf_append(out, in.data, in.len);
	case COMPRESSION_GZIP:
		return gzip_compress(level, in, out);
	case COMPRESSION_SNAPPY:
		return snappy_write(in, out);
	case COMPRESSION_LZ4:
		return lz4_compress(level, in, out);
	case COMPRESSION_ZSTD:
		return zstd_compress(contexts, level, in, out);
	}
	assert(!"a codec that exists");
	return -1;
}

int
compression_compress(
    enum compression codec, int level, struct slice in, struct buf *out)
{
	struct compression_contexts contexts;
	int result;

	compression_contexts_init(&contexts);
	result = compression_compress_with(&contexts, codec, level, in, out);
	compression_contexts_fini(&contexts);
	return result;
}

static enum compression_result
decompress(struct compression_contexts *contexts, int codec, struct slice in,
    struct buf *out)
{
	switch (codec) {
	case COMPRESSION_NONE:
		return buf_append(out, in.data, in.len) == 0
			   ? COMPRESSION_OK
			   : COMPRESSION_TOO_LARGE;
	case COMPRESSION_GZIP:
		return gzip_decompress(in, out);
	case COMPRESSION_SNAPPY:
		return snappy_read(in, out);
	case COMPRESSION_LZ4:
		return lz4_decompress(contexts, in, out);
	case COMPRESSION_ZSTD:
		return zstd_decompress(contexts, in, out);
	default:
		return COMPRESSION_UNKNOWN;
	}
}

enum compression_result
compression_decompress_with(struct compression_contexts *contexts, int codec,
    struct slice in, struct buf *out)
{
	size_t len = out->len;
	enum compression_result result;

	assert(in.len <= INT32_MAX && out->len <= out->len_max);
	result = decompress(contexts, codec, in, out);
	if (result != COMPRESSION_OK)
		out->len = len;
	return result;
}

enum compression_result
compression_decompress(int codec, struct slice in, struct buf *out)
{
	struct compression_contexts contexts;
	enum compression_result result;

	compression_contexts_init(&contexts);
	result = compression_decompress_with(&contexts, codec, in, out);
	compression_contexts_fini(&contexts);
	return result;
}
