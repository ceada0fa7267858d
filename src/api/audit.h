/*
 * Audit: what the log says of who was denied what, who could not log in, and
 * who changed what.
 *
 *	kafka.authorizer.logger	decisions in Kafka's words (the audit log of
 *				StandardAuthorizer): denied ones at INFO, others
 *				at DEBUG
 *	auth			logins that have failed, at INFO
 *	net			requests that do not parse, at INFO
 *	klamm.audit		changes of APIs with API_CHANGES, at INFO: one
 *				line an entry, with its result
 *
 * Whoever has no rights can cause lines as fast as requests: of those about
 * denials, failed logins, changes that failed and requests that do not parse,
 * and of the network's about connections and frames that it refused, one is
 * written for each kind and peer in klamm.audit.interval.ms, with how many
 * were left out.  Values are never written, only names.
 *
 * Thread: any, but for audit_start.
 */
#ifndef API_AUDIT_H
#define API_AUDIT_H

#include "api/request.h"
#include "auth/authorizer.h"

struct audit;
struct log_limit;
struct loop;

struct audit *audit_new(int64_t interval_ms);

/* The loop that it was started on has ended.  NULL is allowed. */
void audit_free(struct audit *audit);

/* Say what was left out once an interval, on loop, which runs. */
void audit_start(struct audit *audit, struct loop *loop);

/* The limit of the network's lines, which belongs to audit. */
struct log_limit *audit_network_lines(struct audit *audit);

/* The authorizer has decided for request. */
void audit_decision(const struct request *request,
    enum acl_operation operation, enum acl_resource_type type,
    struct slice name, bool allowed, enum authorizer_rule rule);

/* A login of connection has failed, of which its client hears message. */
void audit_failed_login(struct audit *audit,
    const struct connection *connection, struct slice message);

/*
 * request, a frame of len bytes on connection, does not parse or takes too much
 * memory.
 */
void audit_invalid_request(const struct request *request,
    const struct connection *connection, size_t len);

/* request, of an API with API_CHANGES, is answered with response. */
void audit_change(const struct request *request, const void *response);

#endif
