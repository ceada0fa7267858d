/*
 * The one voter of a cluster of one, as `klamm storage format` writes it: by
 * --standalone from the configuration, by --initial-controllers from
 * ID@HOST:PORT:DIRECTORY-ID (org.apache.kafka.raft.DynamicVoter).
 */
#ifndef CLI_STORAGE_VOTER_H
#define CLI_STORAGE_VOTER_H

#include "base/base.h"
#include "base/properties.h"
#include "base/uuid.h"

struct storage_voter {
	char *listener;		/* owned, as is host */
	char *host;
	uint16_t port;
	struct uuid directory_id; /* zero: any */
};

/*
 * The first of controller.listener.names.  A controller that is started later
 * replaces host and port by what it then has.
 */
void storage_voter_configured(struct storage_voter *voter,
    const struct properties *properties);

/*
 * Put the voter of text in place of what was configured.  The exit code of the
 * program: with a line where text is none, names several, or not this node.
 */
int storage_voter_parse(struct storage_voter *voter, const char *text,
    int32_t node_id);

void storage_voter_fini(struct storage_voter *voter);

#endif
