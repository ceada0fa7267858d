#include "meta/elr.h"

#include <stdio.h>

#include "meta/configs.h"
#include "meta/features.h"
#include "wire/generated/metadata_clear_elr_record.h"
#include "wire/generated/metadata_config_record.h"

#define MIN_ISR "min.insync.replicas"

/* LeaderRecoveryState of Kafka. */
#define RECOVERING 1

bool
elr_is_on(const struct delta *view)
{
	return delta_feature_level(view, FEATURES_ELR_VERSION) > 0;
}

/* --- min.insync.replicas -------------------------------------------------- */

/* What is named counts, whether or not it changes. */
static bool
is_named(const struct config_change *change)
{
	for (int32_t i = 0; i < change->items_count; i++)
		if (slice_equal_str(change->items[i].name, MIN_ISR))
			return true;
	return false;
}

static enum kp_error
refuse(struct config_change *change, const char *message)
{
	change->message = slice_str(message);
	return KP_INVALID_CONFIG;
}

enum kp_error
elr_check_config(struct config_change *change)
{
	struct slice old = config_set_get(change->old, slice_str(MIN_ISR));
	bool gone = slice_is_null(
	    config_set_get(change->set, slice_str(MIN_ISR)));
	bool dropped = gone && !slice_is_null(old);

	if (!elr_is_on(controller_view(change->controller)) ||
	    (!is_named(change) && !dropped))
		return KP_NONE;
	if (change->name.len > 0)
		return refuse(change, "Broker-level min.insync.replicas "
		    "cannot be altered while ELR is enabled.");
	return !gone ? KP_NONE : refuse(change, "Cluster-level "
	    "min.insync.replicas cannot be removed while ELR is enabled.");
}

void
elr_emit_cleared(struct controller *controller, int8_t config_type,
    struct slice name)
{
	const struct kp_clear_elr_record record = {
		.topic_name = config_type == IMAGE_CONFIG_TOPIC ?
		    name :
		    slice_str(""),
	};

	if (elr_is_on(controller_view(controller)))
		controller_emit(controller, METADATA_RECORD_CLEAR_ELR,
		    &record);
}

static bool
has_min_isr(const struct controller *controller, struct slice broker)
{
	return !slice_is_null(config_set_get(
	    delta_configs_of(controller_view(controller), IMAGE_CONFIG_BROKER,
		broker),
	    slice_str(MIN_ISR)));
}

static void
emit_config(struct controller *controller, struct slice broker,
    struct slice value)
{
	const struct kp_config_record record = {
		.resource_type = IMAGE_CONFIG_BROKER,
		.resource_name = broker,
		.name = slice_str(MIN_ISR),
		.value = value,
	};

	controller_emit(controller, METADATA_RECORD_CONFIG, &record);
}

/* What is set while the broker runs does not count. */
static void
emit_clusters(struct controller *controller)
{
	struct slice value = config_set_get(
	    controller_configs(controller)->file, slice_str(MIN_ISR));
	char text[24];
	int64_t number;

	if (config_key_int64(value, &number) != 0)
		number = 1;
	snprintf(text, sizeof(text), "%ld", number);
	emit_config(controller, slice_str(""), slice_str(text));
}

static void
drop_brokers(struct controller *controller, int8_t type, struct slice broker)
{
	if (type == IMAGE_CONFIG_BROKER && broker.len > 0 &&
	    has_min_isr(controller, broker))
		emit_config(controller, broker, SLICE_NULL);
}

void
elr_emit_min_isr(struct controller *controller)
{
	const struct delta *view = controller_view(controller);
	const struct image_configs *configs;

	if (!has_min_isr(controller, slice_str("")))
		emit_clusters(controller);
	for (size_t at = 0;
	     (configs = image_configs_next(view->image, &at)) != NULL;)
		drop_brokers(controller, configs->type, configs->name);
	/* Those that came with operations before this one. */
	for (size_t i = 0; i < view->configs_count; i++)
		drop_brokers(controller, view->configs[i]->type,
		    view->configs[i]->name);
}

/* --- Elections ------------------------------------------------------------ */

bool
elr_holds_all(const struct partition_image *partition, int32_t broker_id)
{
	return partition_image_ids_contain(partition->isr, broker_id) ||
	    partition_image_ids_contain(partition->elr, broker_id);
}

bool
elr_was_last_leader(const struct partition_image *partition,
    int32_t broker_id)
{
	return partition->isr.count == 0 && partition->elr.count == 0 &&
	    partition->last_known_elr.count == 1 &&
	    partition->last_known_elr.ids[0] == broker_id;
}

void
elr_elect(struct kp_partition_change_record *change, const struct delta *view,
    const struct partition_image *partition, int32_t *broker_id, bool unclean)
{
	bool alone = partition->isr.count == 1 &&
	    partition->isr.ids[0] == *broker_id;

	change->leader = *broker_id;
	if (unclean || !alone) {
		change->isr = broker_id;
		change->isr_count = 1;
	}
	if (unclean && partition->leader_recovery_state != RECOVERING)
		change->leader_recovery_state = RECOVERING;
	if (partition->elr.count > 0) {
		change->eligible_leader_replicas = broker_id;
		change->eligible_leader_replicas_count = 0;
	}
	if (partition->last_known_elr.count > 0 && elr_is_on(view)) {
		change->last_known_elr = broker_id;
		change->last_known_elr_count = 0;
	}
}

void
elr_depose(struct kp_partition_change_record *change, const struct delta *view,
    const struct partition_image *partition, int32_t *broker_id, bool lost)
{
	bool led = partition->leader == *broker_id;

	if (led)
		change->leader = PARTITION_IMAGE_NO_LEADER;
	if (!elr_is_on(view))
		return;
	if (partition_image_ids_contain(partition->isr, *broker_id)) {
		change->isr = broker_id;
		change->isr_count = 0;
	}
	if (!lost && change->isr_count == 0) {
		change->eligible_leader_replicas = broker_id;
		change->eligible_leader_replicas_count = 1;
	} else if (lost && partition->elr.count > 0) {
		change->eligible_leader_replicas = broker_id;
		change->eligible_leader_replicas_count = 0;
	}
	if (led && partition->last_known_elr.count == 0) {
		change->last_known_elr = broker_id;
		change->last_known_elr_count = 1;
	}
}
