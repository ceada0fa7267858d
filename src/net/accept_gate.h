/*
 * Accept gate: who says how fast connections may come in.
 *
 * Called on the loops of the listeners, so on several threads at once; it does
 * not block.
 */
#ifndef NET_ACCEPT_GATE_H
#define NET_ACCEPT_GATE_H

#include "base/base.h"

struct accept_gate {
	/*
	 * One more has come to the listener of this name: for how many
	 * milliseconds the listener takes in neither it nor others.
	 */
	int64_t (*pace)(struct accept_gate *gate, const char *listener);
	/*
	 * It is from host, an address as text: for how many milliseconds it is
	 * kept, unheard, before it is closed; 0: it may come in.
	 */
	int64_t (*refuse)(struct accept_gate *gate, const char *listener,
	    const char *host);
};

#endif
