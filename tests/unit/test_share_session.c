/* Share sessions: epochs, what is answered, and whom they end with. */
#include "unit/unit.h"

#include "broker/share_session.c"

#include <stdio.h>

struct rig {
	struct share_sessions *sessions;
	struct arena arena;
	struct share_session_request request;
	struct share_session_context context;
	int ended;
	int lasts;
	int partitions;
	char members[64];
};

static int connections[3];

static void
rig_init(struct rig *rig, int32_t sessions_max)
{
	*rig = (struct rig){ .sessions = share_sessions_new(sessions_max) };
	arena_init(&rig->arena, 1 << 20);
}

static void
rig_fini(struct rig *rig)
{
	share_sessions_free(rig->sessions);
	arena_reset(&rig->arena);
}

static struct share_session_partition
part(uint8_t topic, int32_t index)
{
	struct share_session_partition partition = { .index = index };

	partition.topic_id.bytes[0] = topic;
	return partition;
}

static enum kp_error
begin(struct rig *rig, const char *group, const char *member, int32_t epoch,
    const struct share_session_partition *partitions, int32_t count)
{
	rig->request = (struct share_session_request){
		.group_id = slice_str(group),
		.member_id = slice_str(member),
		.epoch = epoch,
		.connection = &connections[0],
		.partitions = partitions,
		.partitions_count = count,
	};
	return share_sessions_begin(
	    rig->sessions, &rig->request, &rig->arena, &rig->context);
}

static enum kp_error
acknowledge(struct rig *rig, const char *member, int32_t epoch)
{
	struct share_session_request request = {
		.group_id = slice_str("g"),
		.member_id = slice_str(member),
		.epoch = epoch,
	};

	return share_sessions_acknowledge(rig->sessions, &request);
}

static void
on_end(void *context, const struct share_session_end *end)
{
	struct rig *rig = context;
	size_t used = strlen(rig->members);

	rig->ended++;
	rig->lasts += end->last;
	rig->partitions += end->partitions_count;
	snprintf(rig->members + used, sizeof(rig->members) - used, "%.*s/%.*s ",
	    SLICE_ARG(end->group_id), SLICE_ARG(end->member_id));
}

static void
sessions_go_on(void **state)
{
	const struct share_session_partition two[] = { part(1, 0), part(1, 1) };
	const struct share_session_partition more[] = { part(2, 0),
		part(1, 1) };
	struct rig rig;

	(void)state;
	rig_init(&rig, 10);
	assert_int_equal(
	    begin(&rig, "g", "m", 1, NULL, 0), KP_SHARE_SESSION_NOT_FOUND);
	assert_int_equal(
	    begin(&rig, "g", "m", -1, NULL, 0), KP_SHARE_SESSION_NOT_FOUND);
	assert_int_equal(begin(&rig, "g", "m", 0, two, 2), KP_NONE);
	assert_false(rig.context.incremental);
	assert_int_equal(rig.context.partitions_count, 2);
	assert_int_equal(begin(&rig, "g", "m", 2, NULL, 0),
	    KP_INVALID_SHARE_SESSION_EPOCH);
	assert_int_equal(begin(&rig, "g", "m", 1, more, 2), KP_NONE);
	assert_true(rig.context.incremental);
	assert_int_equal(rig.context.epoch, 2);
	assert_int_equal(rig.context.partitions_count, 3);
	assert_true(rig.context.partitions[2].must_answer);
	assert_int_equal(acknowledge(&rig, "m", 2), KP_NONE);
	assert_int_equal(acknowledge(&rig, "m", 2),
	    KP_INVALID_SHARE_SESSION_EPOCH);
	assert_int_equal(acknowledge(&rig, "m", 0),
	    KP_INVALID_SHARE_SESSION_EPOCH);
	assert_int_equal(
	    acknowledge(&rig, "n", 1), KP_SHARE_SESSION_NOT_FOUND);
	assert_int_equal(acknowledge(&rig, "m", -1), KP_NONE);
	rig.request.forgotten = two;
	rig.request.forgotten_count = 2;
	rig.request.epoch = 3;
	rig.request.partitions_count = 0;
	assert_int_equal(share_sessions_begin(rig.sessions, &rig.request,
			     &rig.arena, &rig.context),
	    KP_NONE);
	assert_int_equal(rig.context.partitions_count, 1);
	assert_int_equal(rig.context.partitions[0].topic_id.bytes[0], 2);
	rig_fini(&rig);
}

static void
opening_takes_no_acknowledgements(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 10);
	rig.request = (struct share_session_request){
		.group_id = slice_str("g"),
		.member_id = slice_str("m"),
		.acknowledges = true,
	};
	assert_int_equal(share_sessions_begin(rig.sessions, &rig.request,
			     &rig.arena, &rig.context),
	    KP_INVALID_REQUEST);
	assert_int_equal(share_sessions_count(rig.sessions), 0);
	rig_fini(&rig);
}

/* What has news is answered; an error is, until it is over. */
static void
news_are_answered(void **state)
{
	const struct share_session_partition parts[] = { part(1, 0),
		part(1, 1), part(1, 2) };
	bool failed[] = { false, true, false };
	bool records[] = { true, false, false };
	bool none[] = { false, false, false };
	bool answered[3];
	struct rig rig;

	(void)state;
	rig_init(&rig, 10);
	assert_int_equal(begin(&rig, "g", "m", 0, parts, 3), KP_NONE);
	assert_int_equal(begin(&rig, "g", "m", 1, NULL, 0), KP_NONE);
	assert_int_equal(share_sessions_answer(rig.sessions, &rig.request,
			     &rig.context, failed, records, answered),
	    KP_NONE);
	assert_true(answered[0] && answered[1] && !answered[2]);
	assert_int_equal(begin(&rig, "g", "m", 2, NULL, 0), KP_NONE);
	/* Who gave records is last now. */
	assert_int_equal(rig.context.partitions[2].index, 0);
	assert_int_equal(share_sessions_answer(rig.sessions, &rig.request,
			     &rig.context, none, none, answered),
	    KP_NONE);
	assert_true(answered[0] && !answered[1] && !answered[2]);
	assert_int_equal(share_sessions_answer(rig.sessions, &rig.request,
			     &rig.context, none, none, answered),
	    KP_NONE);
	assert_false(answered[0]);
	assert_int_equal(acknowledge(&rig, "m", 3), KP_NONE);
	assert_int_equal(share_sessions_answer(rig.sessions, &rig.request,
			     &rig.context, none, none, answered),
	    KP_INVALID_SHARE_SESSION_EPOCH);
	rig_fini(&rig);
}

static void
sessions_have_a_maximum(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 2);
	assert_int_equal(begin(&rig, "g", "a", 0, NULL, 0), KP_NONE);
	assert_int_equal(begin(&rig, "h", "a", 0, NULL, 0), KP_NONE);
	assert_int_equal(begin(&rig, "g", "b", 0, NULL, 0),
	    KP_SHARE_SESSION_LIMIT_REACHED);
	assert_int_equal(begin(&rig, "g", "a", 0, NULL, 0), KP_NONE);
	assert_int_equal(share_sessions_count(rig.sessions), 2);
	rig_fini(&rig);
}

static void
sessions_end_with_their_connection(void **state)
{
	const struct share_session_partition one = part(1, 0);
	struct rig rig;

	(void)state;
	rig_init(&rig, 10);
	assert_int_equal(begin(&rig, "g", "a", 0, &one, 1), KP_NONE);
	assert_int_equal(begin(&rig, "h", "b", 0, &one, 1), KP_NONE);
	rig.request.group_id = slice_str("g");
	rig.request.member_id = slice_str("c");
	rig.request.connection = &connections[1];
	assert_int_equal(share_sessions_begin(rig.sessions, &rig.request,
			     &rig.arena, &rig.context),
	    KP_NONE);
	share_sessions_disconnect(
	    rig.sessions, &connections[2], on_end, &rig);
	assert_int_equal(rig.ended, 0);
	share_sessions_disconnect(
	    rig.sessions, &connections[0], on_end, &rig);
	assert_int_equal(rig.ended, 2);
	assert_int_equal(rig.lasts, 1);
	assert_int_equal(rig.partitions, 2);
	assert_string_equal(rig.members, "g/a h/b ");
	share_sessions_close(rig.sessions, slice_str("g"), slice_str("x"),
	    on_end, &rig);
	assert_int_equal(rig.ended, 2);
	share_sessions_close(rig.sessions, slice_str("g"), slice_str("c"),
	    on_end, &rig);
	assert_int_equal(rig.ended, 3);
	assert_int_equal(rig.lasts, 2);
	assert_int_equal(share_sessions_count(rig.sessions), 0);
	rig_fini(&rig);
}

/* The one that opened it last has it. */
static void
session_moves_to_another_connection(void **state)
{
	struct rig rig;

	(void)state;
	rig_init(&rig, 10);
	assert_int_equal(begin(&rig, "g", "a", 0, NULL, 0), KP_NONE);
	rig.request.connection = &connections[1];
	assert_int_equal(share_sessions_begin(rig.sessions, &rig.request,
			     &rig.arena, &rig.context),
	    KP_NONE);
	share_sessions_disconnect(
	    rig.sessions, &connections[0], on_end, &rig);
	assert_int_equal(rig.ended, 0);
	share_sessions_disconnect(
	    rig.sessions, &connections[1], on_end, &rig);
	assert_int_equal(rig.ended, 1);
	rig_fini(&rig);
}

/* Reached by no test from outside: the epoch after the largest is 1. */
static void
epochs_wrap(void **state)
{
	struct rig rig;
	struct session *session;

	(void)state;
	rig_init(&rig, 10);
	assert_int_equal(begin(&rig, "g", "a", 0, NULL, 0), KP_NONE);
	session = session_find(rig.sessions, slice_str("g"), slice_str("a"));
	session->epoch = INT32_MAX;
	assert_int_equal(acknowledge(&rig, "a", INT32_MAX), KP_NONE);
	assert_int_equal(acknowledge(&rig, "a", 1), KP_NONE);
	rig_fini(&rig);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_go_on),
		cmocka_unit_test(opening_takes_no_acknowledgements),
		cmocka_unit_test(news_are_answered),
		cmocka_unit_test(sessions_have_a_maximum),
		cmocka_unit_test(sessions_end_with_their_connection),
		cmocka_unit_test(session_moves_to_another_connection),
		cmocka_unit_test(epochs_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
