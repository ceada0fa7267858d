/*
 * The broker that faults are done to, with its data directory on a volume
 * where there is one.  Where the test fails it is killed, so that its volume
 * can be unmounted, and its log stays.
 */
#ifndef FAULTS_VICTIM_H
#define FAULTS_VICTIM_H

#include "e2e/broker_process.h"

struct volume;

#define VICTIM_SETTINGS_MAX 14

struct victim {
	struct broker_process broker;
	char *data;			/* its directory on a volume, or NULL */
	char *settings[VICTIM_SETTINGS_MAX];
	size_t settings_count;
};

/*
 * Not started yet; broker_process_restart does that.  volume is mounted and
 * has no data, or NULL.  One at a time.
 */
void victim_init(struct victim *victim, const struct volume *volume);

/* A configuration key of its. */
void victim_set(struct victim *victim, const char *key, const char *value);

/* Stop it where it runs, and remove all that it has written. */
void victim_fini(struct victim *victim);

#endif
