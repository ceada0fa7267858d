/*
 * Session: what a connection has said of who it is, where a listener's
 * clients say it by SASL or by a certificate.
 *
 * Until that is done only the requests that do it are served:
 *
 *	begin		ApiVersions, then SaslHandshake
 *	tokens		SaslAuthenticate; after a handshake of version 0
 *			the frames are tokens themselves
 *	done		everything, until the session's time is over; a new
 *			SaslHandshake makes it longer (KIP-368)
 *
 * (SaslServerAuthenticator of Kafka.)  What failed is told, and the connection
 * closed, after connection.failed.authentication.delay.ms.
 *
 * A certificate says it in the transport's handshake: the session is done
 * from the beginning.  On a listener that has SASL, too, certificates do not
 * count.  A connection of another listener, or one without a certificate, has
 * no session and is anonymous.  Thread: the connection's loop.
 */
#ifndef API_SESSION_H
#define API_SESSION_H

#include "api/request.h"
#include "auth/principal.h"
#include "auth/principal_rules.h"
#include "auth/sasl.h"

struct session;

/* What a listener's handler_context is. */
struct session_settings {
	const struct sasl_settings *sasl; /* NULL: clients do not log in */
	/* What certificates say; NULL where no client shows one. */
	const struct principal_rules *rules;
};

/*
 * net's callbacks: a connection was accepted; its TLS handshake is complete, or
 * has failed; it is gone.
 */
void session_opened(
    struct connection_handler *handler, struct connection *connection);
void session_shaken(
    struct connection_handler *handler, struct connection *connection);
void session_unshaken(struct connection_handler *handler,
    struct connection *connection, const char *reason);
void session_freed(
    struct connection_handler *handler, struct connection *connection);

/*
 * May a frame with this key of an API be taken for a request?  Where not, all
 * is done that there is to do about it.
 */
bool session_admits(
    struct connection *connection, int16_t key, struct slice frame);

/*
 * May the request be handled?  If not it is to be failed with
 * ILLEGAL_SASL_STATE, and the connection to be closed.
 */
bool session_allows(const struct request *request);

/* Who the connection is; lives as long as the connection. */
struct principal session_principal(const struct connection *connection);

/*
 * May the request ask for delegation tokens?  Only who has said who he is, and
 * has done that without one (KafkaApis.allowTokenRequests).
 */
bool session_allows_tokens(const struct request *request);

/* --- For the two APIs ----------------------------------------------------- */

/* Choose a mechanism; the request is answered. */
void session_handshake(struct request *request);

/* Take the client's next token; the request is answered, now or later. */
void session_authenticate(struct request *request);

#endif
