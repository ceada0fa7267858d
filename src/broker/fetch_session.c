#include "broker/fetch_session.h"

#include "base/list.h"
#include "base/map.h"
#include "base/rng.h"
#include "meta/topic_image.h"

#include <pthread.h>
#include <stdatomic.h>

#define PARTS 8
/* Ids have 31 bits; the upper three say in which part the session is. */
#define ID_PART_SHIFT 28
/* Idle for so long, or so old, a session may have to make room. */
#define EVICTION_MS 120000
/* What all sessions of a part may take: about 170,000 partitions. */
#define PART_BYTES_MAX ((size_t)24 << 20)
/* What a map takes for each of its entries. */
#define MAP_ENTRY_BYTES 64

/* A topic of a session, as long as there are partitions of it. */
struct topic {
	struct list_node node; /* the session's */
	size_t entries_count;
	struct slice copy; /* in the arena of the fetch that is listed */
	struct slice name; /* or id; the bytes follow */
};

struct entry_key {
	struct topic *topic;
	intptr_t index;
};

/* A partition of a session, and what the client was last told of it. */
struct fetch_session_entry {
	struct list_node node; /* the session's, in reading order */
	struct entry_key key;
	int64_t fetch_offset;
	int64_t log_start_offset;
	int64_t told_high_watermark;
	int64_t told_log_start_offset;
	int32_t max_bytes;
	int32_t current_leader_epoch;
	int32_t last_fetched_epoch;
};

#define ENTRY_BYTES (sizeof(struct fetch_session_entry) + MAP_ENTRY_BYTES)

struct session {
	struct list_node node; /* the part's, by last use */
	int32_t id;
	int32_t epoch;
	uint64_t serial;
	bool uses_ids;
	bool privileged;
	int64_t created_ms;
	int64_t used_ms;
	struct map by_key; /* struct fetch_session_entry */
	struct list order;
	struct map topics_by_name;
	struct list topics;
};

struct part {
	pthread_mutex_t mutex;
	/* guarded by mutex */
	struct rng rng;
	struct map by_id; /* struct session */
	struct list used; /* least recently used first */
	size_t entries_count;
	size_t bytes; /* of the sessions' entries and topics */
	uint64_t evictions;
};

struct fetch_sessions {
	size_t part_slots;
	atomic_ullong serial;
	atomic_uint next_part;
	struct part parts[PARTS];
};

/* --- Life -------------------------------------------------------------- */

struct fetch_sessions *
fetch_sessions_new(int32_t slots, uint64_t seed)
{
	struct fetch_sessions *sessions = xcalloc(1, sizeof(*sessions));

	sessions->part_slots = (size_t)MAX(slots, 0) / PARTS;
	atomic_init(&sessions->serial, 1);
	atomic_init(&sessions->next_part, 0);
	for (unsigned i = 0; i < PARTS; i++) {
		struct part *part = &sessions->parts[i];

		pthread_mutex_init(&part->mutex, NULL);
		rng_init(&part->rng, seed + i);
		map_init(&part->by_id);
		list_init(&part->used);
	}
	return sessions;
}

static size_t
topic_bytes(const struct topic *topic)
{
	return sizeof(*topic) + topic->name.len + MAP_ENTRY_BYTES;
}

static void
topic_remove(struct part *part, struct session *session, struct topic *topic)
{
	map_remove(&session->topics_by_name, topic->name);
	list_remove(&topic->node);
	part->bytes -= topic_bytes(topic);
	free(topic);
}

static void
entry_remove(struct part *part, struct session *session,
    struct fetch_session_entry *entry)
{
	struct topic *topic = entry->key.topic;

	map_remove(&session->by_key, MAP_KEY(entry->key));
	list_remove(&entry->node);
	part->entries_count--;
	part->bytes -= ENTRY_BYTES;
	free(entry);
	if (--topic->entries_count == 0)
		topic_remove(part, session, topic);
}

static void
session_remove(struct part *part, struct session *session)
{
	LIST_FOR_EACH_SAFE (node, &session->order)
		entry_remove(part, session,
		    LIST_ENTRY(node, struct fetch_session_entry, node));
	map_remove(&part->by_id, MAP_KEY(session->id));
	list_remove(&session->node);
	map_fini(&session->by_key);
	map_fini(&session->topics_by_name);
	free(session);
}

void
fetch_sessions_free(struct fetch_sessions *sessions)
{
	if (sessions == NULL)
		return;
	for (unsigned i = 0; i < PARTS; i++) {
		struct part *part = &sessions->parts[i];

		LIST_FOR_EACH_SAFE (node, &part->used)
			session_remove(
			    part, LIST_ENTRY(node, struct session, node));
		map_fini(&part->by_id);
		pthread_mutex_destroy(&part->mutex);
	}
	free(sessions);
}

/* The part of an id; negative ids name no session anywhere. */
static struct part *
part_lock(struct fetch_sessions *sessions, int32_t id)
{
	struct part *part =
	    &sessions->parts[((uint32_t)id >> ID_PART_SHIFT) % PARTS];

	pthread_mutex_lock(&part->mutex);
	return part;
}

static void
part_unlock(struct part *part)
{
	pthread_mutex_unlock(&part->mutex);
}

static struct session *
session_find(const struct part *part, int32_t id)
{
	return map_get(&part->by_id, MAP_KEY(id));
}

static void
session_touch(struct part *part, struct session *session, int64_t now_ms)
{
	session->used_ms = now_ms;
	list_remove(&session->node);
	list_append(&part->used, &session->node);
}

/* --- Entries ----------------------------------------------------------- */

/* The name of a topic in a session that goes by ids or by names. */
static struct slice
name_of(bool uses_ids, struct slice topic, const struct uuid *topic_id)
{
	return uses_ids ? slice_of(topic_id->bytes, sizeof(topic_id->bytes)) :
			  topic;
}

/* No topic has a longer name, and sessions do not keep what is none. */
static bool
names_fit(const struct fetch_session_partition *partitions, int32_t count)
{
	for (int32_t i = 0; i < count; i++)
		if (partitions[i].topic.len > TOPIC_IMAGE_NAME_LEN_MAX)
			return false;
	return true;
}

static struct topic *
topic_get(struct part *part, struct session *session, struct slice name)
{
	struct topic *topic = map_get(&session->topics_by_name, name);
	uint8_t *bytes;

	if (topic != NULL)
		return topic;
	topic = xcalloc(1, sizeof(*topic) + name.len);
	bytes = (uint8_t *)(topic + 1);
	if (name.len > 0)
		memcpy(bytes, name.data, name.len);
	topic->name = slice_of(bytes, name.len);
	list_append(&session->topics, &topic->node);
	map_set(&session->topics_by_name, topic->name, topic);
	part->bytes += topic_bytes(topic);
	return topic;
}

static struct fetch_session_entry *
entry_add(
    struct part *part, struct session *session, const struct entry_key *key)
{
	struct fetch_session_entry *entry = xcalloc(1, sizeof(*entry));

	entry->key = *key;
	entry->told_high_watermark = -1;
	entry->told_log_start_offset = -1;
	list_append(&session->order, &entry->node);
	map_set(&session->by_key, MAP_KEY(entry->key), entry);
	key->topic->entries_count++;
	part->entries_count++;
	part->bytes += ENTRY_BYTES;
	return entry;
}

static struct fetch_session_entry *
entry_update(struct part *part, struct session *session,
    const struct fetch_session_partition *partition)
{
	struct slice name = name_of(
	    session->uses_ids, partition->topic, &partition->topic_id);
	struct entry_key key = { topic_get(part, session, name),
		partition->index };
	struct fetch_session_entry *entry =
	    map_get(&session->by_key, MAP_KEY(key));

	if (entry == NULL)
		entry = entry_add(part, session, &key);
	entry->fetch_offset = partition->fetch_offset;
	entry->max_bytes = partition->max_bytes;
	entry->current_leader_epoch = partition->current_leader_epoch;
	entry->last_fetched_epoch = partition->last_fetched_epoch;
	entry->log_start_offset = partition->log_start_offset;
	return entry;
}

static void
entry_forget(struct part *part, struct session *session,
    const struct fetch_session_forgotten *forgotten)
{
	struct slice name = name_of(
	    session->uses_ids, forgotten->topic, &forgotten->topic_id);
	struct entry_key key = { .index = forgotten->index };
	struct fetch_session_entry *entry;

	if (name.len > TOPIC_IMAGE_NAME_LEN_MAX)
		return;
	key.topic = map_get(&session->topics_by_name, name);
	entry = map_get(&session->by_key, MAP_KEY(key));
	if (entry != NULL)
		entry_remove(part, session, entry);
}

/* A copy for the fetch, whose topic has been copied. */
static struct fetch_session_partition
entry_copy(struct fetch_session_entry *entry, bool uses_ids)
{
	const struct topic *topic = entry->key.topic;
	struct fetch_session_partition partition = {
		.index = (int32_t)entry->key.index,
		.fetch_offset = entry->fetch_offset,
		.max_bytes = entry->max_bytes,
		.current_leader_epoch = entry->current_leader_epoch,
		.last_fetched_epoch = entry->last_fetched_epoch,
		.log_start_offset = entry->log_start_offset,
		.entry = entry,
	};

	if (uses_ids)
		memcpy(partition.topic_id.bytes, topic->name.data,
		    sizeof(partition.topic_id.bytes));
	else
		partition.topic = topic->copy;
	return partition;
}

/* --- Begin ------------------------------------------------------------- */

static void
session_drop(struct fetch_sessions *sessions, int32_t id)
{
	struct part *part;
	struct session *session;

	if (id == FETCH_SESSION_NONE)
		return;
	part = part_lock(sessions, id);
	session = session_find(part, id);
	if (session != NULL)
		session_remove(part, session);
	part_unlock(part);
}

static int32_t
epoch_next(int32_t epoch)
{
	return epoch == INT32_MAX ? 1 : epoch + 1;
}

static enum kp_error
session_check(
    const struct session *session, const struct fetch_session_request *request)
{
	if (session == NULL)
		return KP_FETCH_SESSION_ID_NOT_FOUND;
	if (session->epoch != request->epoch)
		return KP_INVALID_FETCH_SESSION_EPOCH;
	if (session->uses_ids != request->uses_ids)
		return KP_FETCH_SESSION_TOPIC_ID_ERROR;
	return KP_NONE;
}

/* False where the session may not become what the client wants. */
static bool
session_update(struct part *part, struct session *session,
    const struct fetch_session_request *request)
{
	if (!names_fit(request->partitions, request->partitions_count))
		return false;
	for (int32_t i = 0; i < request->partitions_count &&
	     part->bytes <= PART_BYTES_MAX; i++)
		entry_update(part, session, &request->partitions[i]);
	for (int32_t i = 0; i < request->forgotten_count; i++)
		entry_forget(part, session, &request->forgotten[i]);
	return part->bytes <= PART_BYTES_MAX;
}

/* Copy each topic's name once, however many partitions it has. */
static void
topics_copy(struct session *session, struct arena *arena)
{
	LIST_FOR_EACH (node, &session->topics) {
		struct topic *topic = LIST_ENTRY(node, struct topic, node);

		arena->size_bytes_max += topic->name.len + 16;
		topic->copy = arena_copy(arena, topic->name);
	}
}

/*
 * List what the session has.  The memory is the server's own doing, so it
 * does not count against what the request's arena may have.
 */
static void
session_list(struct session *session, struct arena *arena,
    struct fetch_session_context *context)
{
	size_t count = session->by_key.count;
	size_t size = count * sizeof(struct fetch_session_partition);
	int32_t at = 0;

	arena->size_bytes_max += size;
	context->partitions = arena_xalloc(arena, size);
	if (!session->uses_ids)
		topics_copy(session, arena);
	LIST_FOR_EACH (node, &session->order)
		context->partitions[at++] = entry_copy(
		    LIST_ENTRY(node, struct fetch_session_entry, node),
		    session->uses_ids);
	context->partitions_count = at;
}

static enum kp_error
session_continue(struct part *part, const struct fetch_session_request *request,
    int64_t now_ms, struct arena *arena, struct fetch_session_context *context)
{
	struct session *session = session_find(part, request->id);
	enum kp_error error = session_check(session, request);

	if (error != KP_NONE)
		return error;
	if (!session_update(part, session, request)) {
		session_remove(part, session);
		return KP_FETCH_SESSION_ID_NOT_FOUND;
	}
	if (list_empty(&session->order)) {
		session_remove(part, session);
		context->kind = FETCH_SESSIONLESS;
		return KP_NONE;
	}
	session->epoch = epoch_next(session->epoch);
	session_touch(part, session, now_ms);
	context->id = session->id;
	context->epoch = session->epoch;
	context->serial = session->serial;
	session_list(session, arena, context);
	return KP_NONE;
}

/* The request names everything that it wants. */
static void
partitions_take(const struct fetch_session_request *request,
    struct arena *arena, struct fetch_session_context *context)
{
	size_t size =
	    (size_t)request->partitions_count * sizeof(*context->partitions);

	arena->size_bytes_max += size;
	context->partitions = arena_xalloc(arena, size);
	if (size > 0)
		memcpy(context->partitions, request->partitions, size);
	context->partitions_count = request->partitions_count;
}

enum kp_error
fetch_sessions_begin(struct fetch_sessions *sessions,
    const struct fetch_session_request *request, int64_t now_ms,
    struct arena *arena, struct fetch_session_context *context)
{
	struct part *part;
	enum kp_error error;

	*context =
	    (struct fetch_session_context){ .uses_ids = request->uses_ids,
		    .privileged = request->privileged };
	if (request->epoch == FETCH_SESSION_EPOCH_INITIAL ||
	    request->epoch == FETCH_SESSION_EPOCH_FINAL) {
		context->kind = request->epoch == FETCH_SESSION_EPOCH_INITIAL ?
		    FETCH_SESSION_FULL :
		    FETCH_SESSIONLESS;
		session_drop(sessions, request->id);
		partitions_take(request, arena, context);
		return KP_NONE;
	}
	context->kind = FETCH_SESSION_INCREMENTAL;
	part = part_lock(sessions, request->id);
	error = session_continue(part, request, now_ms, arena, context);
	part_unlock(part);
	return error;
}

/* --- Room for a new session -------------------------------------------- */

/* How much a session is worth keeping; the lesser one has to go. */
static int
session_compare(
    bool privileged_a, size_t size_a, int32_t id_a, const struct session *b)
{
	if (privileged_a != b->privileged)
		return privileged_a ? 1 : -1;
	if (size_a != b->by_key.count)
		return size_a > b->by_key.count ? 1 : -1;
	return (id_a > b->id) - (id_a < b->id);
}

static bool
session_evictable(
    const struct session *session, bool for_privileged, int64_t now_ms)
{
	if (for_privileged)
		return !session->privileged;
	return now_ms - session->created_ms > EVICTION_MS;
}

/* The least of those that may have to make room, or NULL. */
static struct session *
session_least(const struct part *part, bool for_privileged, int64_t now_ms)
{
	struct session *least = NULL;

	LIST_FOR_EACH (node, &part->used) {
		struct session *session =
		    LIST_ENTRY(node, struct session, node);

		if (!session_evictable(session, for_privileged, now_ms))
			continue;
		if (least == NULL ||
		    session_compare(session->privileged, session->by_key.count,
			session->id, least) < 0)
			least = session;
	}
	return least;
}

static bool
part_evict(struct part *part, bool privileged, size_t size, int64_t now_ms)
{
	struct session *victim;

	if (list_empty(&part->used))
		return false;
	victim = LIST_ENTRY(part->used.head.next, struct session, node);
	if (now_ms - victim->used_ms <= EVICTION_MS) {
		victim = session_least(part, privileged, now_ms);
		if (victim == NULL ||
		    session_compare(privileged, size, 0, victim) < 0)
			return false;
	}
	session_remove(part, victim);
	part->evictions++;
	return true;
}

static bool
part_room(const struct fetch_sessions *sessions, struct part *part,
    bool privileged, size_t size, int64_t now_ms)
{
	if (part->bytes + size * ENTRY_BYTES > PART_BYTES_MAX)
		return false;
	return part->by_id.count < sessions->part_slots ||
	    part_evict(part, privileged, size, now_ms);
}

static int32_t
id_make(struct part *part, uint32_t part_index)
{
	int32_t id;

	do {
		id = (int32_t)(part_index << ID_PART_SHIFT |
		    rng_below(&part->rng, 1u << ID_PART_SHIFT));
	} while (id == FETCH_SESSION_NONE || session_find(part, id) != NULL);
	return id;
}

/* --- Answer ------------------------------------------------------------ */

/* Kafka repeats an error in every answer, and tells once when it is over. */
static void
entry_told(struct fetch_session_entry *entry,
    const struct fetch_session_result *result)
{
	entry->told_high_watermark =
	    result->error == KP_NONE ? result->high_watermark : -1;
	entry->told_log_start_offset = result->log_start_offset;
}

static bool
entry_news(const struct fetch_session_entry *entry,
    const struct fetch_session_result *result)
{
	return result->has_records || result->must_answer ||
	    result->error != KP_NONE ||
	    result->high_watermark != entry->told_high_watermark ||
	    result->log_start_offset != entry->told_log_start_offset;
}

static struct session *
session_make(struct fetch_sessions *sessions, struct part *part,
    const struct fetch_session_context *context, int32_t id, int64_t now_ms)
{
	struct session *session = xcalloc(1, sizeof(*session));

	session->id = id;
	session->epoch = 1;
	session->serial = atomic_fetch_add(&sessions->serial, 1);
	session->uses_ids = context->uses_ids;
	session->privileged = context->privileged;
	session->created_ms = now_ms;
	session->used_ms = now_ms;
	map_init(&session->by_key);
	list_init(&session->order);
	map_init(&session->topics_by_name);
	list_init(&session->topics);
	map_set(&part->by_id, MAP_KEY(session->id), session);
	list_append(&part->used, &session->node);
	return session;
}

/* False where there is no room for all of it. */
static bool
session_fill(struct part *part, struct session *session,
    const struct fetch_session_context *context,
    const struct fetch_session_result *results)
{
	for (int32_t i = 0; i < context->partitions_count; i++) {
		entry_told(
		    entry_update(part, session, &context->partitions[i]),
		    &results[i]);
		if (part->bytes > PART_BYTES_MAX)
			return false;
	}
	return true;
}

/* The new session's id, or FETCH_SESSION_NONE where there is no room. */
static int32_t
session_create(struct fetch_sessions *sessions,
    const struct fetch_session_context *context,
    const struct fetch_session_result *results, int64_t now_ms)
{
	uint32_t index = atomic_fetch_add(&sessions->next_part, 1) % PARTS;
	struct part *part = &sessions->parts[index];
	int32_t id = FETCH_SESSION_NONE;
	struct session *session;

	if (!names_fit(context->partitions, context->partitions_count))
		return FETCH_SESSION_NONE;
	pthread_mutex_lock(&part->mutex);
	if (part_room(sessions, part, context->privileged,
		(size_t)context->partitions_count, now_ms)) {
		id = id_make(part, index);
		session = session_make(sessions, part, context, id, now_ms);
		if (!session_fill(part, session, context, results)) {
			session_remove(part, session);
			id = FETCH_SESSION_NONE;
		}
	}
	part_unlock(part);
	return id;
}

/* Partitions that gave records go to the end, so that each gets its turn. */
static void
session_select(struct session *session,
    const struct fetch_session_context *context,
    const struct fetch_session_result *results, bool *answered)
{
	for (int32_t i = 0; i < context->partitions_count; i++) {
		struct fetch_session_entry *entry =
		    context->partitions[i].entry;

		answered[i] = entry_news(entry, &results[i]);
		if (!answered[i])
			continue;
		entry_told(entry, &results[i]);
		if (results[i].has_records) {
			list_remove(&entry->node);
			list_append(&session->order, &entry->node);
		}
	}
}

/*
 * The entries that context points to are still there while the session is at
 * the same epoch: only requests change them, and each of those advances it.
 */
static enum kp_error
session_answer(struct part *part, const struct fetch_session_context *context,
    const struct fetch_session_result *results, bool *answered)
{
	struct session *session = session_find(part, context->id);

	if (session == NULL || session->serial != context->serial)
		return KP_FETCH_SESSION_ID_NOT_FOUND;
	if (session->epoch != context->epoch)
		return KP_INVALID_FETCH_SESSION_EPOCH;
	session_select(session, context, results, answered);
	return KP_NONE;
}

/* The same without an effect. */
static enum kp_error
session_look(struct part *part, const struct fetch_session_context *context,
    const struct fetch_session_result *results, bool *answered)
{
	const struct session *session = session_find(part, context->id);

	if (session == NULL || session->serial != context->serial)
		return KP_FETCH_SESSION_ID_NOT_FOUND;
	if (session->epoch != context->epoch)
		return KP_INVALID_FETCH_SESSION_EPOCH;
	for (int32_t i = 0; i < context->partitions_count; i++)
		answered[i] =
		    entry_news(context->partitions[i].entry, &results[i]);
	return KP_NONE;
}

enum kp_error
fetch_sessions_look(struct fetch_sessions *sessions,
    const struct fetch_session_context *context,
    const struct fetch_session_result *results, int32_t *id, bool *answered)
{
	struct part *part;
	enum kp_error error;

	*id = FETCH_SESSION_NONE;
	memset(answered, true, (size_t)context->partitions_count);
	if (context->kind != FETCH_SESSION_INCREMENTAL)
		return KP_NONE;
	*id = context->id;
	part = part_lock(sessions, context->id);
	error = session_look(part, context, results, answered);
	part_unlock(part);
	return error;
}

enum kp_error
fetch_sessions_answer(struct fetch_sessions *sessions,
    const struct fetch_session_context *context,
    const struct fetch_session_result *results, int64_t now_ms, int32_t *id,
    bool *answered)
{
	struct part *part;
	enum kp_error error;

	*id = FETCH_SESSION_NONE;
	if (context->kind == FETCH_SESSION_INCREMENTAL) {
		*id = context->id;
		part = part_lock(sessions, context->id);
		error = session_answer(part, context, results, answered);
		part_unlock(part);
		return error;
	}
	memset(answered, true, (size_t)context->partitions_count);
	if (context->kind == FETCH_SESSION_FULL)
		*id = session_create(sessions, context, results, now_ms);
	return KP_NONE;
}

struct fetch_sessions_counters
fetch_sessions_counters(struct fetch_sessions *sessions)
{
	struct fetch_sessions_counters counters = { 0 };

	for (unsigned i = 0; i < PARTS; i++) {
		struct part *part = &sessions->parts[i];

		pthread_mutex_lock(&part->mutex);
		counters.sessions += part->by_id.count;
		counters.partitions += part->entries_count;
		counters.bytes += part->bytes;
		counters.evictions += part->evictions;
		part_unlock(part);
	}
	return counters;
}
