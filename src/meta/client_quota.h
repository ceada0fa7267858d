/*
 * Client quotas in the metadata: whom one limits, and what it may say.
 *
 * A quota belongs to an entity: a user, a client id, both together, or an
 * address; a name that is null stands for all that have no quota of their own
 * (ClientQuotaEntity and QuotaConfig of Kafka).  Each key of an entity is a
 * record of its own, which the image keeps (image_kept).
 *
 * No state: any thread.
 */
#ifndef META_CLIENT_QUOTA_H
#define META_CLIENT_QUOTA_H

#include "base/arena.h"
#include "base/base.h"
#include "base/buf.h"
#include "wire/error.h"
#include "wire/generated/metadata_client_quota_record.h"

/* In the order in which Kafka writes and tells them. */
enum client_quota_type {
	CLIENT_QUOTA_CLIENT_ID,
	CLIENT_QUOTA_USER,
	CLIENT_QUOTA_IP,
};
#define CLIENT_QUOTA_TYPES 3

enum client_quota_key {
	CLIENT_QUOTA_PRODUCER_BYTE_RATE,
	CLIENT_QUOTA_CONSUMER_BYTE_RATE,
	CLIENT_QUOTA_REQUEST_PERCENTAGE,
	CLIENT_QUOTA_CONTROLLER_MUTATION_RATE,
	CLIENT_QUOTA_CONNECTION_CREATION_RATE,
};
#define CLIENT_QUOTA_KEYS 5

/* An entity of known types only. */
struct client_quota_entity {
	bool has[CLIENT_QUOTA_TYPES];
	struct slice names[CLIENT_QUOTA_TYPES]; /* null: the default */
};

/* "client-id", "user", "ip"; -1 where it is none of them. */
const char *client_quota_type_name(enum client_quota_type type);
int client_quota_type_find(
    struct slice name, enum client_quota_type *type) WARN_UNUSED;

/* "producer_byte_rate" and so on; -1 where it is none of them. */
int client_quota_key_find(
    struct slice name, enum client_quota_key *key) WARN_UNUSED;

/*
 * The parts of a record's entity; names are borrowed.  -1 where there are none
 * or some of a type that is not known.
 */
int client_quota_entity_of(const struct kp_client_quota_record_entity *parts,
    int32_t count, struct client_quota_entity *entity) WARN_UNUSED;

/*
 * Append what tells a quota from all others: its key, and its entity's parts,
 * in whatever order they come.  -1 where identity has no room.
 */
int client_quota_identity(const struct kp_client_quota_record_entity *parts,
    int32_t count, struct slice key, struct buf *identity) WARN_UNUSED;

/*
 * What an identity was made of; names are borrowed.  -1 where it is none, or
 * of types that are not known.
 */
int client_quota_of_identity(struct slice identity, struct arena *arena,
    struct client_quota_entity *entity, struct slice *key) WARN_UNUSED;

/*
 * May key of the entity have the value?  KP_NONE, or INVALID_REQUEST and its
 * text (ClientQuotaControlManager of Kafka).  What is no number is allowed,
 * as it is there; it limits nothing.
 */
enum kp_error client_quota_check(const struct client_quota_entity *entity,
    struct slice key, double value, struct arena *arena,
    struct slice *message) WARN_UNUSED;

#endif
