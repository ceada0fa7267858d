/*
 * The process's log: one line an event, on standard output as Kafka's
 * container image does, so that readiness lines can be waited for.
 *
 *     [2026-01-31 12:00:00,123] INFO text (logger)
 *
 * or one JSON object a line (--log-format json), with its time as in RFC 3339.
 * A logger is a Kafka class
 * name or a layer's name; it can have a level of its own (BROKER_LOGGER).
 * Thread-safe.  The message of a line that would be longer than
 * LOG_LINE_LEN_MAX, its newline included, is cut.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/base.h"

#define LOG_LINE_LEN_MAX 4096

enum log_level {
	LOG_TRACE,
	LOG_DEBUG,
	LOG_INFO,
	LOG_WARN,
	LOG_ERROR,
	LOG_FATAL,
};

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Lines below level are dropped.  INFO and text until these are called. */
void log_set_level(enum log_level level);
enum log_level log_level(void);
void log_set_format(enum log_format format);

/* Write to this descriptor instead, for programs whose output is data. */
void log_set_output(int fd);

/* The level named by text ("INFO", any case); -1 where there is none. */
int log_level_parse(struct slice text, enum log_level *level) WARN_UNUSED;
const char *log_level_name(enum log_level level);

bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *logger, const char *format,
    ...) PRINTF_LIKE(3, 4);

#define log_debug(logger, ...)                                   \
	do {                                                     \
		if (log_enabled(LOG_DEBUG))                      \
			log_write(LOG_DEBUG, logger, __VA_ARGS__); \
	} while (0)
#define log_info(logger, ...) log_write(LOG_INFO, logger, __VA_ARGS__)
#define log_warn(logger, ...) log_write(LOG_WARN, logger, __VA_ARGS__)
#define log_error(logger, ...) log_write(LOG_ERROR, logger, __VA_ARGS__)

#endif
