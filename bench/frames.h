/*
 * The frames that are replayed, and a plain client that asks and waits.
 *
 * Frames are encoded once and sent as they are; only a fetch's offset
 * changes.  Versions without topic ids and compact fields are used, so that
 * answers can be read at fixed places and the floor server stays small:
 * Produce 7, Fetch 11, ListOffsets 2, Metadata 4, CreateTopics 4.  Other
 * requests and answers go through the project's codec.
 *
 * What goes wrong while preparing ends the program with one line.
 */
#ifndef BENCH_FRAMES_H
#define BENCH_FRAMES_H

#include "base/base.h"
#include "base/buf.h"
#include "wire/compression.h"

struct arena;

/* What a batch is made of. */
struct load {
	const char *topic;
	int partitions;
	size_t record_bytes; /* of a record's value */
	size_t batch_bytes;  /* as many records as fit; 0: records */
	int records;         /* in a batch */
	enum compression codec;
	int16_t acks;
};

struct broker {
	const char *host;
	uint16_t port;
};

__attribute__((noreturn)) void die(const char *format, ...) PRINTF_LIKE(1, 2);

/* Any request; body is a struct kp_<api>_request. */
void frame_encode(struct buf *out, int key, int version, const void *body);

/*
 * A Produce request with one batch for a partition; sets load->records from
 * batch_bytes.  The batch is the frame's end; the result is its size.
 */
size_t frame_produce(struct buf *out, struct load *load, int partition);

/* A Fetch request of one partition, which waits up to half a second. */
void frame_fetch(
    struct buf *out, const struct load *load, int partition, int32_t max_bytes);

/* Set the offset that a Fetch request asks for. */
void frame_fetch_from(struct buf *frame, int64_t offset);

/* The error code of a Produce answer, the frame without its length. */
int frame_produce_error(struct slice answer);

/* The parts of a Fetch answer. */
struct fetched {
	int error;
	int64_t high_watermark;
	struct slice records;
};

void frame_fetched(struct slice answer, struct fetched *fetched);

/* A blocking connection without delay, or -1 with errno. */
int broker_connect(const struct broker *broker) WARN_UNUSED;

/* The same; what fails ends the program. */
int broker_must_connect(const struct broker *broker);

/*
 * Decode an answer, the frame without its length, into *response; what that
 * points to is the arena's.
 */
void frame_decode(int key, int version, struct slice answer, void *response,
    struct arena *arena);

/*
 * Encode, ask, decode into *response with what the arena holds; false when
 * the connection broke.
 */
bool broker_call(int fd, int key, int version, const void *request,
    void *response, struct arena *arena) WARN_UNUSED;

/*
 * Create the topic, where it is new, and wait for leaders; the answer's error
 * code.  -1 when the connection broke.
 */
int broker_create_topic(int fd, const struct load *load) WARN_UNUSED;

/* Delete the topic; an error code. */
int broker_delete_topic(int fd, const struct load *load) WARN_UNUSED;

/* How many partitions of the topic have leaders; -1: no connection. */
int broker_leaders(int fd, const struct load *load) WARN_UNUSED;

/* Produce one small record; an error code, -1 without a connection. */
int broker_produce(int fd, const struct load *load, int partition) WARN_UNUSED;

/* Where the partition ends. */
int64_t broker_end_offset(int fd, const struct load *load, int partition);

/*
 * Ask for the coordinator of a group (key type 0) or a transactional id (1)
 * until there is one: the first question makes its topic.
 */
void broker_find_coordinator(int fd, const char *key, int8_t key_type);

/* Is that what a coordinator answers that is on its way? */
bool coordinator_comes(int error);

/* ApiVersions, to have talked. */
void broker_greet(int fd);

#endif
