#include "broker/long_poll.h"

enum { POLL_IDLE, POLL_PARKED, POLL_CLAIMED };

void
long_poll_init(struct long_poll *poll, struct loop *loop,
    void (*run)(struct task *task), struct long_poll_part *parts,
    int32_t parts_max, int64_t missing_bytes)
{
	assert(missing_bytes > 0);
	wakeup_init(&poll->wakeup, loop, run);
	atomic_init(&poll->state, POLL_IDLE);
	atomic_init(&poll->missing_bytes, missing_bytes);
	poll->parts = parts;
	poll->parts_count = 0;
	poll->parts_max = parts_max;
}

void
long_poll_add(struct long_poll *poll, struct partition *partition,
    struct partition_seen seen, int64_t room_bytes)
{
	assert(poll->parts_count < poll->parts_max);
	partition_ref(partition);
	poll->parts[poll->parts_count++] = (struct long_poll_part){
		.poll = poll,
		.partition = partition,
		.seen = seen,
		.room_bytes = room_bytes,
	};
}

bool
long_poll_claim(struct long_poll *poll)
{
	int parked = POLL_PARKED;

	return atomic_compare_exchange_strong(
	    &poll->state, &parked, POLL_CLAIMED);
}

void
long_poll_fire(struct long_poll *poll, struct list *fired)
{
	if (long_poll_claim(poll))
		wakeup_collect(&poll->wakeup, fired);
}

/* Count what has become readable since part last looked. */
static void
part_advance(struct long_poll_part *part, struct list *fired)
{
	uint64_t committed = part->partition->committed_bytes;
	int64_t more = (int64_t)(committed - part->seen.committed_bytes);
	int64_t counts = MIN(more, part->room_bytes);

	part->seen.committed_bytes = committed;
	if (counts <= 0)
		return;
	part->room_bytes -= counts;
	if (atomic_fetch_sub(&part->poll->missing_bytes, counts) <= counts)
		long_poll_fire(part->poll, fired);
}

void
long_poll_advance(struct partition *partition, struct list *fired)
{
	LIST_FOR_EACH (node, &partition->long_polls)
		part_advance(
		    LIST_ENTRY(node, struct long_poll_part, node), fired);
}

void
long_poll_interrupt(struct partition *partition, struct list *fired)
{
	partition->interrupts++;
	LIST_FOR_EACH (node, &partition->long_polls)
		long_poll_fire(
		    LIST_ENTRY(node, struct long_poll_part, node)->poll, fired);
}

static void
part_park(struct long_poll_part *part, struct list *fired)
{
	struct partition *partition = part->partition;

	log_lock(partition->log);
	list_append(&partition->long_polls, &part->node);
	if (part->seen.interrupts != partition->interrupts)
		long_poll_fire(part->poll, fired);
	else
		part_advance(part, fired);
	log_unlock(partition->log);
}

void
long_poll_park(struct long_poll *poll)
{
	struct list fired;

	list_init(&fired);
	atomic_store(&poll->state, POLL_PARKED);
	for (int32_t i = 0; i < poll->parts_count; i++)
		part_park(&poll->parts[i], &fired);
	wakeup_post_all(&fired);
}

static void
part_unpark(struct long_poll_part *part)
{
	log_lock(part->partition->log);
	if (list_node_linked(&part->node))
		list_remove(&part->node);
	log_unlock(part->partition->log);
	partition_unref(part->partition);
}

void
long_poll_unpark(struct long_poll *poll)
{
	for (int32_t i = 0; i < poll->parts_count; i++)
		part_unpark(&poll->parts[i]);
	poll->parts_count = 0;
	atomic_store(&poll->state, POLL_IDLE);
}
