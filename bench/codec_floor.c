#include "codec_floor.h"

#include "base/base.h"
#include "wire/batch.h"
#include "wire/compression.h"

#include <dirent.h>
#include <fcntl.h>
#include <lz4frame.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

/* More than any batch of the benchmark has, either way. */
#define ROOM ((size_t)4 << 20)

struct floor {
	bool compress;		/* what is timed, or else decompressing is */
	ZSTD_DCtx *zstd_in;
	ZSTD_CCtx *zstd_out;
	LZ4F_dctx *lz4_in;
	uint8_t *plain;
	uint8_t *packed;
	double cpu_s;
};

__attribute__((noreturn)) static void
die(const char *what)
{
	fprintf(stderr, "codec_floor: %s\n", what);
	exit(1);
}

static double
now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- The libraries -------------------------------------------------------- */

static size_t
unpack(struct floor *f, int codec, struct slice in)
{
	size_t len = ROOM, consumed = in.len, result = 1;

	if (codec == COMPRESSION_ZSTD) {
		len = result = ZSTD_decompressDCtx(
		    f->zstd_in, f->plain, ROOM, in.data, in.len);
		if (ZSTD_isError(result))
			die("zstd cannot read a batch");
		return len;
	}
	result = LZ4F_decompress(
	    f->lz4_in, f->plain, &len, in.data, &consumed, NULL);
	if (result != 0)
		die("lz4 cannot read a batch");
	return len;
}

static void
pack(struct floor *f, int codec, size_t len)
{
	LZ4F_preferences_t preferences = { .autoFlush = 1,
		.frameInfo = { .blockSizeID = LZ4F_max64KB,
		    .blockMode = LZ4F_blockIndependent } };
	size_t result;

	if (codec == COMPRESSION_ZSTD) {
		result = ZSTD_compressCCtx(f->zstd_out, f->packed, ROOM,
		    f->plain, len, ZSTD_CLEVEL_DEFAULT);
		if (ZSTD_isError(result))
			die("zstd cannot write a batch");
		return;
	}
	result = LZ4F_compressFrame(
	    f->packed, ROOM, f->plain, len, &preferences);
	if (LZ4F_isError(result))
		die("lz4 cannot write a batch");
}

/* --- The log -------------------------------------------------------------- */

static void
time_batch(struct floor *f, const struct batch *batch, struct slice bytes)
{
	int codec = batch_codec(batch);
	double before = now_s();
	size_t len;

	if (codec == COMPRESSION_NONE ||
	    (f->compress &&
		batch->record_count == batch->last_offset_delta + 1))
		return;
	len = unpack(f, codec,
	    slice_of(bytes.data + BATCH_HEADER_LEN,
		batch->size_bytes - BATCH_HEADER_LEN));
	if (f->compress) {
		before = now_s();
		pack(f, codec, len);
	}
	f->cpu_s += now_s() - before;
}

static void
time_file(struct floor *f, int fd)
{
	struct stat st;
	struct slice left;
	uint8_t *data;

	if (fd < 0 || fstat(fd, &st) != 0)
		die("a segment cannot be opened");
	data = xmalloc((size_t)st.st_size + 1);
	if (read(fd, data, (size_t)st.st_size) != st.st_size)
		die("a segment cannot be read");
	left = slice_of(data, (size_t)st.st_size);
	while (left.len > 0) {
		struct batch batch;

		if (batch_read(left, &batch) != 0)
			die("a segment has bad batches");
		time_batch(f, &batch, left);
		left = slice_of(left.data + batch.size_bytes,
		    left.len - batch.size_bytes);
	}
	free(data);
	close(fd);
}

static void
time_directory(struct floor *f, const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;

	if (directory == NULL)
		die(path);
	while ((entry = readdir(directory)) != NULL) {
		const char *dot = strrchr(entry->d_name, '.');

		if (dot != NULL && strcmp(dot, ".log") == 0)
			time_file(f,
			    openat(dirfd(directory), entry->d_name,
				O_RDONLY | O_CLOEXEC));
	}
	closedir(directory);
}

static double
run(const char *directory, bool compress)
{
	struct floor f = { .compress = compress };

	f.zstd_in = ZSTD_createDCtx();
	f.zstd_out = ZSTD_createCCtx();
	if (f.zstd_in == NULL || f.zstd_out == NULL ||
	    LZ4F_isError(LZ4F_createDecompressionContext(
		&f.lz4_in, LZ4F_VERSION)))
		die("no context");
	f.plain = xmalloc(ROOM);
	f.packed = xmalloc(ROOM);
	time_directory(&f, directory);
	free(f.plain);
	free(f.packed);
	LZ4F_freeDecompressionContext(f.lz4_in);
	ZSTD_freeCCtx(f.zstd_out);
	ZSTD_freeDCtx(f.zstd_in);
	return f.cpu_s;
}

double
codec_floor_decompress_s(const char *directory)
{
	return run(directory, false);
}

double
codec_floor_compress_s(const char *directory)
{
	return run(directory, true);
}
