/*
 * The first records of a cluster, and the mending of a cut transaction
 * (ActivationRecordsGenerator of Kafka).
 */
#include "base/base.h"
#include "base/log.h"
#include "meta/broker_ops.h"
#include "meta/controller_inner.h"
#include "meta/elr.h"
#include "meta/metadata_log.h"
#include "wire/generated/metadata_abort_transaction_record.h"
#include "wire/generated/metadata_begin_transaction_record.h"
#include "wire/generated/metadata_end_transaction_record.h"
#include "wire/generated/metadata_feature_level_record.h"

#define LOGGER "meta"
#define METADATA_VERSION "metadata.version"

/* The records of a bootstrap.checkpoint, tried out before they count. */
struct bootstrap {
	struct arena arena;
	struct delta *delta;
	struct metadata_record *records;
	size_t count;
};

static int
take(void *context, const struct metadata_log_record *in)
{
	struct bootstrap *bootstrap = context;
	struct metadata_record record;
	const char *reason;

	if (metadata_record_decode(arena_copy(&bootstrap->arena, in->value),
		&bootstrap->arena, &record, &reason) != 0) {
		log_error(LOGGER, "record %ld of %s: %s", in->offset,
		    METADATA_SNAPSHOT_BOOTSTRAP, reason);
		return -1;
	}
	if (delta_replay(bootstrap->delta, &record) != 0)
		return -1;
	bootstrap->records = xrealloc(bootstrap->records,
	    (bootstrap->count + 1) * sizeof(record));
	bootstrap->records[bootstrap->count++] = record;
	return 0;
}

/* metadata.version says how to read the rest. */
static int
check(const struct bootstrap *bootstrap)
{
	if (bootstrap->count == 0 ||
	    delta_feature_level(bootstrap->delta, METADATA_VERSION) > 0)
		return delta_check(bootstrap->delta);
	log_error(LOGGER, "%s has no %s", METADATA_SNAPSHOT_BOOTSTRAP,
	    METADATA_VERSION);
	return -1;
}

static void
emit_feature(struct controller *controller, const char *name, int16_t level)
{
	const struct kp_feature_level_record record = {
		.name = slice_str(name),
		.feature_level = level,
	};

	controller_emit(controller, METADATA_RECORD_FEATURE_LEVEL, &record);
}

static void
emit_own(struct controller *controller)
{
	size_t count;
	const struct broker_ops_feature *features =
	    broker_ops_features(&count);

	emit_feature(controller, METADATA_VERSION,
	    BROKER_OPS_METADATA_VERSION);
	for (size_t i = 0; i < count; i++)
		if (features[i].bootstrap > 0 &&
		    strcmp(features[i].name, METADATA_VERSION) != 0)
			emit_feature(controller, features[i].name,
			    features[i].bootstrap);
}

static void
emit_transaction(struct controller *controller,
    const struct bootstrap *bootstrap)
{
	const struct kp_begin_transaction_record begin = {
		.name = SLICE_LITERAL("Bootstrap records"),
	};
	const struct kp_end_transaction_record end = { 0 };

	controller_emit(controller, METADATA_RECORD_BEGIN_TRANSACTION, &begin);
	for (size_t i = 0; i < bootstrap->count; i++)
		controller_emit(controller, bootstrap->records[i].type,
		    bootstrap->records[i].body);
	if (bootstrap->count == 0)
		emit_own(controller);
	if (bootstrap->count == 0 || elr_is_on(bootstrap->delta))
		elr_emit_min_isr(controller);
	controller_emit(controller, METADATA_RECORD_END_TRANSACTION, &end);
}

int
controller_emit_bootstrap(struct controller *controller,
    struct metadata_log *log)
{
	struct bootstrap bootstrap = {
		.delta = delta_new(controller_view(controller)->image),
	};
	int result;

	arena_init(&bootstrap.arena, SIZE_MAX);
	result = metadata_log_read_bootstrap(log, take, &bootstrap);
	if (result == 0)
		result = check(&bootstrap);
	if (result == 0)
		emit_transaction(controller, &bootstrap);
	delta_free(bootstrap.delta);
	arena_reset(&bootstrap.arena);
	free(bootstrap.records);
	return result;
}

void
controller_emit_abort(struct controller *controller)
{
	const struct kp_abort_transaction_record record = {
		.reason = SLICE_LITERAL("Controller failover"),
	};

	controller_emit(controller, METADATA_RECORD_ABORT_TRANSACTION,
	    &record);
}
