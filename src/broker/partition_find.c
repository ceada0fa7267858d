#include "broker/partition.h"

/* ListOffsets' special timestamps. */
enum {
	TIMESTAMP_LATEST = -1,
	TIMESTAMP_EARLIEST = -2,
	TIMESTAMP_MAX = LOG_TIMESTAMP_MAX,
	TIMESTAMP_EARLIEST_LOCAL = -4,
};

static const struct partition_offset offset_none = { -1, -1, -1 };

/*
 * A leader that does not yet know that what it found at its election is
 * committed cannot tell the end (KIP-207).
 */
static bool
end_is_unknown(const struct partition *partition)
{
	return log_high_watermark(partition->log) <
	    partition->epoch_start_offset;
}

static enum kp_error
find_latest(const struct partition *partition,
    const struct partition_lookup *lookup, struct partition_offset *found)
{
	if (lookup->isolation != PARTITION_READ_ALL &&
	    end_is_unknown(partition))
		return KP_OFFSET_NOT_AVAILABLE;
	found->offset = partition_bound(partition, lookup->isolation);
	found->leader_epoch = partition->leader_epoch;
	return KP_NONE;
}

static void
find_earliest(const struct partition *partition, struct partition_offset *found)
{
	found->offset = log_start_offset(partition->log);
	found->leader_epoch =
	    leader_epochs_at(log_leader_epochs(partition->log), found->offset);
}

/* What can be told under the lock; *search where the files must be asked. */
static enum kp_error
find_locked(const struct partition *partition,
    const struct partition_lookup *lookup, struct partition_offset *found,
    bool *search)
{
	enum kp_error error;

	error = partition_check(partition, lookup->node_id, lookup->leader_only,
	    lookup->current_leader_epoch);
	if (error != KP_NONE)
		return error;
	if (lookup->timestamp == TIMESTAMP_LATEST)
		return find_latest(partition, lookup, found);
	if (lookup->timestamp == TIMESTAMP_EARLIEST ||
	    lookup->timestamp == TIMESTAMP_EARLIEST_LOCAL)
		find_earliest(partition, found);
	*search = lookup->timestamp >= 0 || lookup->timestamp == TIMESTAMP_MAX;
	return KP_NONE;
}

static enum kp_error
find_by_time(struct partition *partition, int64_t timestamp, int64_t bound,
    struct partition_offset *found)
{
	struct log_position position;
	enum kp_error error;

	error = log_find_timestamp(partition->log, timestamp, bound, &position);
	if (error == KP_NONE)
		*found = (struct partition_offset){ position.offset,
			position.timestamp_ms, position.leader_epoch };
	return error;
}

enum kp_error
partition_find_offset(struct partition *partition,
    const struct partition_lookup *lookup, struct partition_offset *found)
{
	bool search = false;
	bool unknown;
	int64_t bound;
	enum kp_error error;

	*found = offset_none;
	log_lock(partition->log);
	error = find_locked(partition, lookup, found, &search);
	bound = partition_bound(partition, lookup->isolation);
	unknown = lookup->isolation != PARTITION_READ_ALL &&
	    end_is_unknown(partition);
	log_unlock(partition->log);
	if (error != KP_NONE || !search)
		return error;
	error = find_by_time(partition, lookup->timestamp, bound, found);
	if (error == KP_NONE && found->offset < 0 && unknown)
		return KP_OFFSET_NOT_AVAILABLE;
	return error;
}

enum kp_error
partition_find_epoch_end(struct partition *partition, int32_t node_id,
    int32_t current_leader_epoch, int32_t epoch, struct leader_epoch_end *end)
{
	enum kp_error error;

	*end = (struct leader_epoch_end){ -1, -1 };
	log_lock(partition->log);
	error = partition_check(partition, node_id, true, current_leader_epoch);
	if (error == KP_NONE)
		*end =
		    leader_epochs_end_offset(log_leader_epochs(partition->log),
			epoch, log_end_offset(partition->log));
	log_unlock(partition->log);
	return error;
}
