#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static atomic_int level_min = LOG_INFO;
static atomic_int line_format = LOG_FORMAT_TEXT;
static atomic_int output_fd = STDOUT_FILENO;

/* No level of a logger's own. */
#define INHERITED (-1)

static struct {
	const char *name;
	atomic_int level;
} loggers[LOG_LOGGERS_COUNT] = {
	[LOG_AUTHORIZER] = { "kafka.authorizer.logger", INHERITED },
};

static const char *const level_names[] = {
	[LOG_TRACE] = "TRACE",
	[LOG_DEBUG] = "DEBUG",
	[LOG_INFO] = "INFO",
	[LOG_WARN] = "WARN",
	[LOG_ERROR] = "ERROR",
	[LOG_FATAL] = "FATAL",
};

void
log_set_level(enum log_level level)
{
	atomic_store(&level_min, (int)level);
}

enum log_level
log_level(void)
{
	return (enum log_level)atomic_load(&level_min);
}

void
log_set_format(enum log_format format)
{
	atomic_store(&line_format, (int)format);
}

void
log_set_output(int fd)
{
	atomic_store(&output_fd, fd);
}

const char *
log_level_name(enum log_level level)
{
	return level_names[level];
}

int
log_level_parse(struct slice text, enum log_level *level)
{
	for (size_t i = 0; i < COUNT_OF(level_names); i++) {
		if (strlen(level_names[i]) == text.len &&
		    strncasecmp(level_names[i], (const char *)text.data,
			text.len) == 0) {
			*level = (enum log_level)i;
			return 0;
		}
	}
	return -1;
}

bool
log_enabled(enum log_level level)
{
	return (int)level >= atomic_load_explicit(&level_min,
	    memory_order_relaxed);
}

/*
 * A line being put together.  Beyond limit everything is dropped, so that what
 * stands behind a message that is too long still finds room.
 */
struct line {
	char text[LOG_LINE_LEN_MAX];
	size_t len;
	size_t limit;
	bool cut;		/* at the limit */
};

/* All of it or nothing: half an escape would be none. */
static void
line_put(struct line *line, const char *s, size_t n)
{
	if (line->cut || n > line->limit - line->len) {
		line->cut = true;
		return;
	}
	memcpy(line->text + line->len, s, n);
	line->len += n;
}

static void
line_text(struct line *line, const char *s)
{
	line_put(line, s, strlen(s));
}

/* A log line is one line, whatever a client put into a name. */
static void
line_plain(struct line *line, const char *s)
{
	for (; *s != '\0'; s++)
		line_put(line, (unsigned char)*s < ' ' ? " " : s, 1);
}

static void
line_json(struct line *line, const char *s)
{
	char escape[8];

	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			snprintf(escape, sizeof(escape), "\\%c", *s);
		else if ((unsigned char)*s < ' ')
			snprintf(escape, sizeof(escape), "\\u%04x", *s);
		else
			snprintf(escape, sizeof(escape), "%c", *s);
		line_text(line, escape);
	}
}

/* The message, with what follows it; both are cut to what fits. */
static void
line_end(struct line *line, const char *message,
    void (*put)(struct line *line, const char *s), const char *end)
{
	line->limit = sizeof(line->text) - strlen(end);
	put(line, message);
	line->limit = sizeof(line->text);
	line->cut = false;
	line_text(line, end);
}

/* As Kafka's logs have it. */
static void
format_time(char *text, size_t size)
{
	int64_t now = clock_wall_ms();
	time_t seconds = (time_t)(now / 1000);
	struct tm tm;
	char date[32];

	localtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(text, size, "%s,%03d", date, (int)(now % 1000));
}

/* RFC 3339, in UTC. */
static void
format_time_json(char *text, size_t size)
{
	int64_t now = clock_wall_ms();
	time_t seconds = (time_t)(now / 1000);
	struct tm tm;
	char date[32];

	gmtime_r(&seconds, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, size, "%s.%03dZ", date, (int)(now % 1000));
}

static void
compose_text(struct line *line, enum log_level level, const char *logger,
    const char *message)
{
	char when[48], end[80];

	format_time(when, sizeof(when));
	line_text(line, "[");
	line_text(line, when);
	line_text(line, "] ");
	line_text(line, level_names[level]);
	line_text(line, " ");
	snprintf(end, sizeof(end), " (%s)\n", logger);
	line_end(line, message, line_plain, end);
}

static void
compose_json(struct line *line, enum log_level level, const char *logger,
    const char *message)
{
	char when[48];

	format_time_json(when, sizeof(when));
	line_text(line, "{\"time\":\"");
	line_text(line, when);
	line_text(line, "\",\"level\":\"");
	line_text(line, level_names[level]);
	line_text(line, "\",\"logger\":\"");
	line_json(line, logger);
	line_text(line, "\",\"message\":\"");
	line_end(line, message, line_json, "\"}\n");
}

/* Wait until the output, which somebody made non-blocking, takes more. */
static bool
output_ready(void)
{
	struct pollfd output = { .fd = output_fd, .events = POLLOUT };

	return poll(&output, 1, -1) > 0 || errno == EINTR;
}

/* One write a line: lines of several threads do not mix. */
static void
emit(const struct line *line)
{
	size_t done = 0;

	while (done < line->len) {
		ssize_t n = write(output_fd, line->text + done,
		    line->len - done);

		if (n > 0)
			done += (size_t)n;
		else if (n < 0 && errno == EAGAIN && output_ready())
			continue;
		else if (n == 0 || errno != EINTR)
			return;		/* nowhere to complain */
	}
}

PRINTF_LIKE(3, 0) static void
write_line(enum log_level level, const char *logger, const char *format,
    va_list args)
{
	char message[LOG_LINE_LEN_MAX];
	struct line line;

	vsnprintf(message, sizeof(message), format, args);
	line.len = 0;
	line.limit = sizeof(line.text);
	line.cut = false;
	if (atomic_load(&line_format) == LOG_FORMAT_JSON)
		compose_json(&line, level, logger, message);
	else
		compose_text(&line, level, logger, message);
	emit(&line);
}

void
log_write(enum log_level level, const char *logger, const char *format, ...)
{
	va_list args;

	if (!log_enabled(level))
		return;
	va_start(args, format);
	write_line(level, logger, format, args);
	va_end(args);
}

/* --- Loggers with a level of their own ------------------------------------ */

const char *
log_logger_name(enum log_logger logger)
{
	return loggers[logger].name;
}

int
log_logger_find(struct slice name, enum log_logger *logger)
{
	for (size_t i = 0; i < COUNT_OF(loggers); i++) {
		const char *found = loggers[i].name;

		if (name.len != strlen(found) ||
		    memcmp(name.data, found, name.len) != 0)
			continue;
		*logger = (enum log_logger)i;
		return 0;
	}
	return -1;
}

enum log_level
log_logger_level(enum log_logger logger)
{
	int level = atomic_load_explicit(
	    &loggers[logger].level, memory_order_relaxed);

	return level == INHERITED ? log_level() : (enum log_level)level;
}

void
log_logger_set_level(enum log_logger logger, enum log_level level)
{
	atomic_store(&loggers[logger].level, (int)level);
}

void
log_logger_unset_level(enum log_logger logger)
{
	atomic_store(&loggers[logger].level, INHERITED);
}

bool
log_logger_enabled(enum log_logger logger, enum log_level level)
{
	return level >= log_logger_level(logger);
}

void
log_logger_write(
    enum log_logger logger, enum log_level level, const char *format, ...)
{
	va_list args;

	if (!log_logger_enabled(logger, level))
		return;
	va_start(args, format);
	write_line(level, loggers[logger].name, format, args);
	va_end(args);
}
