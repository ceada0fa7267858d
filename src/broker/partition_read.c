#include "broker/partition.h"

static void
read_describe(const struct partition *partition, struct partition_read *read)
{
	const struct log *log = partition->log;

	read->high_watermark = log_high_watermark(log);
	read->last_stable_offset =
	    partition_bound(partition, PARTITION_READ_COMMITTED);
	read->log_start_offset = log_start_offset(log);
	read->log_end_offset = log_end_offset(log);
	read->behind = read->offset < log_active_base_offset(log);
	read->zstd = partition->settings.compression == COMPRESSION_ZSTD;
	read->seen = (struct partition_seen){ partition->committed_bytes,
		partition->interrupts };
}

/*
 * Does the reader's log part from ours at its last epoch (KIP-595)?  Then it
 * gets the place instead of records.
 */
static enum kp_error
read_diverge(const struct partition *partition, struct partition_read *read)
{
	struct leader_epoch_end end;

	if (read->last_fetched_epoch < 0)
		return KP_NONE;
	end = leader_epochs_end_offset(log_leader_epochs(partition->log),
	    read->last_fetched_epoch, read->log_end_offset);
	if (end.epoch < 0 || end.end_offset < 0)
		return KP_OFFSET_OUT_OF_RANGE;
	if (end.epoch < read->last_fetched_epoch ||
	    end.end_offset < read->offset) {
		read->diverging_epoch = end.epoch;
		read->diverging_end_offset = end.end_offset;
	}
	return KP_NONE;
}

static enum kp_error
read_locked(const struct partition *partition, struct partition_read *read)
{
	enum kp_error error;

	read->leader = (struct partition_leader){ partition->leader,
		partition->leader_epoch };
	error = partition_check(partition, read->node_id, read->leader_only,
	    read->current_leader_epoch);
	if (error != KP_NONE)
		return error;
	read_describe(partition, read);
	error = read_diverge(partition, read);
	if (error != KP_NONE || read->diverging_epoch >= 0)
		return error;
	read->data = (struct log_read){
		.offset = read->offset,
		.upper_bound = partition_bound(partition, read->isolation),
		.max_bytes = read->max_bytes,
		.min_one_batch = read->min_one_batch,
		.fd = -1,
	};
	return log_read(partition->log, &read->data);
}

enum kp_error
partition_read(struct partition *partition, struct partition_read *read)
{
	enum kp_error error;

	read->diverging_epoch = -1;
	read->diverging_end_offset = -1;
	read->data = (struct log_read){ .fd = -1 };
	log_lock(partition->log);
	error = read_locked(partition, read);
	log_unlock(partition->log);
	if (error != KP_NONE) {
		read->high_watermark = -1;
		read->last_stable_offset = -1;
		read->log_start_offset = -1;
	}
	return error;
}
