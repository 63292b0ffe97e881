// sleeper.c - a program that never ends by itself.
#include "sys.h"
__attribute__((noreturn, used)) void _start(void)
{
	for (;;)
		SC0(SYS_pause);
}
