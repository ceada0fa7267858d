#include "base/base.h"

#include "meta/partition_image.h"

#include "wire/generated/metadata_partition_change_record.h"
#include "wire/generated/metadata_partition_record.h"

/* An id whose last byte says which; the rest is zero. */
static struct uuid
reserved_directory(uint8_t number)
{
	struct uuid id = UUID_ZERO;

	id.bytes[15] = number;
	return id;
}

struct uuid
partition_image_directory_migrating(void)
{
	return reserved_directory(0);
}

struct uuid
partition_image_directory_unassigned(void)
{
	return reserved_directory(1);
}

/* A count of an array that may be null. */
static int32_t
at_least_zero(int32_t count)
{
	return MAX(count, 0);
}

static bool
all_migrating(const struct uuid *directories, int32_t count)
{
	for (int32_t i = 0; i < count; i++)
		if (!uuid_is_zero(directories[i]))
			return false;
	return true;
}

/* Copy count ids to *room, which moves behind them. */
static struct partition_image_ids
copy_ids(int32_t **room, const int32_t *ids, int32_t count)
{
	struct partition_image_ids copy = { *room, at_least_zero(count) };

	if (copy.count > 0)
		memcpy(copy.ids, ids, (size_t)copy.count * sizeof(*ids));
	*room += copy.count;
	return copy;
}

static size_t
ids_count(const struct kp_partition_record *r)
{
	return (size_t)at_least_zero(r->replicas_count) +
	    (size_t)at_least_zero(r->isr_count) +
	    (size_t)at_least_zero(r->removing_replicas_count) +
	    (size_t)at_least_zero(r->adding_replicas_count) +
	    (size_t)at_least_zero(r->eligible_leader_replicas_count) +
	    (size_t)at_least_zero(r->last_known_elr_count);
}

static void
copy_directories(struct partition_image *p,
    const struct kp_partition_record *r)
{
	for (int32_t i = 0; i < p->replicas.count; i++)
		p->directories[i] = r->directories_count > 0
		    ? r->directories[i]
		    : partition_image_directory_migrating();
}

static void
copy_all_ids(struct partition_image *p, const struct kp_partition_record *r,
    int32_t *room)
{
	p->replicas = copy_ids(&room, r->replicas, r->replicas_count);
	p->isr = copy_ids(&room, r->isr, r->isr_count);
	p->removing = copy_ids(&room, r->removing_replicas,
	    r->removing_replicas_count);
	p->adding = copy_ids(&room, r->adding_replicas,
	    r->adding_replicas_count);
	p->elr = copy_ids(&room, r->eligible_leader_replicas,
	    r->eligible_leader_replicas_count);
	p->last_known_elr = copy_ids(&room, r->last_known_elr,
	    r->last_known_elr_count);
}

/* One block: the struct, then the directories, then the ids. */
const struct partition_image *
partition_image_new(const struct kp_partition_record *record)
{
	struct kp_partition_record r = *record;
	struct partition_image *p;
	size_t replicas = (size_t)at_least_zero(r.replicas_count);
	size_t directories_size = replicas * sizeof(struct uuid);

	if (r.directories_count > 0 &&
	    all_migrating(r.directories, r.directories_count))
		r.directories_count = 0;
	if (r.directories_count > 0 && r.directories_count != r.replicas_count)
		return NULL;
	p = xmalloc(sizeof(*p) + directories_size +
	    ids_count(&r) * sizeof(int32_t));
	p->refs = 1;
	p->leader = r.leader;
	p->leader_epoch = r.leader_epoch;
	p->partition_epoch = r.partition_epoch;
	p->leader_recovery_state = r.leader_recovery_state;
	p->directories = (struct uuid *)(void *)(p + 1);
	copy_all_ids(p, &r,
	    (int32_t *)(void *)((char *)(p + 1) + directories_size));
	copy_directories(p, &r);
	return p;
}

void
partition_image_record(const struct partition_image *p,
    struct kp_partition_record *r)
{
	kp_defaults(&kp_partition_record, r);
	r->leader = p->leader;
	r->leader_epoch = p->leader_epoch;
	r->partition_epoch = p->partition_epoch;
	r->leader_recovery_state = p->leader_recovery_state;
	r->replicas = p->replicas.ids;
	r->replicas_count = p->replicas.count;
	r->isr = p->isr.ids;
	r->isr_count = p->isr.count;
	r->removing_replicas = p->removing.ids;
	r->removing_replicas_count = p->removing.count;
	r->adding_replicas = p->adding.ids;
	r->adding_replicas_count = p->adding.count;
	r->directories = p->directories;
	r->directories_count = p->replicas.count;
	if (p->elr.count > 0) {
		r->eligible_leader_replicas = p->elr.ids;
		r->eligible_leader_replicas_count = p->elr.count;
	}
	if (p->last_known_elr.count > 0) {
		r->last_known_elr = p->last_known_elr.ids;
		r->last_known_elr_count = p->last_known_elr.count;
	}
}

/* Put ids in the place of *old unless they are null. */
static void
replace_ids(int32_t **old, int32_t *old_count, int32_t *ids, int32_t count)
{
	if (count < 0)
		return;
	*old = ids;
	*old_count = count;
}

static void
merge_directories(struct kp_partition_record *r,
    const struct kp_partition_change_record *c)
{
	if (c->directories_count >= 0) {
		r->directories = c->directories;
		r->directories_count = c->directories_count;
	}
}

static void
merge_leader(struct kp_partition_record *r,
    const struct kp_partition_change_record *c)
{
	if (c->leader != PARTITION_IMAGE_LEADER_KEPT) {
		r->leader = c->leader;
		/* Damage could hold the largest epoch there is. */
		r->leader_epoch = (int32_t)((uint32_t)r->leader_epoch + 1);
	}
	if (c->leader_recovery_state != -1)
		r->leader_recovery_state = c->leader_recovery_state;
	r->partition_epoch = (int32_t)((uint32_t)r->partition_epoch + 1);
}

const struct partition_image *
partition_image_change(const struct partition_image *old,
    const struct kp_partition_change_record *c)
{
	struct kp_partition_record r;

	partition_image_record(old, &r);
	replace_ids(&r.replicas, &r.replicas_count, c->replicas,
	    c->replicas_count);
	replace_ids(&r.isr, &r.isr_count, c->isr, c->isr_count);
	replace_ids(&r.removing_replicas, &r.removing_replicas_count,
	    c->removing_replicas, c->removing_replicas_count);
	replace_ids(&r.adding_replicas, &r.adding_replicas_count,
	    c->adding_replicas, c->adding_replicas_count);
	replace_ids(&r.eligible_leader_replicas,
	    &r.eligible_leader_replicas_count, c->eligible_leader_replicas,
	    c->eligible_leader_replicas_count);
	replace_ids(&r.last_known_elr, &r.last_known_elr_count,
	    c->last_known_elr, c->last_known_elr_count);
	merge_directories(&r, c);
	merge_leader(&r, c);
	return partition_image_new(&r);
}

const struct partition_image *
partition_image_clear_elr(const struct partition_image *old)
{
	struct kp_partition_record r;

	partition_image_record(old, &r);
	r.eligible_leader_replicas_count = 0;
	r.last_known_elr_count = 0;
	r.partition_epoch = (int32_t)((uint32_t)r.partition_epoch + 1);
	return partition_image_new(&r);
}

static uint32_t *
refs_of(const struct partition_image *p)
{
	return &((struct partition_image *)(uintptr_t)p)->refs;
}

const struct partition_image *
partition_image_ref(const struct partition_image *p)
{
	__atomic_add_fetch(refs_of(p), 1, __ATOMIC_RELAXED);
	return p;
}

void
partition_image_unref(const struct partition_image *p)
{
	if (p == NULL)
		return;
	if (__atomic_sub_fetch(refs_of(p), 1, __ATOMIC_ACQ_REL) == 0)
		free((struct partition_image *)(uintptr_t)p);
}

bool
partition_image_ids_contain(struct partition_image_ids ids, int32_t id)
{
	for (int32_t i = 0; i < ids.count; i++)
		if (ids.ids[i] == id)
			return true;
	return false;
}

bool
partition_image_directory(const struct partition_image *p, int32_t node_id,
    struct uuid *directory)
{
	for (int32_t i = 0; i < p->replicas.count; i++) {
		if (p->replicas.ids[i] == node_id) {
			*directory = p->directories[i];
			return true;
		}
	}
	return false;
}
