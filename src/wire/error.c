#include "base/base.h"
#include "wire/error.h"
#include "wire/generated/tables.h"

/* Codes that we do not know, from peers of the future, read as unknown. */
static const struct kp_error_row *
row(int code)
{
	if (code < KP_UNKNOWN_SERVER_ERROR || code > KP_ERROR_MAX)
		code = KP_UNKNOWN_SERVER_ERROR;
	return &kp_error_rows[code + 1];
}

const char *
kp_error_name(int code)
{
	return row(code)->name;
}

const char *
kp_error_message(int code)
{
	return row(code)->message;
}

bool
kp_error_is_retriable(int code)
{
	return row(code)->action >= KP_CLIENT_RETRY;
}
