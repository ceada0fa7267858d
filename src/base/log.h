/*
 * The process's log: one line an event, on standard output as Kafka's
 * container image does, so that readiness lines can be waited for.
 *
 *     [2026-01-31 12:00:00,123] INFO text (logger)
 *
 * or one JSON object a line (--log-format json), with its time as in RFC 3339.
 * A logger is a Kafka class
 * name or a layer's name; those of enum log_logger can have a level of their
 * own (BROKER_LOGGER).
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

/*
 * The loggers whose level may be another one than that of all.  Kafka's own
 * configuration sets one for its authorizer's, which says who was denied what.
 */
enum log_logger {
	LOG_AUTHORIZER,		/* kafka.authorizer.logger */
};

#define LOG_LOGGERS_COUNT 1

const char *log_logger_name(enum log_logger logger);

/* -1 where none of them has that name. */
int log_logger_find(struct slice name, enum log_logger *logger) WARN_UNUSED;

/* Its own level, or that of all, which it has until one is set. */
enum log_level log_logger_level(enum log_logger logger);
void log_logger_set_level(enum log_logger logger, enum log_level level);
void log_logger_unset_level(enum log_logger logger);

bool log_logger_enabled(enum log_logger logger, enum log_level level);
void log_logger_write(enum log_logger logger, enum log_level level,
    const char *format, ...) PRINTF_LIKE(3, 4);

#define log_debug(logger, ...)                                   \
	do {                                                     \
		if (log_enabled(LOG_DEBUG))                      \
			log_write(LOG_DEBUG, logger, __VA_ARGS__); \
	} while (0)
#define log_info(logger, ...) log_write(LOG_INFO, logger, __VA_ARGS__)
#define log_warn(logger, ...) log_write(LOG_WARN, logger, __VA_ARGS__)
#define log_error(logger, ...) log_write(LOG_ERROR, logger, __VA_ARGS__)

#endif
