/*
 * The argument of `klamm storage format --add-scram`
 * (org.apache.kafka.metadata.storage.ScramParser).
 *
 *     SCRAM-SHA-256=[name=NAME,password=PASSWORD]
 *
 * with, at will, salt=BASE64 and iterations=NUMBER; and with salt and
 * saltedpassword=BASE64 instead of password.  Values may stand in quotes, but
 * what is in them is not looked at: none can have a comma.
 */
#ifndef CLI_STORAGE_SCRAM_H
#define CLI_STORAGE_SCRAM_H

#include "base/arena.h"
#include "base/base.h"
#include "base/rng.h"
#include "wire/generated/metadata_user_scram_credential_record.h"

/*
 * The record of a user's credential, whose slices live in arena.  The exit
 * code of the program; where it cannot be done Kafka's text was said.
 */
int storage_scram_parse(const char *argument, struct rng *rng,
    struct arena *arena, struct kp_user_scram_credential_record *record);

/* As Kafka prints what goes into bootstrap.checkpoint. */
void storage_scram_print(const struct kp_user_scram_credential_record *record);

#endif
