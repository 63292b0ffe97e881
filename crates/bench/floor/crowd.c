// crowd.c - a command beside many processes: in a pid and mount namespace of its own with its own /proc,
// starts sleepers, every so-manieth in mnt, uts, ipc and cgroup namespaces of its own, runs the command,
// and ends. All of them end with it, however it ends, since init of the pid namespace does.
//
//   crowd COUNT EVERY SOCKETS SLEEPER COMMAND [ARGUMENT...]
//
// SOCKETS is how many sockets each sleeper holds open.
#define _GNU_SOURCE
#include "sys.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int g_count, g_every, g_sockets;
static char *g_sleeper, **g_command;
static char stack[65536] __attribute__((aligned(16)));

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
	exit(125);
}

__attribute__((noreturn)) static void sleeper(void)
{
	char *argv[] = { g_sleeper, NULL }, *envp[] = { NULL };
	// Half of each sort: what is known about a socket depends on its family.
	for (int i = 0; i < g_sockets; i++)
		if (SC3(SYS_socket, i % 2 ? AF_UNIX : AF_INET, SOCK_DGRAM, 0) < 0)
			quit(126);
	SC3(SYS_execve, argv[0], argv, envp);
	quit(127);
}

static void start(int i)
{
	struct clone_args args;
	memset(&args, 0, sizeof args);
	args.flags = CLONE_VM | CLONE_VFORK;
	if (g_every && i % g_every == 0)
		args.flags |= CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP;
	args.exit_signal = SIGCHLD;
	args.stack = (uint64_t)(uintptr_t)stack;
	args.stack_size = sizeof stack;
	long pid = clone3_call(&args, sleeper);
	if (pid < 0) {
		errno = (int)-pid;
		fail("clone3");
	}
	if (waitpid((pid_t)pid, NULL, WNOHANG) > 0) {
		errno = EMFILE;
		fail("a sleeper ended");
	}
}

static int init(void)
{
	struct rlimit files = { (rlim_t)g_sockets + 64, (rlim_t)g_sockets + 64 }, before;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("proc", "/proc", "proc", 0, NULL))
		fail("mount /proc");
	if (getrlimit(RLIMIT_NOFILE, &before) || (before.rlim_cur < files.rlim_cur && setrlimit(RLIMIT_NOFILE, &files)))
		fail("RLIMIT_NOFILE");
	for (int i = 0; i < g_count; i++)
		start(i);
	setrlimit(RLIMIT_NOFILE, &before);
	pid_t pid = fork();
	if (pid == 0) {
		execvp(g_command[0], g_command);
		_exit(127);
	}
	int st = 0;
	while (waitpid(pid, &st, 0) != pid)
		if (errno != EINTR)
			fail("wait");
	return WIFEXITED(st) ? WEXITSTATUS(st) : 124;
}

int main(int argc, char **argv)
{
	struct clone_args args;
	if (argc < 6)
		return 2;
	g_count = atoi(argv[1]);
	g_every = atoi(argv[2]);
	g_sockets = atoi(argv[3]);
	g_sleeper = argv[4];
	g_command = argv + 5;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memset(&args, 0, sizeof args);
	args.flags = CLONE_NEWPID | CLONE_NEWNS;
	args.exit_signal = SIGCHLD;
	long pid = syscall(SYS_clone3, &args, sizeof args);
	if (pid < 0)
		fail("clone3");
	if (pid == 0)
		_exit(init());
	int st = 0;
	if (waitpid((pid_t)pid, &st, 0) < 0)
		fail("wait");
	return WIFEXITED(st) ? WEXITSTATUS(st) : 124;
}
