/*
 * Text checkpoints, the shape that Kafka's checkpoint files share:
 *
 *     0          version
 *     2          number of entries
 *     a 0 17     one entry a line, fields between white space
 *     b 3 1042
 *
 * A file of 0 bytes has no entries.  Anything else that does not fit is
 * malformed: nothing of it is believed.
 *
 * struct checkpoint is the kind with "topic partition offset", of which a log
 * directory has four.  Not thread-safe.
 */
#ifndef STORE_CHECKPOINT_H
#define STORE_CHECKPOINT_H

#include "base/base.h"
#include "base/buf.h"

struct disk;

#define CHECKPOINT_RECOVERY_POINTS "recovery-point-offset-checkpoint"
#define CHECKPOINT_LOG_STARTS "log-start-offset-checkpoint"
#define CHECKPOINT_HIGH_WATERMARKS "replication-offset-checkpoint"
#define CHECKPOINT_CLEANER "cleaner-offset-checkpoint"

#define CHECKPOINT_FIELDS_MAX 3

/* One entry's fields; -1 rejects the file. */
typedef int (*checkpoint_line_fn)(void *context, const struct slice *fields);

/*
 * Walk a checkpoint's text: line is called for each entry, which has exactly
 * field_count fields.  0, or -1 where the text is malformed or line said so;
 * line may have been called then.
 */
int checkpoint_parse(struct slice text, size_t field_count,
    checkpoint_line_fn line, void *context) WARN_UNUSED;

/* A field's value as an integer of 0 or more; -1 where it is none. */
int64_t checkpoint_number(struct slice field);

struct checkpoint_entry {
	struct slice topic; /* borrowed: the file's text or the adder's */
	int32_t partition;
	int64_t offset;
};

struct checkpoint {
	struct checkpoint_entry *entries; /* owned */
	size_t count;
	size_t capacity;
	uint8_t *text; /* owned: the file, if read */
};

void checkpoint_init(struct checkpoint *checkpoint);
void checkpoint_fini(struct checkpoint *checkpoint);

/* Append an entry; topic's bytes must live as long as the checkpoint. */
void checkpoint_add(struct checkpoint *checkpoint, struct slice topic,
    int32_t partition, int64_t offset);

/*
 * Read the file at path into checkpoint, which is empty before; its entries
 * are sorted then.  A missing file has no entries.  0, or -1 with errno:
 * EBADMSG where it is malformed (checkpoint is empty then).
 */
int checkpoint_read(struct checkpoint *checkpoint, struct disk *disk,
    const char *path) WARN_UNUSED;

/* The offset of a partition in a checkpoint that was read, or fallback. */
int64_t checkpoint_find(const struct checkpoint *checkpoint, struct slice topic,
    int32_t partition, int64_t fallback);

/* The file's text, on the heap: the caller frees it. */
char *checkpoint_text(const struct checkpoint *checkpoint);

#endif
