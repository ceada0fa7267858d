/*
 * PEM: blocks of base64 between lines of dashes, in a text that may say other
 * things between them.
 *
 * As lenient as Kafka (DefaultSslEngineFactory.PemParser): any white space
 * stands for a newline, so that a block can be one line of a configuration.
 */
#ifndef NET_PEM_H
#define NET_PEM_H

#include "base/base.h"

/* What a block has between its dashes, and in it. */
struct pem_block {
	struct slice label;   /* "CERTIFICATE"; borrowed from the text */
	struct slice headers; /* lines of "name: value"; borrowed */
	uint8_t *data;	      /* on the heap, the caller's */
	size_t len;
};

/*
 * Take the next block off *text, in *block, whose data the caller frees with
 * pem_block_fini.  1 with a block, 0 where there is none, or -1 where one that
 * begins is not whole or no base64.
 */
int pem_next(struct slice *text, struct pem_block *block) WARN_UNUSED;

/* The data is wiped, since it may be a key. */
void pem_block_fini(struct pem_block *block);

#endif
