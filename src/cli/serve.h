/*
 * `klamm serve`: the broker as a process, from its arguments to its exit code.
 */
#ifndef CLI_SERVE_H
#define CLI_SERVE_H

#include "base/base.h"

/*
 * argv[0] is "serve".  Returns the exit code: 0 after an orderly stop by
 * SIGTERM or SIGINT, 1 where it could not start or not stop cleanly, 2 for
 * arguments that are not understood.
 */
int serve(int argc, char **argv);

#endif
