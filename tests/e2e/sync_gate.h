/*
 * A gate that the syncs of a broker pass: fdatasync, fsync and syncfs of every
 * process that the test starts come to the test first, which lets them go on,
 * or holds them for as long as it likes, as a disk would that does not answer.
 *
 * It is a seccomp filter of this process, which children inherit, whose
 * notifications a thread of ours answers.  So it works with any binary, and
 * needs no root.  There is one gate in a process, and it stays.
 */
#ifndef E2E_SYNC_GATE_H
#define E2E_SYNC_GATE_H

#include "base/base.h"

/*
 * Put the gate up, open.  To be called before the broker is started; false
 * where the kernel, or who confines this process, does not allow for it.
 */
bool sync_gate_init(void) WARN_UNUSED;

/* From here on syncs are held. */
void sync_gate_close(void);

/* Let all go on that are held, and all that come. */
void sync_gate_open(void);

/*
 * Return once a thread of that name is held; fails the test where none comes.
 */
void sync_gate_await(const char *thread);

#endif
