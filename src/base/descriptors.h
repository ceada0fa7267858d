/*
 * Descriptors: how many the process may have, and who gets them.  Clients must
 * not take those that the store needs, or they could keep records from being
 * made durable.
 */
#ifndef BASE_DESCRIPTORS_H
#define BASE_DESCRIPTORS_H

#include "base/base.h"

/*
 * Raise the limit of the process to the highest that it may have, as Java
 * does.  Call it before the others, once.
 */
void descriptors_raise(void);

/* The limit of the process. */
size_t descriptors_max(void);

/*
 * The share of the files that are kept open, and as much again is that of the
 * connections; what is left is for all else.
 */
size_t descriptors_share(void);

#endif
