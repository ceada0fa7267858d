/*
 * Authorizer: may this principal do this operation on this resource?
 *
 * Every decision goes through here.  Without authorizer.class.name, which is
 * Kafka's default, there is no authorizer and everything is allowed.  With one
 * it decides as Kafka's StandardAuthorizer does, by the entries that stand in
 * the metadata:
 *
 *	1. super.users may do everything;
 *	2. a DENY that applies forbids;
 *	3. an ALLOW that applies allows;
 *	4. where no entry at all is about the resource,
 *	   allow.everyone.if.no.acl.found decides;
 *	5. all else is forbidden.
 *
 * A change is in force for the next decision; nothing is remembered for a
 * connection.  Its lock is a leaf.
 *
 * Thread: any.
 */
#ifndef AUTH_AUTHORIZER_H
#define AUTH_AUTHORIZER_H

#include "auth/acl.h"
#include "auth/principal.h"
#include "base/arena.h"

struct acl_set;
struct authorizer;
struct delta;

/* What the APIs of entries say where there is none. */
#define AUTHORIZER_NONE "No Authorizer is configured on the broker"

/* The only class that authorizer.class.name may name. */
#define AUTHORIZER_CLASS \
	"org.apache.kafka.metadata.authorizer.StandardAuthorizer"

/*
 * An authorizer that knows no entries yet.  super_users is the setting's text,
 * "User:a;User:b", which authorizer_super_users_valid.
 */
struct authorizer *authorizer_new(
    struct slice super_users, bool allow_everyone);
void authorizer_free(struct authorizer *authorizer);

/* Has each of the users a type and a name? */
bool authorizer_super_users_valid(struct slice super_users);

/* Take over what has changed: a subscriber of the controller. */
void authorizer_apply(void *authorizer, const struct delta *delta);

/*
 * True where operation on the resource of that type and name is allowed to
 * principal.  authorizer NULL is "no authorizer": everything is.
 */
bool authorizer_allows(struct authorizer *authorizer,
    const struct principal *principal, enum acl_operation operation,
    enum acl_resource_type type, struct slice name);

/* Why it is allowed or not, for the log; a superset of Kafka's words. */
enum authorizer_rule {
	AUTHORIZER_RULE_NONE,		/* there is no authorizer */
	AUTHORIZER_RULE_SUPER_USER,
	AUTHORIZER_RULE_ACL,		/* an entry */
	AUTHORIZER_RULE_DEFAULT,	/* no entry */
};

/* The same, and by which rule. */
bool authorizer_decides(struct authorizer *authorizer,
    const struct principal *principal, enum acl_operation operation,
    enum acl_resource_type type, struct slice name,
    enum authorizer_rule *rule);

/*
 * True where operation is allowed on some resource of the type, whichever it
 * is: an idempotent producer needs Write on some topic.
 */
bool authorizer_allows_some(struct authorizer *authorizer,
    const struct principal *principal, enum acl_operation operation,
    enum acl_resource_type type);

/*
 * The operations of acl_operations_of(type) that principal is allowed on the
 * resource, as the bit field that Metadata and others answer.
 */
int32_t authorizer_operations(struct authorizer *authorizer,
    const struct principal *principal, enum acl_resource_type type,
    struct slice name);

/* The entries that filter finds, in no order, as copies in arena. */
struct acl *authorizer_find(struct authorizer *authorizer,
    const struct acl *filter, struct arena *arena, size_t *count);

/* All entries; on the controller's thread, where nobody else changes them. */
const struct acl_set *authorizer_acls(const struct authorizer *authorizer);

#endif
