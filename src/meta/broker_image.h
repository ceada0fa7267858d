/*
 * Broker image: a broker's registration as of one moment.  Immutable and
 * reference-counted; a change makes a new one.
 */
#ifndef META_BROKER_IMAGE_H
#define META_BROKER_IMAGE_H

#include "base/arena.h"
#include "base/base.h"
#include "wire/generated/metadata_register_broker_record.h"

struct kp_broker_registration_change_record;

struct broker_image {
	uint32_t refs;
	int32_t id;
	bool fenced;
	/* The whole registration, its slices in arena. */
	struct kp_register_broker_record record;
	struct arena arena;
};

/* A new image with one reference; record is copied. */
const struct broker_image *broker_image_new(
    const struct kp_register_broker_record *record);

/* The image after the change, with one reference. */
const struct broker_image *broker_image_change(
    const struct broker_image *old,
    const struct kp_broker_registration_change_record *change);

/* The endpoint that is called listener, or NULL. */
const struct kp_register_broker_record_end_point *broker_image_endpoint(
    const struct broker_image *broker, struct slice listener);

/*
 * Does the broker serve from that directory?  One that is not known yet counts
 * as if it did, as do all where the registration names none.
 */
bool broker_image_has_directory(const struct broker_image *broker,
    struct uuid directory);

const struct broker_image *broker_image_ref(const struct broker_image *broker);
void broker_image_unref(const struct broker_image *broker);

#endif
