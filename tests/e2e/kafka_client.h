/*
 * Producers and readers on librdkafka, for tests that look at what happened
 * to each record.
 *
 * Every function fails the test when a deadline passes or librdkafka refuses
 * what it is asked for.  One thread at a time.
 */
#ifndef E2E_KAFKA_CLIENT_H
#define E2E_KAFKA_CLIENT_H

#include "base/base.h"

#include <librdkafka/rdkafka.h>

struct broker_process;

/* Settings of librdkafka: names and values in turn. */
#define KAFKA_SETTINGS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define KAFKA_DEFAULTS ((const char *const[]){ NULL })

/* A client of the broker; rd_kafka_destroy is the caller's. */
rd_kafka_t *kafka_client_new(const struct broker_process *broker,
    rd_kafka_type_t type, const char *const *settings);

/* The same in steps, for settings that are not texts: callbacks. */
rd_kafka_conf_t *kafka_client_conf(const struct broker_process *broker,
    const char *const *settings);
void kafka_client_set(rd_kafka_conf_t *conf, const char *const *settings);
rd_kafka_t *kafka_client_of(rd_kafka_conf_t *conf, rd_kafka_type_t type);

/* Create a topic; configs are names and values in turn, up to a NULL. */
void kafka_client_create_topic(const struct broker_process *broker,
    const char *topic, int partitions, const char *const *configs);

/* --- Producers ----------------------------------------------------------- */

/* What became of a record. */
struct kafka_delivery {
	bool done;
	rd_kafka_resp_err_t error;
	int32_t partition;
	int64_t offset;
};

struct kafka_producer {
	rd_kafka_t *client;
	struct kafka_delivery *deliveries;	/* in the order of sending */
	size_t count;
	size_t capacity;
	size_t done;
};

void kafka_producer_init(struct kafka_producer *producer,
    const struct broker_process *broker, const char *const *settings);

/* Flushes nothing: what was not delivered is dropped. */
void kafka_producer_fini(struct kafka_producer *producer);

/*
 * Queue a record; waits while the queue is full.  partition may be
 * RD_KAFKA_PARTITION_UA.
 */
void kafka_producer_send(struct kafka_producer *producer, const char *topic,
    int32_t partition, struct slice key, struct slice value);

/* The same with a timestamp in milliseconds; 0 is now. */
void kafka_producer_send_at(struct kafka_producer *producer,
    const char *topic, int32_t partition, struct slice key,
    struct slice value, int64_t timestamp);

/* Take in deliveries without waiting. */
void kafka_producer_poll(struct kafka_producer *producer);

/* Wait until all are done, well or not. */
void kafka_producer_flush(struct kafka_producer *producer);

/* The same, and all must have been delivered without error. */
void kafka_producer_flush_ok(struct kafka_producer *producer);

/* --- Readers ------------------------------------------------------------- */

typedef void (*kafka_record_fn)(const rd_kafka_message_t *record,
    void *context);

/*
 * Show all records of a partition from its begin to its end as it is now, in
 * order.  The result is their number.
 */
size_t kafka_read(const struct broker_process *broker, const char *topic,
    int32_t partition, kafka_record_fn see, void *context);

/* The end offset of a partition. */
int64_t kafka_end_offset(const struct broker_process *broker,
    const char *topic, int32_t partition);

#endif
