/*
 * Listeners: where we listen, and what clients are told to connect to, from
 * the keys listeners, advertised.listeners and
 * listener.security.protocol.map.
 *
 * A listener named in controller.listener.names is the controller's: a
 * cluster of one has nobody to talk to there, so it is not opened, but a file
 * that names it is as good as without.
 */
#ifndef CLI_LISTENER_ADDRESSES_H
#define CLI_LISTENER_ADDRESSES_H

#include "base/base.h"
#include "base/properties.h"

/* SecurityProtocol of Kafka, with its numbers. */
enum security_protocol {
	SECURITY_PLAINTEXT,
	SECURITY_SSL,
	SECURITY_SASL_PLAINTEXT,
	SECURITY_SASL_SSL,
};

static inline bool
security_has_sasl(enum security_protocol protocol)
{
	return protocol == SECURITY_SASL_PLAINTEXT ||
	    protocol == SECURITY_SASL_SSL;
}

static inline bool
security_has_tls(enum security_protocol protocol)
{
	return protocol == SECURITY_SSL || protocol == SECURITY_SASL_SSL;
}

struct listener_address {
	char *name;		/* upper case, as Kafka's listener names */
	char *host;		/* "" for all addresses */
	int port;		/* 0: any free one */
	char *advertised_host;
	int advertised_port;	/* 0: the port that was bound */
	bool advertised;	/* in advertised.listeners */
	enum security_protocol protocol;
};

struct listener_addresses {
	struct listener_address *items;
	size_t count;
};

/*
 * --port: the key listeners gets localhost:port for its first listener that
 * is not the controller's.  Others and all names stay, so what other keys say
 * of them holds; where clients were told to find that listener is forgotten
 * unless keep_advertised.
 */
void listener_addresses_move(struct properties *properties, int port,
    bool keep_advertised);

/*
 * Read the keys.  -1 with one line on standard error where they contradict
 * each other.
 */
int listener_addresses_parse(struct listener_addresses *addresses,
    const struct properties *properties) WARN_UNUSED;
void listener_addresses_fini(struct listener_addresses *addresses);

#endif
