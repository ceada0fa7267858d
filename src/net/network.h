/*
 * Network: all connections of the process, with the settings, the limits and
 * the counters that they share.
 *
 * Order of life: loop_group_new, network_new, loop_group_start, listener_new
 * once or more, network_stop, loop_group_stop, network_free, loop_group_free.
 */
#ifndef NET_NETWORK_H
#define NET_NETWORK_H

#include "base/base.h"

struct accept_gate;
struct connection_handler;
struct log_limit;
struct loop_group;
struct network;

/* A row of max.connections.per.ip.overrides. */
struct network_ip_limit {
	const char *host;		/* an address, or a name of some */
	int32_t connections_max;
};

/* Kafka's keys in the comments; network_defaults sets Kafka's defaults. */
struct network_settings {
	size_t frame_len_max;		/* socket.request.max.bytes */
	int64_t idle_ms_max;		/* connections.max.idle.ms */
	/*
	 * klamm.frame.timeout.ms, ours: a frame that is not complete ends its
	 * connection when in so many milliseconds of reading fewer bytes than
	 * that have come in, which is about 1 KiB a second.
	 */
	int64_t partial_frame_ms_max;
	/*
	 * klamm.login.timeout.ms, ours: of the transport's handshake, and of
	 * that and the login where the client has to log in.
	 */
	int64_t handshake_ms_max;
	size_t in_flight_max;		/* ours: exchanges a connection */
	size_t output_len_max;		/* ours: unsent bytes a connection */
	/*
	 * All requests together: queued.max.request.bytes where it is set, else
	 * ours.
	 */
	size_t memory_max;
	/* Ours: all partial frames of clients that have yet to log in. */
	size_t strangers_memory_max;
	int32_t connections_max;	/* max.connections */
	int32_t connections_per_ip_max;	/* max.connections.per.ip */
	const struct network_ip_limit *ip_limits;
	size_t ip_limits_count;
	struct accept_gate *gate;	/* outlives the network; NULL: none */
	/* Of what clients can cause at will; it, too.  NULL: all lines. */
	struct log_limit *lines;
};

/* The sum over all loops; see the fields of struct connection_counters. */
struct network_counters {
	uint64_t accepted;
	uint64_t rejected;		/* over a limit */
	uint64_t closed;
	uint64_t idle_closed;
	uint64_t deadline_closed;	/* partial frame, handshake */
	uint64_t bad_frames;		/* sizes below 0 or too large */
	uint64_t frames;
	uint64_t reads;			/* system calls */
	uint64_t read_bytes;
	uint64_t writes;		/* system calls, sendfile among them */
	uint64_t written_bytes;
	uint64_t sendfiles;
	uint64_t sendfile_bytes;
	uint64_t preads;		/* of small parts of files */
	uint64_t pread_bytes;
	uint64_t parks;			/* frames that had to be copied */
	uint64_t parked_bytes;
	uint64_t pauses;		/* reading was turned off */
	uint64_t budget_waits;		/* reading waited for memory */
	uint64_t moves;			/* of connections between loops */
	uint64_t passes;		/* of the loops, as are the next */
	uint64_t wakeups;
	uint64_t tasks;
	uint64_t timers;
	uint64_t connections;		/* open now */
	uint64_t memory_bytes;		/* of requests, now */
};

/* Kafka's defaults, and ours where Kafka has none. */
void network_defaults(struct network_settings *settings);

/*
 * A network without listeners on loops that do not run yet.  settings are
 * copied; handler and loops outlive the network.
 */
struct network *network_new(struct loop_group *loops,
    const struct network_settings *settings,
    struct connection_handler *handler);

/*
 * From now on the limits of connections are those of settings.  Who is there
 * may stay, but for those that were idle for longest where there are more than
 * connections_max; none of a listener apart is closed.  Nothing else of
 * settings counts.  Any thread; it may block where an override names a host.
 */
void network_set_limits(struct network *network,
    const struct network_settings *settings);

/*
 * Stop accepting and reading, let replies that are pending leave, and close.
 * Whoever is not done after deadline_ms is closed all the same.  Returns when
 * every connection is gone and its exchanges are released; -1 when the owners
 * of some have not completed them 5 s after the deadline.  The loops run
 * meanwhile.  Not from a loop's thread.
 */
int network_stop(struct network *network, int64_t deadline_ms) WARN_UNUSED;

/*
 * Free it with its listeners; the loops have been stopped.  After network_stop
 * has failed it stays in memory, as far as there are connections.  NULL is
 * allowed.
 */
void network_free(struct network *network);

/* What has been done so far.  Any thread. */
void network_counters(const struct network *network,
    struct network_counters *counters);

#endif
