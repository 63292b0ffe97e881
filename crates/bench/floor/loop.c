// loop.c - the floor of launching from within a process: clone3 with shared memory, execve, wait; nothing
// is prepared, checked or reported. It serves orders, so that its blocks can be timed in turn with others':
// each line "COUNT FLAGS MAP" on standard input is answered by one line, the nanoseconds of the whole
// block and of each launch. With MAP the parent writes the id maps while the child waits on a futex.
//
//   loop PROGRAM
#define _GNU_SOURCE
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static char *g_argv[2], *g_envp[1];
static char stack[65536] __attribute__((aligned(16)));
static volatile uint32_t g_go;

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "loop: %s: %s\n", what, strerror(errno));
	exit(1);
}

__attribute__((noreturn)) static void child(void)
{
	while (!g_go)
		SC4(SYS_futex, &g_go, FUTEX_WAIT, 0, 0);
	SC3(SYS_execve, g_argv[0], g_argv, g_envp);
	quit(127);
}

static void write_map(long pid, const char *file)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%ld/%s", pid, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0 0 1000", 8) != 8)
		fail(path);
	close(fd);
}

static void launch(uint64_t flags, int map)
{
	struct clone_args args;
	memset(&args, 0, sizeof args);
	g_go = !map;
	// A suspended parent could not write the maps.
	args.flags = flags | CLONE_VM | (map ? 0 : CLONE_VFORK);
	args.exit_signal = SIGCHLD;
	args.stack = (uint64_t)(uintptr_t)stack;
	args.stack_size = sizeof stack;
	long pid = clone3_call(&args, child);
	if (pid < 0) {
		errno = (int)-pid;
		fail("clone3");
	}
	if (map) {
		write_map(pid, "gid_map");
		write_map(pid, "uid_map");
		g_go = 1;
		SC3(SYS_futex, &g_go, FUTEX_WAKE, 1);
	}
	if (wait_for(pid))
		fail("the program failed");
}

int main(int argc, char **argv)
{
	char line[128];
	if (argc != 2)
		return 2;
	g_argv[0] = argv[1];
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (fgets(line, sizeof line, stdin)) {
		uint64_t flags;
		int count, map;
		if (sscanf(line, "%d %" SCNu64 " %d", &count, &flags, &map) != 3 || count < 1)
			return 2;
		uint64_t *took = calloc((size_t)count, sizeof *took);
		if (!took)
			fail("calloc");
		uint64_t start = now(), before = start;
		for (int i = 0; i < count; i++) {
			launch(flags, map);
			uint64_t after = now();
			took[i] = after - before;
			before = after;
		}
		printf("%" PRIu64, before - start);
		for (int i = 0; i < count; i++)
			printf(" %" PRIu64, took[i]);
		putchar('\n');
		fflush(stdout);
		free(took);
	}
	return 0;
}
