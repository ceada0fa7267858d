/*
 * Do failed logins of users that there are take as long as those of users
 * that there are not?
 *
 *	login_timing PORT MECHANISM USER ROUNDS
 *
 * Against a broker on this machine whose SASL_PLAINTEXT listener has MECHANISM
 * (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512) and
 * connection.failed.authentication.delay.ms=0.  Each round is a connection that
 * sends one token, for USER or for a name of the same length that nobody has,
 * in random order; what is timed is the answer to it.  Prints both means and
 * Welch's t: beyond 4.5 the two can be told apart.  By hand: it measures time.
 */
#include "base/clock.h"
#include "base/rng.h"
#include "e2e/broker_process.h"
#include "e2e/raw_client.h"
#include "wire/codec.h"
#include "wire/error.h"
#include "wire/generated/sasl_authenticate.h"
#include "wire/generated/sasl_handshake.h"

#include <math.h>
#include <stdio.h>

/* Of each side, the slowest tenth is the machine's noise. */
#define KEPT_PERCENT 90

struct side {
	double *us;
	size_t count;
	double mean;
	double variance;
};

static struct slice
token_of(struct raw_client *client, const char *mechanism, const char *user)
{
	if (strcmp(mechanism, "PLAIN") == 0)
		return arena_printf(
		    &client->arena, "%c%s%cwrong", '\0', user, '\0');
	return arena_printf(
	    &client->arena, "n,,n=%s,r=fyko+d2lbbFgONRv9qkxdawL", user);
}

static double
answer_us(const struct broker_process *broker, const char *mechanism,
    const char *user)
{
	const struct kp_sasl_handshake_request handshake = {
		.mechanism = slice_str(mechanism),
	};
	const struct kp_sasl_handshake_response *shaken;
	struct kp_sasl_authenticate_request request;
	struct raw_client client;
	int64_t begin_us, end_us;

	raw_client_init(&client, broker);
	shaken = raw_client_call(
	    &client, KP_SASL_HANDSHAKE_KEY, 1, &handshake);
	if (shaken->error_code != KP_NONE) {
		fprintf(stderr, "%s is not enabled\n", mechanism);
		exit(1);
	}
	request.auth_bytes = token_of(&client, mechanism, user);
	begin_us = clock_monotonic_us();
	(void)raw_client_call(
	    &client, KP_SASL_AUTHENTICATE_KEY, 2, &request);
	end_us = clock_monotonic_us();
	raw_client_fini(&client);
	return (double)(end_us - begin_us);
}

static int
compare(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static void
summarize(struct side *side)
{
	double squares = 0;

	qsort(side->us, side->count, sizeof(*side->us), compare);
	side->count = side->count * KEPT_PERCENT / 100;
	for (size_t i = 0; i < side->count; i++)
		side->mean += side->us[i] / (double)side->count;
	for (size_t i = 0; i < side->count; i++)
		squares += (side->us[i] - side->mean) *
		    (side->us[i] - side->mean);
	side->variance = squares / (double)(side->count - 1);
}

static double
welch_t(const struct side *a, const struct side *b)
{
	return (a->mean - b->mean) /
	    sqrt(a->variance / (double)a->count +
		b->variance / (double)b->count);
}

int
main(int argc, char **argv)
{
	struct broker_process broker = { .port = 0 };
	struct side sides[2] = { { .count = 0 }, { .count = 0 } };
	const char *users[2];
	char *nobody;
	struct rng rng;
	size_t rounds;

	if (argc != 5) {
		fprintf(stderr,
		    "usage: login_timing PORT MECHANISM USER ROUNDS\n");
		return 2;
	}
	broker.port = (int)strtol(argv[1], NULL, 10);
	nobody = xstrdup(argv[3]);
	nobody[0] = nobody[0] == 'z' ? 'y' : 'z';
	users[0] = argv[3];
	users[1] = nobody;
	rounds = strtoul(argv[4], NULL, 10);
	rng_init_random(&rng);
	for (int i = 0; i < 2; i++)
		sides[i].us = xcalloc(rounds, sizeof(double));
	for (size_t i = 0; i < rounds; i++) {
		struct side *side = &sides[rng_below(&rng, 2)];

		side->us[side->count++] = answer_us(
		    &broker, argv[2], users[side - sides]);
	}
	for (int i = 0; i < 2; i++) {
		summarize(&sides[i]);
		printf("%s: %zu logins, %.1f us\n", users[i], sides[i].count,
		    sides[i].mean);
		free(sides[i].us);
	}
	printf("t = %.2f\n", welch_t(&sides[0], &sides[1]));
	free(nobody);
	return 0;
}
