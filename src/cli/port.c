#include "cli/port.h"

#include <errno.h>

int
port_parse(const char *text, int *port)
{
	char *end;
	long value;

	errno = 0;
	value = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value < 0 ||
	    value > 65535)
		return -1;
	*port = (int)value;
	return 0;
}
