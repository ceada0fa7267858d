/*
 * What the controller's own files share.
 */
#ifndef META_CONTROLLER_INNER_H
#define META_CONTROLLER_INNER_H

#include "meta/controller.h"

/* The version that a record with this body is written at. */
int16_t controller_version_of(const struct controller *controller,
    enum metadata_record_type type, const void *body);

/* What a fresh cluster begins with, as one metadata transaction. */
void controller_emit_bootstrap(struct controller *controller);

/* End the transaction that the last run left open. */
void controller_emit_abort(struct controller *controller);

#endif
