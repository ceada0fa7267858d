/*
 * Holds the codec against messages that Apache Kafka's own classes wrote:
 * every line of tests/wire/messages/ has a message, a version, its bytes and
 * its JSON.  For each one, decoding the bytes gives the JSON, and encoding,
 * both what was decoded and what was read from the JSON, gives the bytes.
 *
 * usage: test_messages [DIRECTORY]
 */
#include <glob.h>
#include <jansson.h>
#include <stdio.h>
#include <zlib.h>

#include "base/base.h"
#include "base/arena.h"
#include "wire/codec.h"
#include "wire/json.h"
#include "wire/output.h"

#define LINE_SIZE_MAX (1 << 20)
#define ARENA_SIZE_MAX (64 << 20)

/* What the data holds; fewer means that a file went missing. */
#define LINES_EXPECTED 4408

struct golden {
	const char *file;
	int number;
	const struct kp_message *message;
	int version;
	bool decode_only;	/* has tags that we do not know */
	struct slice bytes;
	json_t *json;
	struct arena arena;
};

static int failures;

static void
complain(const struct golden *g, const char *what)
{
	fprintf(stderr, "%s:%d: %s %d: %s\n", g->file, g->number,
	    g->message->name, g->version, what);
	failures++;
}

static int
nibble(char c)
{
	return c >= 'a' ? c - 'a' + 10 : c - '0';
}

static struct slice
hex_decode(struct arena *arena, const char *hex)
{
	size_t len = strlen(hex) / 2;
	uint8_t *bytes = arena_xalloc(arena, len);

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(nibble(hex[2 * i]) << 4 |
		    nibble(hex[2 * i + 1]));
	return slice_of(bytes, len);
}

static void
check_json(const struct golden *g, const void *body)
{
	json_t *json = kp_json_write(g->message, g->version, body);
	char *text;

	if (!json_equal(json, g->json)) {
		text = json_dumps(json, JSON_COMPACT);
		complain(g, "the JSON differs:");
		fprintf(stderr, "  %s\n", text);
		free(text);
	}
	json_decref(json);
}

static void
check_bytes(struct golden *g, const void *body, const char *what)
{
	struct output out;

	output_init(&out, &g->arena);
	if (kp_encode(g->message, g->version, body, &out) != 0) {
		complain(g, "cannot be encoded");
	} else if (out.count > 1 || out.len != g->bytes.len ||
	    (out.len > 0 && memcmp(out.pieces[0].data, g->bytes.data,
	    out.len) != 0)) {
		complain(g, what);
	} else if (kp_size(g->message, g->version, body) != out.len) {
		complain(g, "the size is wrong");
	}
}

static void
check_line(struct golden *g)
{
	void *body = arena_xalloc(&g->arena, g->message->body->size);
	const char *where;

	if (kp_decode(g->message, g->version, g->bytes, &g->arena, body)
	    != 0) {
		complain(g, "cannot be decoded");
		return;
	}
	check_json(g, body);
	if (g->decode_only)
		return;
	check_bytes(g, body, "what was decoded encodes to other bytes");
	if (kp_json_read(g->message, g->version, g->json, &g->arena, body,
	    &where) != 0)
		complain(g, where);
	else
		check_bytes(g, body, "what JSON gave encodes to other bytes");
}

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	assert(text != NULL);
	return text;
}

static void
line(const char *file, int number, const char *text)
{
	struct golden g = { .file = file, .number = number };
	json_error_t error;
	json_t *row = json_loads(text, JSON_ALLOW_NUL, &error);

	if (row == NULL) {
		fprintf(stderr, "%s:%d: %s\n", file, number, error.text);
		failures++;
		return;
	}
	arena_init(&g.arena, ARENA_SIZE_MAX);
	g.message = kp_message_find(text_of(row, "message"));
	g.version = (int)json_integer_value(json_object_get(row, "version"));
	g.decode_only = json_is_true(json_object_get(row, "decodeOnly"));
	g.bytes = hex_decode(&g.arena, text_of(row, "hex"));
	g.json = json_object_get(row, "json");
	if (g.message == NULL) {
		fprintf(stderr, "%s:%d: no such message\n", file, number);
		failures++;
	} else {
		check_line(&g);
	}
	arena_reset(&g.arena);
	json_decref(row);
}

/* The number of lines in the file. */
static int
file_check(const char *path)
{
	gzFile file = gzopen(path, "rb");
	char *text = xmalloc(LINE_SIZE_MAX);
	int number = 0;

	assert(file != NULL);
	while (gzgets(file, text, LINE_SIZE_MAX) != NULL)
		line(path, ++number, text);
	assert(gzclose(file) == Z_OK);
	free(text);
	return number;
}

int
main(int argc, char **argv)
{
	char *pattern = xasprintf("%s/*.gz",
	    argc > 1 ? argv[1] : SRCDIR "/tests/wire/messages");
	int lines = 0;
	glob_t found;

	assert(glob(pattern, 0, NULL, &found) == 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		lines += file_check(found.gl_pathv[i]);
	globfree(&found);
	free(pattern);
	printf("%d lines, %d failures\n", lines, failures);
	return failures == 0 && lines == LINES_EXPECTED ? 0 : 1;
}
