/*
 * CRC-32C (Castagnoli), the checksum of Kafka's record batches.
 *
 * The fastest way that the processor knows is chosen once, before main: the
 * crc32 instruction over three interleaved streams that carry-less products
 * join (x86-64 with SSE4.2 and PCLMULQDQ), the crc32c instructions of ARMv8,
 * else tables.  All functions may be called from any thread.
 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include "base/base.h"

/*
 * The checksum of the bytes that gave crc followed by these; crc is 0 for the
 * first piece.
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

/* The same by tables alone, for tests and benchmarks. */
uint32_t crc32c_portable(uint32_t crc, const void *data, size_t len);

/*
 * The checksum of A followed by B, given the checksum of each and B's length
 * in bytes.  Costs well below a microsecond, whatever the length.
 */
uint32_t crc32c_combine(uint32_t crc_a, uint32_t crc_b, uint64_t len_b);

/*
 * The new checksum of a message of which one piece changed: crc is the old
 * one, crc_before and crc_after those of the piece alone, and len_behind the
 * number of bytes behind the piece.  The piece keeps its length.
 */
uint32_t crc32c_replace(
    uint32_t crc, uint32_t crc_before, uint32_t crc_after, uint64_t len_behind);

#endif
