/*
 * Share keeper: the share persister of a process whose share coordinator is
 * its own (broker/share_persister.h).
 *
 * Thread: any.
 */
#ifndef COORD_SHARE_KEEPER_H
#define COORD_SHARE_KEEPER_H

#include "broker/share_persister.h"

struct share_coordinator;

struct share_keeper {
	struct share_persister persister;
	struct share_coordinator *coordinator;
};

/* The coordinator outlives the keeper, and what was run through it. */
void share_keeper_init(
    struct share_keeper *keeper, struct share_coordinator *coordinator);

#endif
