#include "unit/unit.h"

#include "unit/http_server.h"

#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

struct http_server {
	int fd;
	int port;
	SSL_CTX *tls; /* NULL: without */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	char *response; /* guarded; NULL: none for now */
	int count;
	bool stopping;
};

/* --- Connections ---------------------------------------------------------- */

struct peer {
	int fd;
	SSL *ssl; /* NULL: without */
};

static ssize_t
receive(const struct peer *peer, char *text, size_t len)
{
	return peer->ssl == NULL ? recv(peer->fd, text, len, 0) :
				   SSL_read(peer->ssl, text, (int)len);
}

static ssize_t
transmit(const struct peer *peer, const char *text, size_t len)
{
	return peer->ssl == NULL ? send(peer->fd, text, len, MSG_NOSIGNAL) :
				   SSL_write(peer->ssl, text, (int)len);
}

/* A request ends with an empty line. */
static bool
read_request(const struct peer *peer)
{
	char text[4096];
	size_t len = 0;

	while (len < sizeof(text) - 1) {
		ssize_t n =
		    receive(peer, text + len, sizeof(text) - 1 - len);

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
answer(struct http_server *server, const struct peer *peer)
{
	char *response;
	size_t len, sent = 0;

	if (!read_request(peer))
		return;
	response = await_response(server);
	len = strlen(response);
	while (sent < len) {
		ssize_t n = transmit(peer, response + sent, len - sent);

		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	free(response);
}

static void
serve(struct http_server *server, int fd)
{
	struct peer peer = { .fd = fd };

	if (server->tls != NULL) {
		peer.ssl = SSL_new(server->tls);
		assert_int_equal(SSL_set_fd(peer.ssl, fd), 1);
	}
	if (peer.ssl == NULL || SSL_accept(peer.ssl) == 1)
		answer(server, &peer);
	SSL_free(peer.ssl);
	close(fd);
}

static void *
run(void *argument)
{
	struct http_server *server = argument;
	int fd;

	while ((fd = accept(server->fd, NULL, NULL)) >= 0)
		serve(server, fd);
	return NULL;
}

/* --- Life ----------------------------------------------------------------- */

static struct http_server *
server_new(SSL_CTX *tls)
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
	server->tls = tls;
	server->response = xstrdup("");
	pthread_mutex_init(&server->lock, NULL);
	pthread_cond_init(&server->changed, NULL);
	assert_int_equal(
	    pthread_create(&server->thread, NULL, run, server), 0);
	return server;
}

struct http_server *
http_server_new(void)
{
	return server_new(NULL);
}

struct http_server *
http_server_new_tls(X509 *certificate, EVP_PKEY *key)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_server_method());

	assert_non_null(tls);
	assert_int_equal(SSL_CTX_use_certificate(tls, certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(tls, key), 1);
	return server_new(tls);
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
	SSL_CTX_free(server->tls);
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
