/*
 * One life of transactions: what the files of test_txn_sim share.
 *
 * txn_sim_broker.c has the disk, the logs, the shards on them and their ends;
 * txn_sim_marks.c the loop that writes markers; txn_sim_calls.c asks the
 * coordinator and knows what it has to answer; txn_sim_produce.c brings
 * batches and offsets into transactions; txn_sim_clients.c is those who do all
 * that; txn_sim_check.c reads.
 */
#ifndef SIM_TXN_SIM_H
#define SIM_TXN_SIM_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/task.h"
#include "coord/group_shard.h"
#include "coord/txn_sender.h"
#include "coord/txn_shard.h"
#include "sim/sim_program.h"
#include "sim/txn_model.h"
#include "store/log.h"

#define SIM_TXNS 3
#define SIM_PARTITIONS 3
#define SIM_CLIENTS 6
#define SIM_TARGETS 3	/* partitions that a group has offsets of */

/* The logs: of topic t, and then the coordinators'. */
enum {
	SIM_LOG_OFFSETS = SIM_PARTITIONS,
	SIM_LOG_TXNS,
	SIM_LOGS,
};
/* Those that a transaction may be in. */
#define SIM_LOGS_TRANSACTIONAL (SIM_PARTITIONS + 1)

#define SIM_GROUP "group"

/* What was appended to a log inside or outside of a transaction. */
struct sim_entry {
	int64_t offset;
	int64_t producer_id;
	int serial;		/* TXN_MODEL_NO_SERIAL: outside */
	/* Of offsets. */
	int target;
	int64_t value;
	int64_t marker;		/* the offset of what decided it; -1 */
	bool committed;
};

struct sim_log {
	struct shard_host host;
	struct sim *sim;
	struct log *log;
	char path[32];
	const char *topic;
	int32_t index;
	struct sim_entry *entries;
	size_t count;
	size_t capacity;
	int64_t flushed_max;
	int64_t stable_max;
};

enum sim_outcome { SIM_UNDECIDED, SIM_COMMIT, SIM_ABORT };

/* A transaction. */
struct sim_serial {
	int txn;
	enum sim_outcome outcome;
	int64_t decided_at;	/* the offset of its Prepare* record */
};

/* What a transactional id was from the record at offset on. */
struct sim_was {
	int64_t offset;
	struct txn_model model;
};

struct sim_txn {
	char id[8];
	struct txn_model now;
	struct sim_was *history;
	size_t count;
	size_t capacity;
	int64_t noted;		/* where its last record is; -1: taken */
	bool noted_end;		/* which is a tombstone */
};

enum sim_op_kind { SIM_OP_BEGIN, SIM_OP_ADD, SIM_OP_END, SIM_OP_SEND,
	SIM_OP_OFFSETS };

/* Something that somebody has asked for. */
struct sim_op {
	struct list_node node;	/* of those that nobody waits for */
	struct sim *sim;
	enum sim_op_kind kind;
	int txn;
	union {
		struct txn_call call;
		struct txn_begin begin;
		struct txn_add add;
		struct txn_end end;
	};
	struct txn_partition parts[SIM_LOGS_TRANSACTIONAL];
	bool done;		/* the call is */
	bool over;		/* all of it is; error says how */
	enum kp_error error;
	struct txn_model_verdict verdict;
	bool interrupted;	/* the broker has gone since */

	/* Of a send, and of offsets. */
	int log;
	int64_t producer_id;
	int16_t epoch;
	int32_t sequence;
	bool adds;		/* as newer versions of the API do */
	bool asked;
	uint64_t guard;
	uint64_t accepted_guard;
	bool ready;		/* to be appended */
	int64_t offset;		/* out */
	bool committing;
	struct group_call group_call;
	struct group_commit commit;
	struct group_topic topic;
	struct group_offset target;
	struct shard_transaction transaction;
};

/* A producer of an application, in one of its lives. */
struct sim_client {
	int txn;
	bool each;		/* an epoch for each transaction (TV2) */
	int16_t begin_version;
	int64_t producer_id;	/* -1: it has not begun */
	int16_t epoch;
	int32_t sequences[SIM_PARTITIONS];
	int64_t ends[SIM_PARTITIONS];	/* behind what was accepted */
	unsigned added;		/* logs that the coordinator was told of */
	bool in_txn;
	bool used;		/* something was to be in it */
	bool broken;		/* all that is left is to abort */
	bool renew;		/* and to begin again */
	bool away;		/* fenced; it comes back some time */
	bool ending;
	bool end_commit;
	struct sim_op *op;
};

/* The clients' loop: tasks and timers, run when it pleases the seed. */
struct loop {
	struct list tasks;
	struct list timers;
	struct list marks;	/* struct txn_mark, by waiter.node */
};

struct sim {
	struct sim_life life;
	struct rng rng;
	struct sim_disk disk;
	struct fd_cache *files;
	struct sim_log logs[SIM_LOGS];
	int64_t now_ms;
	struct clock_source clock;
	struct loop loop;
	int32_t epoch;

	struct txn_settings settings;
	struct shard_settings shard_settings;
	struct txn_environment environment;
	struct txn_shard txns;
	struct txn_sender sender;
	bool sender_closed;
	bool idle;
	bool broken;		/* the shard has failed */

	struct group_settings group_settings;
	struct group_common group_common;
	struct group_resolver resolver;
	struct budget group_memory;
	struct group_shard groups;

	/* Producer ids. */
	int64_t ids_given;
	struct txn_call **waiting;	/* for one */
	size_t waiting_count;
	size_t waiting_capacity;

	struct sim_txn models[SIM_TXNS];
	struct sim_serial *serials;
	int serials_count;
	int serials_capacity;
	struct sim_client clients[SIM_CLIENTS];
	struct list strays;		/* struct sim_op */
	int calls_open;

	unsigned fail_percent;		/* of appends and markers */
	enum kp_error injected;		/* by the last append of transactions */
	bool settling;			/* nothing new, nothing fails */
	int commits;			/* that clients were told of */
};

/* --- txn_sim_broker.c --------------------------------------------------- */

void sim_broker_init(struct sim *sim);
/* Also the end of all that was asked for. */
void sim_broker_fini(struct sim *sim);

/* The power goes, or the process is killed; and all starts again. */
void sim_broker_crash(struct sim *sim);
/* The same node leads the coordinator's partition anew. */
void sim_broker_reelect(struct sim *sim);

/* What is in the log is durable, and the high watermark moves. */
void sim_flush(struct sim *sim, int log);

/* Let time pass, with every timer of the shards on the way. */
void sim_pass(struct sim *sim, int64_t ms);

int64_t sim_log_end(const struct sim *sim, int log);
int64_t sim_log_flushed(const struct sim *sim, int log);

/* The log of a partition of a transaction. */
struct sim_log *sim_log_find(
    struct sim *sim, struct slice topic, int32_t index);

/* --- txn_sim_marks.c ---------------------------------------------------- */

/* Something of what the loop has to do; false: there is nothing. */
bool sim_loop_step(struct sim *sim);
bool sim_loop_is_idle(const struct sim *sim);
/* All tasks. */
void sim_loop_drain(struct sim *sim);

/* --- txn_sim_calls.c ---------------------------------------------------- */

/* The environment's. */
void sim_run_call(struct txn_environment *environment,
    struct txn_shard *shard, struct txn_call *call);

/* The ids that are waited for come; or all, to a shard that is closed. */
void sim_ids_step(struct sim *sim);
void sim_ids_drain(struct sim *sim);

struct sim_op *sim_op_new(struct sim *sim, enum sim_op_kind kind, int txn);
void sim_op_free(struct sim_op *op);
/* Ask the coordinator; op->done some time. */
void sim_op_ask(struct sim_op *op);
/* Is the answer right?  Sets op->error. */
void sim_op_judge(struct sim_op *op);

/* What the shard has done by itself is legal, and the model knows it. */
void sim_models_follow(struct sim *sim);
/* It has another epoch now, of which there is a record. */
void sim_model_aged(struct sim *sim, struct sim_txn *txn, int16_t epoch);
/* The log has lost what is at end and above, or only been read again. */
void sim_models_reload(struct sim *sim, int64_t end);

/* --- txn_sim_produce.c -------------------------------------------------- */

/* Go on with a batch or with offsets; sets op->over at the end. */
void sim_op_produce(struct sim_op *op);

/* Outside of transactions. */
void sim_produce_plain(struct sim *sim);
void sim_commit_plain(struct sim *sim);

/* A marker is in the log. */
void sim_log_marked(struct sim_log *log,
    const struct control_record_marker *marker, int64_t offset);
/* The log ends there now. */
void sim_log_cut(struct sim_log *log, int64_t end);
struct sim_entry *sim_log_push(struct sim_log *log, int64_t offset);

/* --- txn_sim_clients.c -------------------------------------------------- */

void sim_clients_init(struct sim *sim);
void sim_client_step(struct sim *sim);
void sim_client_act(struct sim *sim, struct sim_client *client);
void sim_client_go_on(struct sim *sim, struct sim_client *client);
void sim_stray_step(struct sim *sim);
void sim_strays_go_on(struct sim *sim);
/* The broker has gone, and the logs have what they have. */
void sim_clients_interrupt(struct sim *sim);
bool sim_clients_wait(const struct sim *sim);

/* --- txn_sim_check.c ---------------------------------------------------- */

void sim_check_log(struct sim *sim, int log);
void sim_check_offsets(struct sim *sim);
/* Nothing is left open. */
void sim_check_settled(struct sim *sim);

#endif
