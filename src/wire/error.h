/*
 * Kafka's error codes.
 *
 * An enum kp_error is the answer of an operation as a client will see it:
 * returned as a value, sent as an int16, never logged above debug.  Source:
 * org.apache.kafka.common.protocol.Errors.
 */
#ifndef WIRE_ERROR_H
#define WIRE_ERROR_H

#include "base/base.h"
#include "wire/generated/errors.h"

/* The name of a code, as in "OFFSET_OUT_OF_RANGE"; never NULL. */
const char *kp_error_name(int code);

/* One sentence for people, for a response's message field; never NULL. */
const char *kp_error_message(int code);

/* May the error go away by itself, so that clients retry? */
bool kp_error_is_retriable(int code);

#endif
