/*
 * One life of groups: what the files of test_group_sim share.
 *
 * group_sim_classic.c and group_sim_consumer.c have the members of the two
 * protocols, group_sim_mixed.c those of a group that has both,
 * group_sim_offsets.c what is committed, group_sim_state.c what a
 * restart must leave as it was.
 */
#ifndef SIM_GROUP_SIM_H
#define SIM_GROUP_SIM_H

#include "sim/sim_program.h"
#include "unit/group_world.h"
#include "wire/generated/consumer_group_heartbeat.h"
#include "wire/generated/join_group.h"
#include "wire/generated/sync_group.h"

#define SIM_CLASSIC_GROUP "classic"
#define SIM_CONSUMER_GROUP "consumer"
#define SIM_MIXED_GROUP "mixed"

#define SIM_MEMBERS 6
#define SIM_TOPICS 3
#define SIM_PARTITIONS_MAX 8
#define SIM_SESSION_MS 10000
#define SIM_REBALANCE_MS 30000

/* Partitions: bit SIM_PARTITIONS_MAX * topic + index. */
typedef uint32_t sim_set;

struct sim_topic {
	char name[8];
	struct uuid id;		/* of what is there, or was last */
	int32_t partitions;	/* 0: it is not there */
};

enum sim_classic_state {
	SIM_CLASSIC_IDLE,
	SIM_CLASSIC_JOINING,
	SIM_CLASSIC_SYNCING,
	SIM_CLASSIC_STABLE,
};

/* A consumer of the classic protocol, which is eager. */
struct sim_classic {
	struct sim *sim;
	char instance[8];	/* "": dynamic */
	char id[80];		/* "": none yet */
	enum sim_classic_state state;
	int32_t generation;
	sim_set owned;
	int64_t away_until_ms;
	bool pending;
	struct group_call call;
	struct kp_join_group_request join;
	struct kp_join_group_request_protocol protocol;
	struct kp_join_group_response joined;
	struct kp_sync_group_request sync;
	struct kp_sync_group_response synced;
};

/* A consumer of the consumer protocol. */
struct sim_consumer {
	struct sim *sim;
	char id[16];
	char instance[8];	/* "": dynamic */
	bool in;		/* the group, as far as it knows */
	bool static_away;	/* it has left, and will be back */
	unsigned topics;	/* that it subscribes to, as bits */
	bool unsaid;		/* the coordinator may not know of these */
	int32_t epoch;
	sim_set told;		/* what it is to own */
	sim_set owned;		/* what it works on, until it has stopped */
	struct uuid ids[SIM_TOPICS]; /* of the topics that these are of */
	int64_t sent_ms;	/* when it asked */
	int64_t heard_ms;	/* what was answered last */
	int64_t revoke_ms;	/* when it had to give up something; or never */
	int64_t away_until_ms;
	bool pending;
	bool leaving;
	bool joining;
	sim_set reported;
	struct group_call call;
	struct kp_consumer_group_heartbeat_request request;
	struct kp_consumer_group_heartbeat_response response;
};

/* A consumer of either protocol, as it goes. */
struct sim_mixed {
	struct sim *sim;
	bool consumer;		/* the protocol that it speaks */
	char id[80];		/* "": none yet */
	enum sim_classic_state state; /* of a consumer: idle or stable */
	int32_t epoch;		/* or generation */
	sim_set told;		/* what it is to own */
	sim_set owned;		/* what it works on, until it has stopped */
	sim_set reported;
	struct uuid ids[SIM_TOPICS]; /* of the topics that these are of */
	int64_t sent_ms;	/* when it asked */
	int64_t heard_ms;	/* what was answered last */
	int64_t revoke_ms;	/* when it had to give up something; or never */
	int64_t away_until_ms;
	bool pending;
	bool asked;		/* and the answer was not looked at */
	bool refused;		/* its join will be */
	struct group_call call;
	struct kp_join_group_request join;
	struct kp_join_group_request_protocol protocol;
	struct kp_join_group_response joined;
	struct kp_sync_group_request sync;
	struct kp_sync_group_response synced;
	struct kp_consumer_group_heartbeat_request beat;
	struct kp_consumer_group_heartbeat_response beaten;
};

/* An offset that was appended. */
struct sim_commit {
	int64_t at;		/* in the log */
	const char *group;
	int partition;
	int64_t offset;
};

struct sim {
	struct sim_life life;
	struct rng rng;
	struct world world;
	struct sim_topic topics[SIM_TOPICS];
	struct sim_classic classics[SIM_MEMBERS];
	struct sim_consumer consumers[SIM_MEMBERS];
	struct sim_mixed mixed[SIM_MEMBERS];
	struct sim_commit *commits;
	size_t commits_count;
	size_t commits_capacity;
	int calls_open;
	int32_t classic_generation;	/* the last that was seen */
	int32_t consumer_epoch;		/* the same */
	int32_t mixed_epoch;		/* the same, or generation */
	int mixed_count;		/* ids that were made for its members */
	bool settling;
	int shared;			/* assignments that were taken */
};

/* What a call of the group's begins with. */
void sim_call_init(struct sim *sim, struct group_call *call, int16_t version,
    void (*done)(struct shard_call *call));

/* All partitions that are there, of these topics. */
sim_set sim_partitions(const struct sim *sim, unsigned topics);

/* --- group_sim_classic.c ------------------------------------------------ */

void sim_classic_init(struct sim *sim);
void sim_classic_step(struct sim *sim);
/* Take over what has been answered. */
void sim_classic_collect(struct sim *sim);
void sim_classic_check(struct sim *sim);
void sim_classic_interrupt(struct sim *sim);
/* All go on until they have their shares. */
void sim_classic_settle(struct sim *sim);

/* --- group_sim_consumer.c ----------------------------------------------- */

void sim_consumer_init(struct sim *sim);
void sim_consumer_step(struct sim *sim);
void sim_consumer_collect(struct sim *sim);
void sim_consumer_check(struct sim *sim);
void sim_consumer_interrupt(struct sim *sim);
void sim_consumer_settle(struct sim *sim);

/* --- group_sim_mixed.c -------------------------------------------------- */

void sim_mixed_init(struct sim *sim);
void sim_mixed_step(struct sim *sim);
void sim_mixed_collect(struct sim *sim);
void sim_mixed_check(struct sim *sim);
void sim_mixed_interrupt(struct sim *sim);
void sim_mixed_settle(struct sim *sim);

/* --- group_sim_offsets.c ------------------------------------------------ */

/* Commit as a member, or as nobody (generation -1); what came of it. */
enum kp_error sim_offsets_commit(struct sim *sim, const char *group,
    const char *member, const char *instance, int32_t generation);
void sim_offsets_check(struct sim *sim);
/* The log ends there now. */
void sim_offsets_cut(struct sim *sim, int64_t end);

/* --- group_sim_state.c -------------------------------------------------- */

/*
 * What must survive, as bytes in the world's arena: of the groups of one
 * protocol, and of the group of both.
 */
struct slice sim_state(struct sim *sim);
struct slice sim_state_mixed(struct sim *sim);

#endif
