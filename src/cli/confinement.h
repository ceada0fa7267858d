/*
 * Confinement: what the process keeps from others on its machine.  It needs
 * no privileges, and has none to give up.
 */
#ifndef CLI_CONFINEMENT_H
#define CLI_CONFINEMENT_H

#include "base/base.h"

/*
 * Whatever the process makes from now on is not for everybody: data
 * directories hold the records of all topics, and the metadata what users log
 * in with.  A umask that leaves even less stays.
 */
void confinement_files(void);

/*
 * May memory, which has passwords and keys in it, be seen from outside: by a
 * core dump, by a debugger or a profiler of the same user, in /proc?
 */
void confinement_memory(bool seen);

#endif
