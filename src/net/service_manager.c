#include "net/service_manager.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

/* The length of the address at path, or 0 where it is none of ours. */
static socklen_t
fill_address(struct sockaddr_un *address, const char *path)
{
	size_t len = strlen(path);

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if ((path[0] != '/' && path[0] != '@') || len < 2 ||
	    len >= sizeof(address->sun_path)) {
		errno = EINVAL;
		return 0;
	}
	memcpy(address->sun_path, path, len);
	/* An abstract name begins with a NUL, and does not end with one. */
	if (path[0] == '@')
		address->sun_path[0] = '\0';
	else
		len++;
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
}

static int
send_to(const char *path, const char *state)
{
	struct sockaddr_un address;
	socklen_t address_len = fill_address(&address, path);
	ssize_t sent;
	int fd;

	if (address_len == 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL,
	    (const struct sockaddr *)&address, address_len);
	close(fd);
	return sent < 0 ? -1 : 0;
}

void
service_manager_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (path != NULL && send_to(path, state) != 0)
		log_warn("net", "NOTIFY_SOCKET=%s: %s", path, strerror(errno));
}
