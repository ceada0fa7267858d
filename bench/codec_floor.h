/*
 * What a codec's library costs by itself: each batch of a log is decompressed,
 * or what a cleaning left of it is compressed, with nothing around it.
 *
 *	before = codec_floor_decompress_s(directory);
 *	... clean the log in it
 *	floor = before + codec_floor_compress_s(directory);
 *
 * No cleaner can cost less: it has to look into every batch at least once,
 * and to compress each once that has lost a record.  Contexts are used again
 * and memory is there before; batches are of magic 2 and one codec, none, lz4
 * or zstd.  The process ends where something fails.
 */
#ifndef BENCH_CODEC_FLOOR_H
#define BENCH_CODEC_FLOOR_H

/* CPU seconds that decompressing all batches takes. */
double codec_floor_decompress_s(const char *directory);

/* CPU seconds that compressing those takes that have lost records. */
double codec_floor_compress_s(const char *directory);

#endif
