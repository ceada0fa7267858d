#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static atomic_int level_min = LOG_INFO;
static atomic_int line_format = LOG_FORMAT_TEXT;

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

/* A line being put together; what does not fit is dropped. */
struct line {
	char text[LOG_LINE_LEN_MAX];
	size_t len;
};

static void
line_char(struct line *line, char c)
{
	/* One place is kept for the newline. */
	if (line->len < sizeof(line->text) - 1)
		line->text[line->len++] = c;
}

static void
line_text(struct line *line, const char *s)
{
	while (*s != '\0')
		line_char(line, *s++);
}

/* A log line is one line, whatever a client put into a name. */
static void
line_plain(struct line *line, const char *s)
{
	for (; *s != '\0'; s++)
		line_char(line, (unsigned char)*s < ' ' ? ' ' : *s);
}

static void
line_json_string(struct line *line, const char *s)
{
	char escape[8];

	line_char(line, '"');
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\') {
			line_char(line, '\\');
			line_char(line, *s);
		} else if ((unsigned char)*s < ' ') {
			snprintf(escape, sizeof(escape), "\\u%04x", *s);
			line_text(line, escape);
		} else {
			line_char(line, *s);
		}
	}
	line_char(line, '"');
}

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

static void
compose_text(struct line *line, enum log_level level, const char *logger,
    const char *when, const char *message)
{
	line_char(line, '[');
	line_text(line, when);
	line_text(line, "] ");
	line_text(line, level_names[level]);
	line_char(line, ' ');
	line_plain(line, message);
	line_text(line, " (");
	line_text(line, logger);
	line_char(line, ')');
}

static void
compose_json(struct line *line, enum log_level level, const char *logger,
    const char *when, const char *message)
{
	line_text(line, "{\"time\":\"");
	line_text(line, when);
	line_text(line, "\",\"level\":\"");
	line_text(line, level_names[level]);
	line_text(line, "\",\"logger\":");
	line_json_string(line, logger);
	line_text(line, ",\"message\":");
	line_json_string(line, message);
	line_char(line, '}');
}

/* One write a line: lines of several threads do not mix. */
static void
emit(struct line *line)
{
	size_t done = 0;

	line->text[line->len++] = '\n';
	while (done < line->len) {
		ssize_t n = write(STDOUT_FILENO, line->text + done,
		    line->len - done);

		if (n <= 0)
			return;		/* nowhere to complain */
		done += (size_t)n;
	}
}

void
log_write(enum log_level level, const char *logger, const char *format, ...)
{
	char message[LOG_LINE_LEN_MAX / 2], when[48];
	struct line line = { .len = 0 };
	va_list args;

	if (!log_enabled(level))
		return;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	format_time(when, sizeof(when));
	if (atomic_load(&line_format) == LOG_FORMAT_JSON)
		compose_json(&line, level, logger, when, message);
	else
		compose_text(&line, level, logger, when, message);
	emit(&line);
}
