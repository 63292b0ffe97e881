// enter.c - the floor of entering, as a command: one setns with a pidfd, for all eight kinds at once,
// and a child (which is what the pid namespace asks for) that shares the memory until its execve.
//
//   enter PID PROGRAM [ARGUMENT...]
#include "sys.h"
#include <signal.h>

static char **g_argv, **g_envp;
static char stack[16384] __attribute__((aligned(16)));
static struct clone_args args;

__attribute__((noreturn)) static void child(void)
{
	SC3(SYS_execve, g_argv[0], g_argv, g_envp);
	quit(127);
}

__attribute__((noreturn, used)) void main_(long *sp)
{
	long argc = sp[0];
	char **argv = (char **)(sp + 1);
	if (argc < 3)
		quit(2);
	g_argv = argv + 2;
	g_envp = argv + argc + 1;
	long pidfd = SC2(SYS_pidfd_open, number(argv[1]), 0);
	if (pidfd < 0 || SC2(SYS_setns, pidfd, ALL_KINDS))
		quit(126);
	args.flags = CLONE_VM | CLONE_VFORK;
	args.exit_signal = SIGCHLD;
	args.stack = (uint64_t)(uintptr_t)stack;
	args.stack_size = sizeof stack;
	// pidfd_open gives a close-on-exec descriptor: the program doesn't see it.
	long pid = clone3_call(&args, child);
	quit(pid < 0 ? 124 : wait_for(pid));
}
ENTRY(main_);
