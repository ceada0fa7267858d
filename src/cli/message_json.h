/*
 * Messages as one line of JSON, byte for byte as Apache Kafka's tools print
 * them: the fields in the order of the definition, tagged ones where they
 * stand in it.  (wire/json.h makes a tree instead, for who wants to look into
 * it.)  Nothing is built in memory.
 */
#ifndef CLI_MESSAGE_JSON_H
#define CLI_MESSAGE_JSON_H

#include <stdio.h>

#include "base/base.h"
#include "wire/message.h"

struct message_json {
	FILE *out;
	/*
	 * May print the bytes in a field of this name in another way than in
	 * base64, and says whether it did.  NULL: never.
	 */
	bool (*print_bytes)(struct message_json *json, const char *name,
	    struct slice bytes);
};

/* Print a message that was decoded at this version. */
void message_json_print(struct message_json *json, const struct kp_message *m,
    int version, const void *body);

#endif
