#include "coord/streams_creator.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"
#include "meta/topic_ops.h"
#include "wire/codec.h"
#include "wire/generated/create_topics.h"

/* So much is known at the most; what passes it is tried again. */
#define KNOWN_COUNT_MAX 10000

/* How many errors are told. */
#define ERRORS_SHOWN_MAX 3

/* A topic that is being created, or could not be. */
struct known {
	struct list_node node; /* the earliest first */
	struct slice name;     /* owned */
	char *error;           /* owned; NULL: under way */
	int64_t until_ms;      /* monotonic; when it is forgotten */
};

struct streams_creator {
	/* immutable */
	struct controller *controller;
	pthread_mutex_t mutex;

	/* guarded by mutex */
	struct map known_by_name;
	struct list known;
};

struct creation {
	struct streams_creator *creator;
	struct arena arena; /* all of it */
	struct kp_create_topics_request request;
	struct create_topics_op op;
	int32_t remember_ms;
};

struct streams_creator *
streams_creator_new(struct controller *controller)
{
	struct streams_creator *creator = xcalloc(1, sizeof(*creator));

	creator->controller = controller;
	pthread_mutex_init(&creator->mutex, NULL);
	map_init(&creator->known_by_name);
	list_init(&creator->known);
	return creator;
}

static void
forget(struct streams_creator *creator, struct known *known)
{
	list_remove(&known->node);
	map_remove(&creator->known_by_name, known->name);
	free((void *)(uintptr_t)known->name.data);
	free(known->error);
	free(known);
}

void
streams_creator_free(struct streams_creator *creator)
{
	while (!list_empty(&creator->known))
		forget(creator,
		    LIST_ENTRY(creator->known.head.next, struct known, node));
	map_fini(&creator->known_by_name);
	pthread_mutex_destroy(&creator->mutex);
	free(creator);
}

/* --- What is known ------------------------------------------------------- */

/* Of the topic, as of now; NULL: nothing. */
static struct known *
find(struct streams_creator *creator, struct slice name)
{
	struct known *known = map_get(&creator->known_by_name, name);

	if (known == NULL || known->error == NULL ||
	    clock_monotonic_ms() < known->until_ms)
		return known;
	forget(creator, known);
	return NULL;
}

/* Make room by what is out of date, which need not be asked for again. */
static void
sweep(struct streams_creator *creator)
{
	struct list_node *node = creator->known.head.next;
	int64_t now_ms = clock_monotonic_ms();

	while (node != &creator->known.head) {
		struct known *known = LIST_ENTRY(node, struct known, node);

		node = node->next;
		if (known->error != NULL && now_ms >= known->until_ms)
			forget(creator, known);
	}
}

/* The topic is under way now; false: it need not be, or cannot. */
static bool
take_on(struct streams_creator *creator, struct slice name)
{
	struct known *known;

	if (find(creator, name) != NULL)
		return false;
	if (creator->known_by_name.count >= KNOWN_COUNT_MAX)
		sweep(creator);
	if (creator->known_by_name.count >= KNOWN_COUNT_MAX)
		return false;
	known = xcalloc(1, sizeof(*known));
	known->name = slice_of(slice_dup(name), name.len);
	list_append(&creator->known, &known->node);
	map_set(&creator->known_by_name, known->name, known);
	return true;
}

/* --- Creating ------------------------------------------------------------ */

static struct slice
error_text(const struct create_topics_op *op, int32_t index)
{
	enum kp_error error = op->op.error;
	struct slice message = SLICE_NULL;

	if (error == KP_NONE) {
		error = (enum kp_error)op->response.topics[index].error_code;
		message = op->response.topics[index].error_message;
	}
	if (error == KP_NONE)
		return SLICE_NULL;
	return message.len > 0 ? message : slice_str(kp_error_message(error));
}

static void
conclude(const struct creation *creation, int32_t index)
{
	struct streams_creator *creator = creation->creator;
	const struct create_topics_op *op = &creation->op;
	struct slice name = op->op.error == KP_NONE ?
	    op->response.topics[index].name :
	    creation->request.topics[index].name;
	struct slice error = error_text(op, index);
	struct known *known = map_get(&creator->known_by_name, name);

	if (known == NULL)
		return;
	if (slice_is_null(error)) {
		forget(creator, known);
		return;
	}
	log_warn("coord", "Cannot create %.*s for a streams group: %.*s",
	    SLICE_ARG(name), SLICE_ARG(error));
	free(known->error);
	known->error = slice_dup(error);
	known->until_ms = clock_monotonic_ms() + creation->remember_ms;
}

/* On the controller's thread. */
static void
created(struct controller_op *op)
{
	struct creation *creation = CONTAINER_OF(op, struct creation, op.op);
	int32_t count = op->error == KP_NONE ?
	    creation->op.response.topics_count :
	    creation->request.topics_count;

	pthread_mutex_lock(&creation->creator->mutex);
	for (int32_t i = 0; i < count; i++)
		conclude(creation, i);
	pthread_mutex_unlock(&creation->creator->mutex);
	arena_reset(&creation->arena);
	free(creation);
}

static void
copy_topic(struct arena *arena,
    const struct kp_create_topics_request_topic *topic,
    struct kp_create_topics_request_topic *out)
{
	*out = *topic;
	out->name = arena_copy(arena, topic->name);
	out->configs = arena_xcalloc(
	    arena, (size_t)topic->configs_count, sizeof(*out->configs));
	for (int32_t i = 0; i < topic->configs_count; i++) {
		out->configs[i].name =
		    arena_copy(arena, topic->configs[i].name);
		out->configs[i].value =
		    arena_copy(arena, topic->configs[i].value);
	}
}

/* Those that are taken on; what they take is bounded by what was asked for. */
static struct creation *
creation_of(struct streams_creator *creator,
    const struct kp_create_topics_request_topic *topics, int32_t count)
{
	struct creation *creation = xcalloc(1, sizeof(*creation));
	struct kp_create_topics_request *request = &creation->request;

	creation->creator = creator;
	arena_init(&creation->arena, SIZE_MAX);
	kp_defaults(&kp_create_topics_request, request);
	request->topics = arena_xcalloc(
	    &creation->arena, (size_t)count, sizeof(*request->topics));
	request->topics_count = 0;
	pthread_mutex_lock(&creator->mutex);
	for (int32_t i = 0; i < count; i++)
		if (take_on(creator, topics[i].name))
			copy_topic(&creation->arena, &topics[i],
			    &request->topics[request->topics_count++]);
	pthread_mutex_unlock(&creator->mutex);
	return creation;
}

void
streams_creator_create(struct streams_creator *creator,
    const struct kp_create_topics_request_topic *topics, int32_t count,
    int32_t remember_ms)
{
	struct creation *creation = creation_of(creator, topics, count);

	creation->remember_ms = remember_ms;
	if (creation->request.topics_count == 0) {
		arena_reset(&creation->arena);
		free(creation);
		return;
	}
	create_topics_op_init(&creation->op);
	creation->op.request = &creation->request;
	creation->op.arena = &creation->arena;
	creation->op.op.done = created;
	controller_submit(creator->controller, &creation->op.op);
}

/* --- Errors -------------------------------------------------------------- */

struct slice
streams_creator_errors(struct streams_creator *creator,
    const struct kp_create_topics_request_topic *topics, int32_t count,
    struct arena *arena)
{
	struct slice text = SLICE_NULL;
	int32_t errors = 0;

	pthread_mutex_lock(&creator->mutex);
	for (int32_t i = 0; i < count; i++) {
		const struct known *known = find(creator, topics[i].name);

		if (known == NULL || known->error == NULL)
			continue;
		if (errors++ < ERRORS_SHOWN_MAX)
			text = arena_printf(arena, "%.*s%s%.*s (%s)",
			    SLICE_ARG(text), errors == 1 ? "" : ", ",
			    SLICE_ARG(topics[i].name), known->error);
	}
	pthread_mutex_unlock(&creator->mutex);
	if (errors > ERRORS_SHOWN_MAX)
		text = arena_printf(arena, "%.*s and %d more", SLICE_ARG(text),
		    errors - ERRORS_SHOWN_MAX);
	return text;
}
