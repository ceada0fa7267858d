/*
 * What the controller's own files share.
 */
#ifndef META_CONTROLLER_INNER_H
#define META_CONTROLLER_INNER_H

#include "meta/controller.h"

/* The version that a record with this body is written at. */
int16_t controller_version_of(const struct controller *controller,
    enum metadata_record_type type, const void *body);

/*
 * What a fresh cluster begins with, as one metadata transaction: the records
 * of bootstrap.checkpoint beside log, or our own where there is none.  -1 with
 * one line in the log where they make no sense; nothing is emitted then.
 */
int controller_emit_bootstrap(struct controller *controller,
    struct metadata_log *log) WARN_UNUSED;

/* End the transaction that the last run left open. */
void controller_emit_abort(struct controller *controller);

#endif
