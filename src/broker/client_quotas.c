#include "broker/client_quotas.h"

#include "base/bytes.h"
#include "base/list.h"
#include "base/map.h"
#include "broker/token_bucket.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>

/* Names up to here make a key without memory of its own. */
#define KEY_INLINE_LEN 256

/* How a name stands in a quota, or in what is looked for. */
enum named {
	NAMED_NOT,
	NAMED_ANY,
	NAMED_SO,
};

/* The kinds of entities that have quotas, as bits. */
enum {
	KIND_CLIENT = 1,
	KIND_USER = 2,
	KIND_USER_CLIENT = 4,
};
#define KINDS 5 /* as an index */

struct limit {
	struct slice key; /* owned */
	double value;
};

struct bucket {
	struct slice key; /* owned */
	struct list_node node; /* the least recently used first */
	int64_t used_ms;
	uint64_t generation; /* of the limits that limit is from */
	double limit;
	struct rate_window window;
	struct token_bucket tokens;
};

struct client_quotas {
	/* immutable */
	struct rate_window_size size;

	/* atomic */
	atomic_int enabled; /* kinds that there are */

	pthread_mutex_t lock;

	/* guarded by lock */
	struct map limits; /* struct limit */
	size_t limits_of_kind[KINDS];
	uint64_t generation;
	struct map buckets; /* struct bucket */
	struct list by_use;
};

/* --- Keys ----------------------------------------------------------------- */

/* Two names, each of which may be missing or stand for any. */
struct key {
	uint8_t bytes[KEY_INLINE_LEN];
	uint8_t *heap;
	size_t len;
};

static struct slice
key_slice(const struct key *key)
{
	return slice_of(key->heap == NULL ? key->bytes : key->heap, key->len);
}

static void
key_init(struct key *key, enum named user_named, struct slice user,
    enum named client_named, struct slice client)
{
	size_t user_len = user_named == NAMED_SO ? user.len : 0;
	size_t client_len = client_named == NAMED_SO ? client.len : 0;
	uint8_t *out = key->bytes;

	key->len = 6 + user_len + client_len;
	key->heap = NULL;
	if (key->len > sizeof(key->bytes))
		out = key->heap = xmalloc(key->len);
	out[0] = (uint8_t)user_named;
	out[1] = (uint8_t)client_named;
	be32_put(out + 2, (uint32_t)user_len);
	if (user_len > 0)
		memcpy(out + 6, user.data, user_len);
	if (client_len > 0)
		memcpy(out + 6 + user_len, client.data, client_len);
}

static void
key_fini(struct key *key)
{
	free(key->heap);
}

static struct slice
key_copy(const struct key *key)
{
	return slice_of(slice_dup(key_slice(key)), key->len);
}

/* --- Limits --------------------------------------------------------------- */

static enum named
named_in(const struct client_quota_entity *entity, enum client_quota_type type)
{
	if (!entity->has[type])
		return NAMED_NOT;
	return slice_is_null(entity->names[type]) ? NAMED_ANY : NAMED_SO;
}

static void
key_of_entity(struct key *key, const struct client_quota_entity *entity)
{
	key_init(key, named_in(entity, CLIENT_QUOTA_USER),
	    entity->names[CLIENT_QUOTA_USER],
	    named_in(entity, CLIENT_QUOTA_CLIENT_ID),
	    entity->names[CLIENT_QUOTA_CLIENT_ID]);
}

static int
kind_of(const struct client_quota_entity *entity)
{
	if (!entity->has[CLIENT_QUOTA_USER])
		return KIND_CLIENT;
	return entity->has[CLIENT_QUOTA_CLIENT_ID] ? KIND_USER_CLIENT :
						     KIND_USER;
}

/* There is one more, or one less, of its kind.  The lock is held. */
static void
count_kind(struct client_quotas *quotas, int kind, int by)
{
	int enabled = atomic_load(&quotas->enabled);

	quotas->limits_of_kind[kind] += (size_t)by;
	enabled &= ~kind;
	if (quotas->limits_of_kind[kind] > 0)
		enabled |= kind;
	atomic_store(&quotas->enabled, enabled);
}

void
client_quotas_set(struct client_quotas *quotas,
    const struct client_quota_entity *entity, double value)
{
	struct limit *limit;
	struct key key;

	key_of_entity(&key, entity);
	pthread_mutex_lock(&quotas->lock);
	limit = map_get(&quotas->limits, key_slice(&key));
	if (limit == NULL) {
		limit = xcalloc(1, sizeof(*limit));
		limit->key = key_copy(&key);
		map_set(&quotas->limits, limit->key, limit);
		count_kind(quotas, kind_of(entity), 1);
	}
	limit->value = value;
	quotas->generation++;
	pthread_mutex_unlock(&quotas->lock);
	key_fini(&key);
}

static void
limit_free(struct limit *limit)
{
	free((void *)(uintptr_t)limit->key.data);
	free(limit);
}

void
client_quotas_remove(struct client_quotas *quotas,
    const struct client_quota_entity *entity)
{
	struct limit *limit;
	struct key key;

	key_of_entity(&key, entity);
	pthread_mutex_lock(&quotas->lock);
	limit = map_remove(&quotas->limits, key_slice(&key));
	if (limit != NULL) {
		limit_free(limit);
		count_kind(quotas, kind_of(entity), -1);
		quotas->generation++;
	}
	pthread_mutex_unlock(&quotas->lock);
	key_fini(&key);
}

bool
client_quotas_enabled(const struct client_quotas *quotas)
{
	return atomic_load_explicit(&quotas->enabled, memory_order_relaxed) !=
	    0;
}

/* The limit of what is so named, or NULL.  The lock is held. */
static const struct limit *
find(const struct client_quotas *quotas, enum named user, enum named client,
    const struct client_quotas_client *who)
{
	const struct limit *limit;
	struct key key;

	key_init(&key, user, who->user, client, who->client_id);
	limit = map_get(&quotas->limits, key_slice(&key));
	key_fini(&key);
	return limit;
}

/*
 * Which names a bucket is of, where there are quotas of several kinds
 * (DefaultQuotaCallback.quotaMetricTags of Kafka).
 */
static void
scope_of_several(const struct client_quotas *quotas,
    const struct client_quotas_client *who, bool *user, bool *client)
{
	static const struct {
		enum named user, client;
	} order[] = {
		{ NAMED_SO, NAMED_SO },
		{ NAMED_SO, NAMED_ANY },
		{ NAMED_SO, NAMED_NOT },
		{ NAMED_ANY, NAMED_SO },
		{ NAMED_ANY, NAMED_ANY },
		{ NAMED_ANY, NAMED_NOT },
	};

	*user = false;
	*client = true;
	for (size_t i = 0; i < COUNT_OF(order); i++)
		if (find(quotas, order[i].user, order[i].client, who) != NULL) {
			*user = true;
			*client = order[i].client != NAMED_NOT;
			return;
		}
}

/* The names that the client's bucket is of; the others are empty. */
static struct client_quotas_client
scope(const struct client_quotas *quotas,
    const struct client_quotas_client *who)
{
	bool user, client;

	switch (atomic_load(&quotas->enabled)) {
	case 0:
	case KIND_CLIENT:
		user = false;
		client = true;
		break;
	case KIND_USER:
		user = true;
		client = false;
		break;
	case KIND_USER_CLIENT:
		user = client = true;
		break;
	default:
		scope_of_several(quotas, who, &user, &client);
	}
	return (struct client_quotas_client){
		.user = user ? who->user : slice_str(""),
		.client_id = client ? who->client_id : slice_str(""),
	};
}

static const struct limit *
first_of(const struct client_quotas *quotas,
    const struct client_quotas_client *scope, bool user, bool client)
{
	const struct limit *limit;

	for (int i = 0; i < 4; i++) {
		enum named user_named = i < 2 ? NAMED_SO : NAMED_ANY;
		enum named client_named = i % 2 == 0 ? NAMED_SO : NAMED_ANY;

		limit = find(quotas, user ? user_named : NAMED_NOT,
		    client ? client_named : NAMED_NOT, scope);
		if (limit != NULL)
			return limit;
	}
	return NULL;
}

static double
limit_of(const struct client_quotas *quotas,
    const struct client_quotas_client *scope)
{
	const struct limit *limit = NULL;

	if (scope->user.len > 0 || scope->client_id.len > 0)
		limit = first_of(quotas, scope, scope->user.len > 0,
		    scope->client_id.len > 0);
	return limit == NULL ? (double)INFINITY : limit->value;
}

/* --- Buckets -------------------------------------------------------------- */

static void
bucket_free(struct client_quotas *quotas, struct bucket *bucket)
{
	list_remove(&bucket->node);
	(void)map_remove(&quotas->buckets, bucket->key);
	rate_window_fini(&bucket->window);
	free((void *)(uintptr_t)bucket->key.data);
	free(bucket);
}

static struct bucket *
least_used(struct client_quotas *quotas)
{
	return list_empty(&quotas->by_use) ?
	    NULL :
	    LIST_ENTRY(quotas->by_use.head.next, struct bucket, node);
}

/* Make room, and forget who has not been here for long. */
static void
forget(struct client_quotas *quotas, int64_t now_ms)
{
	struct bucket *bucket;

	while ((bucket = least_used(quotas)) != NULL &&
	    (now_ms - bucket->used_ms >= CLIENT_QUOTAS_IDLE_MS ||
		quotas->buckets.count >= CLIENT_QUOTAS_BUCKETS_MAX))
		bucket_free(quotas, bucket);
}

static struct bucket *
bucket_new(struct client_quotas *quotas, const struct key *key, int64_t now_ms)
{
	struct bucket *bucket;

	forget(quotas, now_ms);
	bucket = xcalloc(1, sizeof(*bucket));
	bucket->key = key_copy(key);
	rate_window_init(&bucket->window);
	list_append(&quotas->by_use, &bucket->node);
	map_set(&quotas->buckets, bucket->key, bucket);
	return bucket;
}

/* The client's bucket with its limit of now.  The lock is held. */
static struct bucket *
bucket_of(struct client_quotas *quotas, const struct client_quotas_client *who,
    int64_t now_ms)
{
	struct client_quotas_client names = scope(quotas, who);
	struct bucket *bucket;
	struct key key;

	key_init(&key, NAMED_SO, names.user, NAMED_SO, names.client_id);
	bucket = map_get(&quotas->buckets, key_slice(&key));
	if (bucket != NULL &&
	    now_ms - bucket->used_ms >= CLIENT_QUOTAS_IDLE_MS) {
		bucket_free(quotas, bucket);
		bucket = NULL;
	}
	if (bucket == NULL)
		bucket = bucket_new(quotas, &key, now_ms);
	key_fini(&key);
	/* The generation begins with 1. */
	if (bucket->generation != quotas->generation) {
		bucket->generation = quotas->generation;
		bucket->limit = limit_of(quotas, &names);
	}
	bucket->used_ms = now_ms;
	list_remove(&bucket->node);
	list_append(&quotas->by_use, &bucket->node);
	return bucket;
}

int64_t
client_quotas_take(struct client_quotas *quotas,
    const struct client_quotas_client *client, double amount, int64_t now_ms)
{
	struct bucket *bucket;
	int64_t throttle_ms;

	pthread_mutex_lock(&quotas->lock);
	bucket = bucket_of(quotas, client, now_ms);
	rate_window_record(&bucket->window, &quotas->size, amount, now_ms);
	throttle_ms = rate_window_throttle_ms(
	    &bucket->window, &quotas->size, bucket->limit, now_ms);
	pthread_mutex_unlock(&quotas->lock);
	return throttle_ms;
}

int64_t
client_quotas_look(struct client_quotas *quotas,
    const struct client_quotas_client *client, int64_t now_ms)
{
	struct bucket *bucket;
	int64_t throttle_ms;

	pthread_mutex_lock(&quotas->lock);
	bucket = bucket_of(quotas, client, now_ms);
	throttle_ms = rate_window_throttle_ms(
	    &bucket->window, &quotas->size, bucket->limit, now_ms);
	pthread_mutex_unlock(&quotas->lock);
	return throttle_ms;
}

void
client_quotas_note(struct client_quotas *quotas,
    const struct client_quotas_client *client, double amount, int64_t now_ms)
{
	pthread_mutex_lock(&quotas->lock);
	rate_window_record(&bucket_of(quotas, client, now_ms)->window,
	    &quotas->size, amount, now_ms);
	pthread_mutex_unlock(&quotas->lock);
}

double
client_quotas_window_max(struct client_quotas *quotas,
    const struct client_quotas_client *client, int64_t now_ms)
{
	double limit;

	pthread_mutex_lock(&quotas->lock);
	limit = bucket_of(quotas, client, now_ms)->limit;
	pthread_mutex_unlock(&quotas->lock);
	if (!isfinite(limit))
		return (double)INFINITY;
	return limit * (double)(quotas->size.count - 1) *
	    ((double)quotas->size.length_ms / 1000);
}

bool
client_quotas_spend(struct client_quotas *quotas,
    const struct client_quotas_client *client, double amount, bool strict,
    int64_t now_ms, int64_t *throttle_ms)
{
	struct bucket *bucket;
	bool spent;

	pthread_mutex_lock(&quotas->lock);
	bucket = bucket_of(quotas, client, now_ms);
	*throttle_ms = strict ? token_bucket_throttle_ms(&bucket->tokens,
				    &quotas->size, bucket->limit, now_ms) :
				0;
	spent = *throttle_ms == 0;
	if (spent)
		token_bucket_spend(&bucket->tokens, &quotas->size,
		    bucket->limit, amount, now_ms);
	if (!strict)
		*throttle_ms = token_bucket_throttle_ms(&bucket->tokens,
		    &quotas->size, bucket->limit, now_ms);
	pthread_mutex_unlock(&quotas->lock);
	return spent;
}

void
client_quotas_unspend(struct client_quotas *quotas,
    const struct client_quotas_client *client, double amount, int64_t now_ms)
{
	struct bucket *bucket;

	pthread_mutex_lock(&quotas->lock);
	bucket = bucket_of(quotas, client, now_ms);
	token_bucket_spend(&bucket->tokens, &quotas->size, bucket->limit,
	    -amount, now_ms);
	pthread_mutex_unlock(&quotas->lock);
}

size_t
client_quotas_buckets(struct client_quotas *quotas)
{
	size_t count;

	pthread_mutex_lock(&quotas->lock);
	count = quotas->buckets.count;
	pthread_mutex_unlock(&quotas->lock);
	return count;
}

/* --- Life ----------------------------------------------------------------- */

struct client_quotas *
client_quotas_new(const struct rate_window_size *size)
{
	struct client_quotas *quotas = xcalloc(1, sizeof(*quotas));

	quotas->size = *size;
	quotas->generation = 1;
	pthread_mutex_init(&quotas->lock, NULL);
	map_init(&quotas->limits);
	map_init(&quotas->buckets);
	list_init(&quotas->by_use);
	return quotas;
}

void
client_quotas_free(struct client_quotas *quotas)
{
	struct bucket *bucket;
	struct limit *limit;

	if (quotas == NULL)
		return;
	while ((bucket = least_used(quotas)) != NULL)
		bucket_free(quotas, bucket);
	for (size_t at = 0; (limit = map_next(&quotas->limits, &at)) != NULL;)
		limit_free(limit);
	map_fini(&quotas->limits);
	map_fini(&quotas->buckets);
	pthread_mutex_destroy(&quotas->lock);
	free(quotas);
}
