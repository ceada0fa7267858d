/*
 * What the operations on delegation tokens share.
 */
#ifndef AUTH_DELEGATION_TOKEN_CALL_H
#define AUTH_DELEGATION_TOKEN_CALL_H

#include "auth/delegation_token_ops.h"
#include "wire/generated/metadata_delegation_token_record.h"

/* May there be tokens at all?  KP_NONE, or the error of all requests. */
enum kp_error delegation_token_call_check(
    const struct delegation_token_call *call, struct controller *controller)
    WARN_UNUSED;

/*
 * The token with that HMAC, as it will be after what was decided before, in
 * the call's arena; NULL where there is none.
 */
struct kp_delegation_token_record *delegation_token_call_find(
    const struct delegation_token_call *call, struct controller *controller,
    struct slice hmac);

/* Is who asks the owner or a renewer?  Nobody else counts. */
bool delegation_token_call_allowed(const struct delegation_token_call *call,
    const struct kp_delegation_token_record *token);

/* now_ms + duration_ms, or the end of all time. */
int64_t delegation_token_call_sum(int64_t now_ms, int64_t duration_ms);

#endif
