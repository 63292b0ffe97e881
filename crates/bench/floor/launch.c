// launch.c - the floor of launching, as a command: one clone3 that shares the memory, the maps, the
// mounts, execve, and a wait. Nothing that does the same work in a process of its own can be faster.
//
//   launch [-k KINDS] [-r] [-P] [-d] PROGRAM [ARGUMENT...]
//
//   -k  letters of the kinds: U(ser) m(nt) p(id) n(et) u(ts) i(pc) C(group) T(ime); all by default
//   -r  maps the caller to root
//   -P  makes the mounts private and mounts a new proc
//   -d  program and launcher die with whoever started this
#include "sys.h"
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/prctl.h>
#include <signal.h>

static char **g_argv, **g_envp;
static int g_map, g_proc, g_die;
static char g_uid_map[32], g_gid_map[32];

static int put(const char *path, const char *text)
{
	long fd = SC3(SYS_open, path, O_WRONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	long n = SC3(SYS_write, fd, text, length(text));
	SC1(SYS_close, fd);
	return n < 0 ? -1 : 0;
}

__attribute__((noreturn)) static void child(void)
{
	if (g_die)
		SC2(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
	if (g_map && (put("/proc/self/setgroups", "deny") || put("/proc/self/gid_map", g_gid_map) ||
		      put("/proc/self/uid_map", g_uid_map)))
		quit(126);
	if (g_proc && (SC5(SYS_mount, "none", "/", 0, MS_REC | MS_PRIVATE, 0) ||
		       SC5(SYS_mount, "proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0)))
		quit(125);
	SC3(SYS_execve, g_argv[0], g_argv, g_envp);
	quit(127);
}

// "0 ID 1": the only map that a process may write for itself without privilege.
static void root_map(char *to, long id)
{
	*to++ = '0';
	*to++ = ' ';
	to = decimal(to, (uint64_t)id);
	*to++ = ' ';
	*to++ = '1';
	*to = 0;
}

static uint64_t kinds_of(const char *p)
{
	uint64_t f = 0;
	for (; *p; p++)
		switch (*p) {
		case 'U': f |= CLONE_NEWUSER; break;
		case 'm': f |= CLONE_NEWNS; break;
		case 'p': f |= CLONE_NEWPID; break;
		case 'n': f |= CLONE_NEWNET; break;
		case 'u': f |= CLONE_NEWUTS; break;
		case 'i': f |= CLONE_NEWIPC; break;
		case 'C': f |= CLONE_NEWCGROUP; break;
		case 'T': f |= CLONE_NEWTIME; break;
		default: quit(2);
		}
	return f;
}

static char stack[16384] __attribute__((aligned(16)));
static struct clone_args args;

__attribute__((noreturn, used)) void main_(long *sp)
{
	long argc = sp[0];
	char **argv = (char **)(sp + 1);
	uint64_t kinds = ALL_KINDS;
	int i = 1;
	g_envp = argv + argc + 1;
	for (; i < argc && argv[i][0] == '-'; i++)
		switch (argv[i][1]) {
		case 'r': g_map = 1; break;
		case 'P': g_proc = 1; break;
		case 'd': g_die = 1; break;
		case 'k':
			if (++i < argc)
				kinds = kinds_of(argv[i]);
			break;
		default: quit(2);
		}
	if (i >= argc)
		quit(2);
	g_argv = argv + i;
	if (g_die)
		SC2(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
	if (g_map) {
		root_map(g_uid_map, SC0(SYS_geteuid));
		root_map(g_gid_map, SC0(SYS_getegid));
	}
	args.flags = kinds | CLONE_VM | CLONE_VFORK;
	args.exit_signal = SIGCHLD;
	args.stack = (uint64_t)(uintptr_t)stack;
	args.stack_size = sizeof stack;
	long pid = clone3_call(&args, child);
	quit(pid < 0 ? 124 : wait_for(pid));
}
ENTRY(main_);
