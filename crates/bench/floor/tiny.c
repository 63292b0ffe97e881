// tiny.c - the smallest program: what every launch in the comparison runs.
#include "sys.h"
__attribute__((noreturn, used)) void _start(void)
{
	quit(0);
}
