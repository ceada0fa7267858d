/*
 * Described groups: what the Describe requests of consumer, share and streams
 * groups have in common.  Their entries are of different types, which a kind
 * tells about.
 */
#ifndef API_DESCRIBED_GROUPS_H
#define API_DESCRIBED_GROUPS_H

#include "api/request.h"
#include "coord/group_coordinator.h"

/* Where an entry has what all of them have. */
struct described_group {
	struct slice *group_id;
	int16_t *error_code;
	struct slice *error_message;
	int32_t *authorized_operations;
};

/* What is said of a consumer or share group with topics that are hidden. */
#define DESCRIBED_GROUPS_DENIED                                               \
	"The group has described topic(s) that the client is not authorized " \
	"to describe."

struct described_groups_kind {
	const struct kp_struct *entry;
	struct described_group (*view)(void *entry);
	bool (*served)(const struct group_coordinator *groups);
	/* A call of the coordinator that fills the entry. */
	void (*describe)(struct group_coordinator *groups,
	    struct group_call *call, struct slice group_id, void *entry);
	/* May the principal describe all topics that the entry names? */
	bool (*allowed)(const struct request *request, const void *entry);
	const char *denied;	/* what is said where it may not */
};

/* What is asked for; all of it lives in the request's arena. */
struct described_groups {
	const struct described_groups_kind *kind;
	const struct slice *ids;
	void *response;
	void *entries;
	int32_t count;
	bool operations;	/* are to be told */
	struct group_call **calls;
};

/* The entries, with no more than their group ids, belong into response. */
struct described_groups *described_groups_new(struct request *request,
    const struct described_groups_kind *kind, const struct slice *ids,
    int32_t count, void *response);

/* Answer that error is what there is to say of each. */
void described_groups_fail(struct request *request,
    const struct described_groups *groups, enum kp_error error);

/*
 * Are so many groups of this kind to be described at all?  Where not the
 * request is done with.
 */
bool described_groups_admit(struct request *request,
    const struct described_groups_kind *kind, int32_t count);

/* Describe them and answer, now or later. */
void described_groups_answer(
    struct request *request, struct described_groups *groups);

#endif
