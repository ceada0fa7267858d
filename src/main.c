#include "base/base.h"

#include <stdio.h>

int
main(void)
{
	puts("klamm");
	return 0;
}
