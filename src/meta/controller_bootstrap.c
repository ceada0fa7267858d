/*
 * The first records of a cluster, and the mending of a cut transaction
 * (ActivationRecordsGenerator of Kafka).
 */
#include "base/base.h"
#include "meta/broker_ops.h"
#include "meta/controller_inner.h"
#include "wire/generated/metadata_abort_transaction_record.h"
#include "wire/generated/metadata_begin_transaction_record.h"
#include "wire/generated/metadata_end_transaction_record.h"
#include "wire/generated/metadata_feature_level_record.h"

static void
emit_feature(struct controller *controller, const char *name, int16_t level)
{
	const struct kp_feature_level_record record = {
		.name = slice_str(name),
		.feature_level = level,
	};

	controller_emit(controller, METADATA_RECORD_FEATURE_LEVEL, &record);
}

/* metadata.version comes first; it says how to read the rest. */
void
controller_emit_bootstrap(struct controller *controller)
{
	const struct kp_begin_transaction_record begin = {
		.name = SLICE_LITERAL("Bootstrap records"),
	};
	const struct kp_end_transaction_record end = { 0 };
	const char first[] = "metadata.version";
	size_t count;
	const struct broker_ops_feature *features =
	    broker_ops_features(&count);

	controller_emit(controller, METADATA_RECORD_BEGIN_TRANSACTION, &begin);
	emit_feature(controller, first, BROKER_OPS_METADATA_VERSION);
	for (size_t i = 0; i < count; i++)
		if (features[i].bootstrap > 0 &&
		    strcmp(features[i].name, first) != 0)
			emit_feature(controller, features[i].name,
			    features[i].bootstrap);
	controller_emit(controller, METADATA_RECORD_END_TRANSACTION, &end);
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
