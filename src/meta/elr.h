/*
 * ELR: eligible leader replicas (KIP-966), as far as a broker with nobody
 * beside it needs them: min.insync.replicas, and what elections write down.
 *
 * A replica that leaves the ISR while that is too small stays eligible: it
 * holds all that is committed, unless its broker stopped uncleanly.  With
 * the feature a partition that nobody leads has an empty ISR and names the
 * leader that it had last; without it the last one stays in the ISR.
 */
#ifndef META_ELR_H
#define META_ELR_H

#include "base/base.h"
#include "meta/config_change.h"
#include "meta/controller.h"
#include "meta/partition_image.h"
#include "wire/error.h"
#include "wire/generated/metadata_partition_change_record.h"

/* Has the cluster the feature? */
bool elr_is_on(const struct delta *view);

/*
 * --- min.insync.replicas: one for all brokers, and always there
 * (ConfigurationControlManager of Kafka)
 */

/* May a broker's or the cluster's be changed?  KP_NONE or INVALID_CONFIG. */
enum kp_error elr_check_config(struct config_change *change) WARN_UNUSED;

/*
 * Whoever is eligible was so by another number of replicas: with the feature,
 * those of the topic, or of all for a broker's or the cluster's change, are
 * not any more.
 */
void elr_emit_cleared(struct controller *controller, int8_t config_type,
    struct slice name);

/*
 * Before the feature's level rises above 0: the cluster's value, that of the
 * file where it has none, and no broker's own.
 */
void elr_emit_min_isr(struct controller *controller);

/*
 * --- Elections: fill in the fields of a change that is else empty.  It
 * points to *broker_id, which has to live until it is emitted
 * (PartitionChangeBuilder of Kafka)
 */

/* Is it sure that the broker's replica holds all that is committed? */
bool elr_holds_all(const struct partition_image *partition,
    int32_t broker_id);

/* Is the broker, and nobody else, the last known leader of nobody's? */
bool elr_was_last_leader(const struct partition_image *partition,
    int32_t broker_id);

/* It leads alone; unclean: though something committed may be gone. */
void elr_elect(struct kp_partition_change_record *change,
    const struct delta *view, const struct partition_image *partition,
    int32_t *broker_id, bool unclean);

/*
 * It is out of the ISR and does not lead any more; lost: it stopped
 * uncleanly, and is not eligible either.
 */
void elr_depose(struct kp_partition_change_record *change,
    const struct delta *view, const struct partition_image *partition,
    int32_t *broker_id, bool lost);

#endif
