/*
 * Listener stores: the key and trust stores of listeners that are up, for
 * whoever checks a change of the configs that name them, before it is stored.
 *
 * The functions are called on the controller's thread; they may read files.
 */
#ifndef META_LISTENER_STORES_H
#define META_LISTENER_STORES_H

#include "base/arena.h"
#include "base/base.h"
#include "wire/error.h"

struct config_set;

struct listener_stores {
	/* Is there a listener of that name, in lower case, that has stores? */
	bool (*has)(
	    struct listener_stores *stores, struct slice listener);
	/*
	 * May that listener go on with what it is told by own, the broker's
	 * own dynamic configs as they would be?  KP_NONE, or the code and a
	 * text in *message, in arena, which says nothing secret.
	 */
	enum kp_error (*check)(struct listener_stores *stores,
	    struct slice listener, const struct config_set *own,
	    struct arena *arena, struct slice *message);
};

#endif
