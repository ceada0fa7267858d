/*
 * JAAS login: the file that the system property
 * java.security.auth.login.config names, where a listener's login modules are
 * that no sasl.jaas.config has (JaasContext of Kafka).
 *
 * It is read when it is first asked for: who needs none may name one that is
 * not there.
 */
#ifndef CLI_JAAS_LOGIN_H
#define CLI_JAAS_LOGIN_H

#include "auth/jaas.h"

struct jaas_login {
	char *path; /* owned; NULL: the property is not set */
	bool read;
	struct arena *arena; /* where the file's texts are */
	struct jaas_file file;
};

/* From environ ("NAME=value" strings, ended by NULL). */
void jaas_login_init(
    struct jaas_login *login, char **environ, struct arena *arena);
void jaas_login_fini(struct jaas_login *login);

/*
 * The section of a listener, "<listener in lower case>.KafkaServer" or else
 * "KafkaServer".  NULL with a line on standard error where there is none, or no
 * file that can be read; it names key, which could have been set instead.
 */
const struct jaas_section *jaas_login_find(
    struct jaas_login *login, const char *listener, const char *key);

#endif
