/*
 * Service manager: telling systemd, or whoever else speaks its sd_notify
 * protocol, how the service is doing.
 */
#ifndef NET_SERVICE_MANAGER_H
#define NET_SERVICE_MANAGER_H

#include "base/base.h"

/*
 * Send state ("READY=1", "STOPPING=1") to the socket that the environment
 * names in NOTIFY_SOCKET: a path, or an abstract name behind "@".  Without it
 * nothing is sent.  A failure is logged and otherwise no matter.
 */
void service_manager_notify(const char *state);

#endif
