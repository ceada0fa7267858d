#include "unit/unit.h"

#include "unit/http_server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

struct http_server {
	int fd;
	int port;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char *response; /* guarded; NULL: none for now */
	int count;
	bool stopping;
};

/* A request ends with an empty line. */
static bool
read_request(int fd)
{
	char text[4096];
	size_t len = 0;

	while (len < sizeof(text) - 1) {
		ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);

		if (n <= 0)
			return false;
		len += (size_t)n;
		text[len] = '\0';
		if (strstr(text, "\r\n\r\n") != NULL)
			return strncmp(text, "GET /", 5) == 0;
	}
	return false;
}

/* The response of now, copied, as soon as there is one. */
static char *
await_response(struct http_server *server)
{
	char *response;

	pthread_mutex_lock(&server->lock);
	server->count++;
	pthread_cond_broadcast(&server->changed);
	while (server->response == NULL && !server->stopping)
		pthread_cond_wait(&server->changed, &server->lock);
	response = xstrdup(server->response == NULL ? "" : server->response);
	pthread_mutex_unlock(&server->lock);
	return response;
}

static void
answer(struct http_server *server, int fd)
{
	char *response;
	size_t len, sent = 0;

	if (!read_request(fd))
		return;
	response = await_response(server);
	len = strlen(response);
	while (sent < len) {
		ssize_t n =
		    send(fd, response + sent, len - sent, MSG_NOSIGNAL);

		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	free(response);
}

static void *
run(void *argument)
{
	struct http_server *server = argument;
	int fd;

	while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
		answer(server, fd);
		close(fd);
	}
	return NULL;
}

struct http_server *
http_server_new(void)
{
	struct http_server *server = xcalloc(1, sizeof(*server));
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(address);

	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(server->fd >= 0);
	assert_int_equal(
	    bind(server->fd, (struct sockaddr *)&address, len), 0);
	assert_int_equal(listen(server->fd, 16), 0);
	assert_int_equal(
	    getsockname(server->fd, (struct sockaddr *)&address, &len), 0);
	server->port = ntohs(address.sin_port);
	server->response = xstrdup("");
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->changed, NULL);
	assert_int_equal(
	    pthread_create(&server->thread, NULL, run, server), 0);
	return server;
}

void
http_server_free(struct http_server *server)
{
	pthread_mutex_lock(&server->lock);
	server->stopping = true;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->fd);
	pthread_cond_destroy(&server->changed);
	pthread_mutex_destroy(&server->lock);
	free(server->response);
	free(server);
}

int
http_server_port(const struct http_server *server)
{
	return server->port;
}

static void
set_response(struct http_server *server, char *response)
{
	pthread_mutex_lock(&server->lock);
	free(server->response);
	server->response = response;
	pthread_cond_broadcast(&server->changed);
	pthread_mutex_unlock(&server->lock);
}

void
http_server_respond(struct http_server *server, const char *response)
{
	set_response(server, xstrdup(response));
}

void
http_server_serve(struct http_server *server, const char *document)
{
	set_response(server,
	    xasprintf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
		strlen(document), document));
}

void
http_server_stall(struct http_server *server)
{
	set_response(server, NULL);
}

void
http_server_await(struct http_server *server, int count)
{
	pthread_mutex_lock(&server->lock);
	while (server->count < count)
		pthread_cond_wait(&server->changed, &server->lock);
	pthread_mutex_unlock(&server->lock);
}

int
http_server_count(struct http_server *server)
{
	int count;

	pthread_mutex_lock(&server->lock);
	count = server->count;
	pthread_mutex_unlock(&server->lock);
	return count;
}
