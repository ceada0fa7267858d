#include "e2e/raw_login.h"

#include "wire/codec.h"
#include "wire/generated/sasl_authenticate.h"
#include "wire/generated/sasl_handshake.h"

#define PREFIX "listener.name.sasl_plaintext."

#define USERS                                                      \
	PREFIX "plain.sasl.jaas.config="                           \
	"org.apache.kafka.common.security.plain.PlainLoginModule " \
	"required user_admin=\"admin-secret\" user_bob=\"bob-secret\";"
#define AUTHORIZER                                                 \
	"authorizer.class.name="                                   \
	"org.apache.kafka.metadata.authorizer.StandardAuthorizer"

static const char *const settings[] = {
	"listeners=SASL_PLAINTEXT://127.0.0.1:0",
	PREFIX "sasl.enabled.mechanisms=PLAIN",
	USERS,
	"connection.failed.authentication.delay.ms=1",
	AUTHORIZER,
	"super.users=User:admin",
};

void
raw_login_broker(struct broker_process *broker)
{
	broker_process_init(broker);
	for (size_t i = 0; i < COUNT_OF(settings); i++) {
		broker_process_argument(broker, "--override");
		broker_process_argument(broker, settings[i]);
	}
}

enum kp_error
raw_login(struct raw_client *client, const char *user, const char *password)
{
	const struct kp_sasl_handshake_request handshake = {
		.mechanism = slice_str("PLAIN"),
	};
	const struct kp_sasl_handshake_response *shaken = raw_client_call(
	    client, KP_SASL_HANDSHAKE_KEY, 1, &handshake);
	const struct kp_sasl_authenticate_response *response;
	struct kp_sasl_authenticate_request request;

	if (shaken->error_code != KP_NONE)
		return (enum kp_error)shaken->error_code;
	request.auth_bytes = arena_printf(
	    &client->arena, "%c%s%c%s", '\0', user, '\0', password);
	response = raw_client_call(
	    client, KP_SASL_AUTHENTICATE_KEY, 2, &request);
	return (enum kp_error)response->error_code;
}
