#include "broker/share_session.h"

#include <pthread.h>

#include "base/list.h"
#include "base/map.h"

/* What the partitions of all sessions may take. */
#define BYTES_MAX ((size_t)128 << 20)
/* What a map takes for each of its entries. */
#define MAP_ENTRY_BYTES 64

struct part_key {
	struct uuid topic_id;
	intptr_t index;
};

struct part {
	struct list_node node; /* the session's, in the order of reading */
	struct part_key key;
	bool must_answer;
};

#define PART_BYTES (sizeof(struct part) + MAP_ENTRY_BYTES)

struct session {
	struct list_node of_connection;
	struct connection_sessions *connection;
	struct group_sessions *group;
	struct slice key; /* group id, NUL, member id; the bytes follow */
	size_t group_len;
	int32_t epoch;
	struct map by_key; /* struct part */
	struct list parts;
	uint8_t bytes[];
};

/* The sessions that one connection has opened. */
struct connection_sessions {
	const void *connection;
	struct list sessions;
};

/* How many sessions a group has; it bears the name of the first one's key. */
struct group_sessions {
	size_t count;
	struct slice group_id; /* the bytes follow */
	uint8_t bytes[];
};

struct share_sessions {
	size_t sessions_max;
	pthread_mutex_t mutex;
	/* guarded by mutex */
	struct map by_key;
	struct map by_connection;
	struct map by_group;
	size_t bytes; /* of the partitions */
};

/* --- Partitions -------------------------------------------------------- */

static struct part_key
key_of(const struct share_session_partition *partition)
{
	return (struct part_key){ partition->topic_id, partition->index };
}

static void
part_add(struct share_sessions *sessions, struct session *session,
    const struct share_session_partition *partition, bool must_answer)
{
	struct part_key key = key_of(partition);
	struct part *part = map_get(&session->by_key, MAP_KEY(key));

	if (part != NULL)
		return;
	part = xcalloc(1, sizeof(*part));
	part->key = key;
	part->must_answer = must_answer;
	map_set(&session->by_key, MAP_KEY(part->key), part);
	list_append(&session->parts, &part->node);
	sessions->bytes += PART_BYTES;
}

static void
part_remove(struct share_sessions *sessions, struct session *session,
    struct part *part)
{
	map_remove(&session->by_key, MAP_KEY(part->key));
	list_remove(&part->node);
	sessions->bytes -= PART_BYTES;
	free(part);
}

static void
part_forget(struct share_sessions *sessions, struct session *session,
    const struct share_session_partition *partition)
{
	struct part_key key = key_of(partition);
	struct part *part = map_get(&session->by_key, MAP_KEY(key));

	if (part != NULL)
		part_remove(sessions, session, part);
}

/* --- Sessions ---------------------------------------------------------- */

static struct slice
session_group(const struct session *session)
{
	return slice_of(session->key.data, session->group_len);
}

static struct slice
session_member(const struct session *session)
{
	return slice_of(session->key.data + session->group_len + 1,
	    session->key.len - session->group_len - 1);
}

/* The key of a session, in memory that the caller frees. */
static struct slice
key_make(struct slice group_id, struct slice member_id)
{
	uint8_t *bytes = xmalloc(group_id.len + 1 + member_id.len);

	memcpy(bytes, group_id.data, group_id.len);
	bytes[group_id.len] = 0;
	memcpy(bytes + group_id.len + 1, member_id.data, member_id.len);
	return slice_of(bytes, group_id.len + 1 + member_id.len);
}

/*
 * A group's id may hold a NUL, but the lengths tell which is which: two keys
 * are the same only where member and group are.
 */
static struct session *
session_find(struct share_sessions *sessions, struct slice group_id,
    struct slice member_id)
{
	struct slice key = key_make(group_id, member_id);
	struct session *session = map_get(&sessions->by_key, key);

	free((void *)(uintptr_t)key.data);
	return session != NULL && session->group_len == group_id.len ? session :
								       NULL;
}

static struct group_sessions *
group_of(struct share_sessions *sessions, struct slice group_id)
{
	struct group_sessions *group = map_get(&sessions->by_group, group_id);

	if (group == NULL) {
		group = xcalloc(1, sizeof(*group) + group_id.len);
		memcpy(group->bytes, group_id.data, group_id.len);
		group->group_id = slice_of(group->bytes, group_id.len);
		map_set(&sessions->by_group, group->group_id, group);
	}
	return group;
}

static struct connection_sessions *
connection_of(struct share_sessions *sessions, const void *connection)
{
	struct connection_sessions *of =
	    map_get(&sessions->by_connection, MAP_KEY(connection));

	if (of == NULL) {
		of = xcalloc(1, sizeof(*of));
		of->connection = connection;
		list_init(&of->sessions);
		map_set(&sessions->by_connection, MAP_KEY(of->connection), of);
	}
	return of;
}

static struct session *
session_make(struct share_sessions *sessions,
    const struct share_session_request *request)
{
	struct slice key = key_make(request->group_id, request->member_id);
	struct session *session = xcalloc(1, sizeof(*session) + key.len);

	memcpy(session->bytes, key.data, key.len);
	free((void *)(uintptr_t)key.data);
	session->key = slice_of(session->bytes, key.len);
	session->group_len = request->group_id.len;
	session->epoch = 1;
	map_init(&session->by_key);
	list_init(&session->parts);
	session->connection = connection_of(sessions, request->connection);
	list_append(&session->connection->sessions, &session->of_connection);
	session->group = group_of(sessions, request->group_id);
	session->group->count++;
	map_set(&sessions->by_key, session->key, session);
	return session;
}

/* Take it out of where it is found; true where it was its group's last. */
static bool
session_detach(struct share_sessions *sessions, struct session *session)
{
	struct connection_sessions *connection = session->connection;
	struct group_sessions *group = session->group;

	map_remove(&sessions->by_key, session->key);
	list_remove(&session->of_connection);
	if (list_empty(&connection->sessions)) {
		map_remove(&sessions->by_connection,
		    MAP_KEY(connection->connection));
		free(connection);
	}
	if (--group->count > 0)
		return false;
	map_remove(&sessions->by_group, group->group_id);
	free(group);
	return true;
}

static void
session_free(struct share_sessions *sessions, struct session *session)
{
	LIST_FOR_EACH_SAFE (node, &session->parts)
		part_remove(
		    sessions, session, LIST_ENTRY(node, struct part, node));
	map_fini(&session->by_key);
	free(session);
}

static void
session_drop(struct share_sessions *sessions, struct session *session)
{
	session_detach(sessions, session);
	session_free(sessions, session);
}

/* --- Life -------------------------------------------------------------- */

struct share_sessions *
share_sessions_new(int32_t sessions_max)
{
	struct share_sessions *sessions = xcalloc(1, sizeof(*sessions));

	sessions->sessions_max = (size_t)MAX(sessions_max, 0);
	pthread_mutex_init(&sessions->mutex, NULL);
	map_init(&sessions->by_key);
	map_init(&sessions->by_connection);
	map_init(&sessions->by_group);
	return sessions;
}

void
share_sessions_free(struct share_sessions *sessions)
{
	struct session *session;

	if (sessions == NULL)
		return;
	for (size_t at = 0;
	     (session = map_next(&sessions->by_key, &at)) != NULL;)
		session_drop(sessions, session);
	map_fini(&sessions->by_key);
	map_fini(&sessions->by_connection);
	map_fini(&sessions->by_group);
	pthread_mutex_destroy(&sessions->mutex);
	free(sessions);
}

size_t
share_sessions_count(struct share_sessions *sessions)
{
	size_t count;

	pthread_mutex_lock(&sessions->mutex);
	count = sessions->by_key.count;
	pthread_mutex_unlock(&sessions->mutex);
	return count;
}

/* --- Fetch and acknowledge --------------------------------------------- */

static int32_t
epoch_next(int32_t epoch)
{
	return epoch == INT32_MAX ? 1 : epoch + 1;
}

static bool
has_room(const struct share_sessions *sessions, int32_t partitions)
{
	return sessions->by_key.count < sessions->sessions_max &&
	    sessions->bytes + (size_t)partitions * PART_BYTES <= BYTES_MAX;
}

static enum kp_error
session_open(struct share_sessions *sessions,
    const struct share_session_request *request, struct session **found)
{
	struct session *old;

	if (request->acknowledges)
		return KP_INVALID_REQUEST;
	old = session_find(sessions, request->group_id, request->member_id);
	if (old != NULL)
		session_drop(sessions, old);
	if (!has_room(sessions, request->partitions_count))
		return KP_SHARE_SESSION_LIMIT_REACHED;
	*found = session_make(sessions, request);
	for (int32_t i = 0; i < request->partitions_count; i++)
		part_add(sessions, *found, &request->partitions[i], false);
	return KP_NONE;
}

static enum kp_error
session_continue(struct share_sessions *sessions,
    const struct share_session_request *request, struct session **found)
{
	struct session *session =
	    session_find(sessions, request->group_id, request->member_id);

	if (session == NULL)
		return KP_SHARE_SESSION_NOT_FOUND;
	*found = session;
	if (request->epoch == SHARE_SESSION_EPOCH_FINAL)
		return KP_NONE;
	if (session->epoch != request->epoch)
		return KP_INVALID_SHARE_SESSION_EPOCH;
	if (sessions->bytes +
		(size_t)request->partitions_count * PART_BYTES >
	    BYTES_MAX)
		return KP_SHARE_SESSION_LIMIT_REACHED;
	for (int32_t i = 0; i < request->partitions_count; i++)
		part_add(sessions, session, &request->partitions[i], true);
	for (int32_t i = 0; i < request->forgotten_count; i++)
		part_forget(sessions, session, &request->forgotten[i]);
	session->epoch = epoch_next(session->epoch);
	return KP_NONE;
}

/*
 * The memory is the server's own doing, so it does not count against what the
 * request's arena may have.
 */
static void
session_list(const struct session *session, struct arena *arena,
    struct share_session_context *context)
{
	size_t size =
	    session->by_key.count * sizeof(struct share_session_partition);

	arena->size_bytes_max += size;
	context->partitions = arena_xalloc(arena, size);
	LIST_FOR_EACH (node, &session->parts) {
		const struct part *part = LIST_ENTRY(node, struct part, node);

		context->partitions[context->partitions_count++] =
		    (struct share_session_partition){
			    .topic_id = part->key.topic_id,
			    .index = (int32_t)part->key.index,
			    .must_answer = part->must_answer,
		    };
	}
}

enum kp_error
share_sessions_begin(struct share_sessions *sessions,
    const struct share_session_request *request, struct arena *arena,
    struct share_session_context *context)
{
	bool opens = request->epoch == SHARE_SESSION_EPOCH_INITIAL;
	struct session *session = NULL;
	enum kp_error error;

	*context = (struct share_session_context){
		.incremental =
		    !opens && request->epoch != SHARE_SESSION_EPOCH_FINAL,
	};
	pthread_mutex_lock(&sessions->mutex);
	error = opens ? session_open(sessions, request, &session) :
			session_continue(sessions, request, &session);
	if (error == KP_NONE && request->epoch != SHARE_SESSION_EPOCH_FINAL) {
		context->epoch = session->epoch;
		session_list(session, arena, context);
	}
	pthread_mutex_unlock(&sessions->mutex);
	return error;
}

/* Partitions that gave records go to the end, so that each gets its turn. */
static bool
part_told(struct session *session, struct part *part, bool failed,
    bool has_records)
{
	bool told = has_records || part->must_answer || failed;

	part->must_answer = failed;
	if (has_records) {
		list_remove(&part->node);
		list_append(&session->parts, &part->node);
	}
	return told;
}

static void
parts_told(struct session *session,
    const struct share_session_context *context, const bool *failed,
    const bool *has_records, bool *answered)
{
	for (int32_t i = 0; i < context->partitions_count; i++) {
		struct part_key key = key_of(&context->partitions[i]);
		struct part *part = map_get(&session->by_key, MAP_KEY(key));

		answered[i] = part == NULL ||
		    part_told(session, part, failed[i], has_records[i]);
	}
}

enum kp_error
share_sessions_answer(struct share_sessions *sessions,
    const struct share_session_request *request,
    const struct share_session_context *context, const bool *failed,
    const bool *has_records, bool *answered)
{
	enum kp_error error = KP_INVALID_SHARE_SESSION_EPOCH;
	struct session *session;

	assert(context->incremental);
	pthread_mutex_lock(&sessions->mutex);
	session =
	    session_find(sessions, request->group_id, request->member_id);
	if (session != NULL && session->epoch == context->epoch) {
		parts_told(session, context, failed, has_records, answered);
		error = KP_NONE;
	}
	pthread_mutex_unlock(&sessions->mutex);
	return error;
}

enum kp_error
share_sessions_acknowledge(struct share_sessions *sessions,
    const struct share_session_request *request)
{
	struct session *session = NULL;
	enum kp_error error;

	assert(request->partitions_count == 0 &&
	    request->forgotten_count == 0);
	if (request->epoch == SHARE_SESSION_EPOCH_INITIAL)
		return KP_INVALID_SHARE_SESSION_EPOCH;
	pthread_mutex_lock(&sessions->mutex);
	error = session_continue(sessions, request, &session);
	pthread_mutex_unlock(&sessions->mutex);
	return error;
}

/* --- Ends -------------------------------------------------------------- */

/* Tell of a session that nobody finds any more, and free it. */
static void
session_end(struct share_sessions *sessions, struct session *session,
    bool last, share_session_end_fn told, void *context)
{
	struct share_session_context list = { 0 };
	struct share_session_end end = { .last = last };
	struct arena arena;

	arena_init(&arena, 0);
	session_list(session, &arena, &list);
	end.group_id = session_group(session);
	end.member_id = session_member(session);
	end.partitions = list.partitions;
	end.partitions_count = list.partitions_count;
	told(context, &end);
	arena_reset(&arena);
	pthread_mutex_lock(&sessions->mutex);
	session_free(sessions, session);
	pthread_mutex_unlock(&sessions->mutex);
}

void
share_sessions_close(struct share_sessions *sessions, struct slice group_id,
    struct slice member_id, share_session_end_fn told, void *context)
{
	struct session *session;
	bool last = false;

	pthread_mutex_lock(&sessions->mutex);
	session = session_find(sessions, group_id, member_id);
	if (session != NULL)
		last = session_detach(sessions, session);
	pthread_mutex_unlock(&sessions->mutex);
	if (session != NULL)
		session_end(sessions, session, last, told, context);
}

/* The connection's next session, which nobody finds any more, or NULL. */
static struct session *
session_of(
    struct share_sessions *sessions, const void *connection, bool *last)
{
	struct connection_sessions *of;
	struct session *session = NULL;

	pthread_mutex_lock(&sessions->mutex);
	of = map_get(&sessions->by_connection, MAP_KEY(connection));
	if (of != NULL) {
		session = LIST_ENTRY(
		    of->sessions.head.next, struct session, of_connection);
		*last = session_detach(sessions, session);
	}
	pthread_mutex_unlock(&sessions->mutex);
	return session;
}

void
share_sessions_disconnect(struct share_sessions *sessions,
    const void *connection, share_session_end_fn told, void *context)
{
	struct session *session;
	bool last;

	while ((session = session_of(sessions, connection, &last)) != NULL)
		session_end(sessions, session, last, told, context);
}
