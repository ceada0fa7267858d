/*
 * Delegation token sweeper: has the tokens that have expired removed from the
 * metadata, once every delegation.token.expiry.check.interval.ms.
 */
#ifndef AUTH_DELEGATION_TOKEN_SWEEPER_H
#define AUTH_DELEGATION_TOKEN_SWEEPER_H

#include "base/base.h"

struct controller;
struct delegation_token_sweeper;
struct delegation_tokens;
struct loop;

/* All outlive the sweeper. */
struct delegation_token_sweeper *delegation_token_sweeper_new(
    struct delegation_tokens *tokens, struct controller *controller,
    struct loop *loop);

/* Begin, where tokens are enabled; the controller has started.  Any thread. */
void delegation_token_sweeper_start(struct delegation_token_sweeper *sweeper);

/* Once loop and controller have stopped. */
void delegation_token_sweeper_free(struct delegation_token_sweeper *sweeper);

#endif
