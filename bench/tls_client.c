#include "bench/tls_client.h"

#include "base/clock.h"
#include "bench/cost.h"
#include "wire/codec.h"
#include "wire/generated/api_versions.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SUITE "TLS_AES_256_GCM_SHA384"
#define READ_AHEAD_LEN ((size_t)64 * 1024)
#define REST_US 2000000

__attribute__((noreturn)) static void
die_of_tls(const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());

	die("%s: %s", what, reason != NULL ? reason : strerror(errno));
}

static SSL_CTX *
context_new(const SSL_METHOD *method)
{
	SSL_CTX *context = SSL_CTX_new(method);

	if (context == NULL ||
	    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(context, SUITE) != 1)
		die_of_tls("TLS");
	SSL_CTX_set_mode(context,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD_LEN);
	return context;
}

/* --- The client ---------------------------------------------------------- */

SSL *
tls_client_connect(const struct broker *broker)
{
	static SSL_CTX *context;
	int fd = broker_must_connect(broker);
	SSL *ssl;

	if (context == NULL)
		context = context_new(TLS_client_method());
	ssl = SSL_new(context);
	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1)
		die_of_tls("handshake");
	return ssl;
}

void
tls_client_close(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);

	if (SSL_shutdown(ssl) == 0)
		(void)SSL_shutdown(ssl);
	ERR_clear_error();
	SSL_free(ssl);
	close(fd);
}

static ssize_t
result_of(SSL *ssl, int result, size_t len)
{
	if (result == 1)
		return (ssize_t)len;
	switch (SSL_get_error(ssl, result)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		die_of_tls("TLS");
	}
}

ssize_t
tls_client_read(SSL *ssl, void *to, size_t len)
{
	size_t done = 0;

	int result;

	ERR_clear_error();
	result = SSL_read_ex(ssl, to, len, &done);
	return result_of(ssl, result, done);
}

ssize_t
tls_client_write(SSL *ssl, const void *from, size_t len)
{
	size_t done = 0;

	int result;

	ERR_clear_error();
	result = SSL_write_ex(ssl, from, len, &done);
	return result_of(ssl, result, done);
}

/* --- New connections ----------------------------------------------------- */

static uint64_t
open_and_close(const struct broker *broker, int64_t end_us)
{
	uint64_t count = 0;

	for (; clock_monotonic_us() < end_us; count++)
		tls_client_close(tls_client_connect(broker));
	return count;
}

/* How many the processes have opened, each in its place of counts. */
static uint64_t
open_in_processes(const struct broker *broker, int processes, int64_t end_us,
    uint64_t *counts)
{
	uint64_t sum = 0;
	int status;

	for (int i = 0; i < processes; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork: %s", strerror(errno));
		if (pid == 0) {
			counts[i] = open_and_close(broker, end_us);
			_exit(0);
		}
	}
	for (int i = 0; i < processes; i++)
		if (wait(&status) < 0 || status != 0)
			die("a client has failed");
	for (int i = 0; i < processes; i++)
		sum += counts[i];
	return sum;
}

void
probe_handshakes(const struct broker *broker, int connections, double seconds,
    const char *tag, long pid)
{
	size_t len = (size_t)connections * sizeof(uint64_t);
	uint64_t *counts = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct cost before, after;
	int64_t begin_us;
	double each_us, done;

	if (counts == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	tls_client_close(tls_client_connect(broker));
	cost_read(&before, pid);
	begin_us = clock_monotonic_us();
	done = (double)open_in_processes(broker, connections,
	    begin_us + (int64_t)(seconds * 1e6), counts);
	cost_read(&after, pid);
	each_us = (after.threads_cpu_s - before.threads_cpu_s) * 1e6 / done;
	printf("{\"mode\":\"handshakes\",\"tag\":\"%s\",\"connections\":%d,"
	       "\"requests\":%.0f,\"requests_per_s\":%.0f,"
	       "\"us_per_request\":%.2f,\"per_s_and_core\":%.0f,"
	       "\"rss_kb\":%ld}\n",
	    tag, connections, done,
	    done * 1e6 / (double)(clock_monotonic_us() - begin_us), each_us,
	    1e6 / each_us, after.rss_kb);
	munmap(counts, len);
}

/* --- Connections at rest ------------------------------------------------- */

/* ApiVersions, to have talked. */
static void
greet(SSL *ssl)
{
	struct kp_api_versions_request request;
	struct buf frame;
	uint8_t answer[4096];

	kp_defaults(&kp_api_versions_request, &request);
	frame_encode(&frame, KP_API_VERSIONS_KEY, 0, &request);
	if (tls_client_write(ssl, frame.data, frame.len) !=
		(ssize_t)frame.len ||
	    tls_client_read(ssl, answer, sizeof(answer)) <= 0)
		die("the broker closed a connection");
	buf_fini(&frame);
}

void
probe_idle_tls(const struct broker *broker, int connections, long pid)
{
	const struct timespec rest = { .tv_sec = REST_US / 1000000 };
	SSL **clients = xcalloc((size_t)connections, sizeof(SSL *));
	struct cost before, open;

	cost_read(&before, pid);
	for (int i = 0; i < connections; i++) {
		clients[i] = tls_client_connect(broker);
		greet(clients[i]);
	}
	nanosleep(&rest, NULL);
	cost_read(&open, pid);
	printf("{\"mode\":\"idle\",\"connections\":%d,\"rss_kb\":%ld,"
	       "\"rss_kb_each\":%.2f,\"open_cpu_us_each\":%.1f}\n",
	    connections, before.rss_kb,
	    (double)(open.rss_kb - before.rss_kb) / connections,
	    (open.cpu_s - before.cpu_s) * 1e6 / connections);
	for (int i = 0; i < connections; i++)
		tls_client_close(clients[i]);
	free(clients);
}

/* --- The floor ----------------------------------------------------------- */

static int
listen_anywhere(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(fd, SOMAXCONN) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		die("listen: %s", strerror(errno));
	printf("%d\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

/* Until the client says good-bye. */
static void
serve_one(SSL_CTX *context, int fd)
{
	SSL *ssl = SSL_new(context);
	int on = 1;
	char byte;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1)
		die_of_tls("TLS");
	if (SSL_accept(ssl) == 1) {
		(void)SSL_read(ssl, &byte, 1);
		(void)SSL_shutdown(ssl);
	}
	ERR_clear_error();
	SSL_free(ssl);
	close(fd);
}

void
tls_floor_serve(const char *certificate)
{
	SSL_CTX *context = context_new(TLS_server_method());
	int listener = listen_anywhere();

	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_use_certificate_file(
		context, certificate, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(
		context, certificate, SSL_FILETYPE_PEM) != 1)
		die_of_tls(certificate);
	/* One ticket, as klamm. */
	(void)SSL_CTX_set_num_tickets(context, 1);
	while (true) {
		int fd = accept(listener, NULL, NULL);

		if (fd >= 0)
			serve_one(context, fd);
	}
}
