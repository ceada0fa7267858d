/*
 * The process's log: the shape of its lines, and that they arrive whole.
 */
#include "unit/unit.h"

#include <fcntl.h>
#include <jansson.h>
#include <sys/mman.h>

#include "base/log.c"
#include "base/thread.h"

/* --- Standard output, caught ---------------------------------------------- */

static int saved_output;

static void
redirect(int fd)
{
	fflush(stdout);
	saved_output = dup(STDOUT_FILENO);
	assert_true(saved_output >= 0 && dup2(fd, STDOUT_FILENO) >= 0);
	close(fd);
}

static void
restore(void)
{
	assert_true(dup2(saved_output, STDOUT_FILENO) >= 0);
	close(saved_output);
}

/* The line that a message makes, on the heap. */
static char *
line_of(const char *message)
{
	char *text = xcalloc(1, 2 * LOG_LINE_LEN_MAX);
	int fd = memfd_create("log", MFD_CLOEXEC);

	assert_true(fd >= 0);
	redirect(dup(fd));
	log_info("a.Logger", "%s", message);
	restore();
	assert_true(pread(fd, text, 2 * LOG_LINE_LEN_MAX - 1, 0) > 0);
	close(fd);
	return text;
}

static char *
repeated(char c, size_t len)
{
	char *text = xmalloc(len + 1);

	memset(text, c, len);
	text[len] = '\0';
	return text;
}

/* --- Tests ---------------------------------------------------------------- */

static void
a_line_of_text(void **state UNUSED)
{
	char *line = line_of("one\ntwo");

	assert_int_equal(line[0], '[');
	assert_string_equal(line + strlen("[2026-01-31 12:00:00,123]"),
	    " INFO one two (a.Logger)\n");
	free(line);
}

static void
a_long_message_is_cut_in_front_of_its_logger(void **state UNUSED)
{
	static const char end[] = "x (a.Logger)\n";
	char *message = repeated('x', 5000);
	char *line = line_of(message);

	assert_int_equal(strlen(line), LOG_LINE_LEN_MAX);
	assert_string_equal(line + LOG_LINE_LEN_MAX - strlen(end), end);
	free(message);
	free(line);
}

static char *
json_line_of(const char *message)
{
	char *line;

	log_set_format(LOG_FORMAT_JSON);
	line = line_of(message);
	log_set_format(LOG_FORMAT_TEXT);
	return line;
}

static const char *
member(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static void
a_line_of_json(void **state UNUSED)
{
	char *line = json_line_of("say \"\\\"\t");
	json_t *object = json_loads(line, 0, NULL);
	int year, month, day, hour, minute, second, ms, end = 0;

	assert_non_null(object);
	assert_string_equal(member(object, "level"), "INFO");
	assert_string_equal(member(object, "logger"), "a.Logger");
	assert_string_equal(member(object, "message"), "say \"\\\"\t");
	assert_int_equal(sscanf(member(object, "time"),
			     "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &year, &month,
			     &day, &hour, &minute, &second, &ms, &end),
	    7);
	assert_int_equal(end, strlen("2026-01-31T12:00:00.123Z"));
	json_decref(object);
	free(line);
}

/* Wherever it is cut, it is JSON. */
static void
a_long_message_is_cut_between_escapes(void **state UNUSED)
{
	static const char escaped[] = "\"\001x";

	for (size_t i = 0; i < strlen(escaped); i++) {
		for (size_t shift = 0; shift < 6; shift++) {
			char *message = repeated(escaped[i], 5000);
			char *line;
			json_t *object;

			memset(message, 'x', shift);
			line = json_line_of(message);
			object = json_loads(line, 0, NULL);
			assert_non_null(object);
			assert_true(strlen(line) > LOG_LINE_LEN_MAX - 6);
			assert_true(strlen(line) <= LOG_LINE_LEN_MAX);
			json_decref(object);
			free(message);
			free(line);
		}
	}
}

#define LINES 5

static void *
write_lines(void *argument)
{
	for (int i = 0; i < LINES; i++)
		log_info("a.Logger", "%s", (const char *)argument);
	return NULL;
}

/* Output that does not block loses nothing, however slowly it is read. */
static void
lines_wait_for_their_reader(void **state UNUSED)
{
	char *message = repeated('x', 5000);
	char *text = xmalloc(LINES * LOG_LINE_LEN_MAX);
	size_t len = 0;
	pthread_t thread;
	int ends[2];
	ssize_t n;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 4096);
	/* Who loses a line lets the reader below wait for ever. */
	alarm(60);
	redirect(ends[1]);
	assert_int_equal(
	    thread_start(&thread, "writer", write_lines, message), 0);
	while (len < LINES * LOG_LINE_LEN_MAX &&
	    (n = read(ends[0], text + len, 1000)) > 0)
		len += (size_t)n;
	alarm(0);
	pthread_join(thread, NULL);
	restore();
	assert_int_equal(len, LINES * LOG_LINE_LEN_MAX);
	for (size_t i = 1; i <= LINES; i++)
		assert_int_equal(text[i * LOG_LINE_LEN_MAX - 1], '\n');
	close(ends[0]);
	free(message);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_of_text),
		cmocka_unit_test(a_long_message_is_cut_in_front_of_its_logger),
		cmocka_unit_test(a_line_of_json),
		cmocka_unit_test(a_long_message_is_cut_between_escapes),
		cmocka_unit_test(lines_wait_for_their_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
