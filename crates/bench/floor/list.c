// list.c - the floor of listing, as a command: the eight links of every process, every open descriptor
// (a namespace may be held by one alone), and for one process of each namespace its owner and command.
// readlink is the cheapest question: it makes no inode, as stat would. One line a namespace.
#include "sys.h"
#include <fcntl.h>
#include <linux/stat.h>

#define NKINDS 8
static const char *const kinds[NKINDS] = { "mnt", "net", "pid", "uts", "ipc", "user", "cgroup", "time" };

#define SLOTS (1u << 16)
static struct entry { uint64_t ino; uint32_t kind, processes, pid; } table[SLOTS];
static uint32_t used;

static void add(uint32_t kind, uint64_t ino, uint32_t pid)
{
	uint32_t h = (uint32_t)((ino * 0x9E3779B97F4A7C15ull) >> 40) & (SLOTS - 1);
	while (table[h].ino && (table[h].ino != ino || table[h].kind != kind))
		h = (h + 1) & (SLOTS - 1);
	struct entry *e = &table[h];
	if (!e->ino) {
		if (++used > SLOTS / 4 * 3)
			quit(3);
		e->ino = ino;
		e->kind = kind;
		e->pid = pid;
	}
	e->processes++;
}

static char *append(char *p, const char *s)
{
	while (*s)
		*p++ = *s++;
	*p = 0;
	return p;
}

// The inode number in "KIND:[NUMBER]", 0 for any other text.
static uint64_t inode(const char *s, long n)
{
	for (long i = 0; i + 2 < n; i++)
		if (s[i] == ':')
			return s[i + 1] == '[' ? number(s + i + 2) : 0;
	return 0;
}

static void descriptor(int fds, const char *name, uint32_t pid)
{
	char to[64];
	long n = SC4(SYS_readlinkat, fds, name, to, sizeof to - 1);
	if (n <= 0 || n >= (long)sizeof to - 1)
		return;
	to[n] = 0;
	uint64_t ino = inode(to, n);
	for (uint32_t k = 0; ino && k < NKINDS; k++) {
		size_t i = 0;
		while (kinds[k][i] && kinds[k][i] == to[i])
			i++;
		if (!kinds[k][i] && to[i] == ':')
			add(k, ino, pid);
	}
}

struct dirent64 { uint64_t ino; int64_t off; unsigned short len; unsigned char type; char name[]; };

static void each(int dir, char *buf, size_t size, void (*fn)(int, const char *, uint32_t), uint32_t arg)
{
	for (;;) {
		long n = SC3(SYS_getdents64, dir, buf, size);
		if (n <= 0)
			return;
		for (long o = 0; o < n; o += ((struct dirent64 *)(buf + o))->len) {
			const char *name = ((struct dirent64 *)(buf + o))->name;
			if (*name >= '0' && *name <= '9')
				fn(dir, name, arg);
		}
	}
}

static void process(int proc, const char *name, uint32_t unused)
{
	static char buf[1 << 15];
	char path[48], to[64];
	uint32_t pid = (uint32_t)number(name);
	(void)unused;
	char *ns = append(append(path, name), "/ns/");
	for (uint32_t k = 0; k < NKINDS; k++) {
		append(ns, kinds[k]);
		long n = SC4(SYS_readlinkat, proc, path, to, sizeof to - 1);
		if (n <= 0)
			return;
		to[n] = 0;
		add(k, inode(to, n), pid);
	}
	append(append(path, name), "/fd");
	long fds = SC3(SYS_openat, proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fds < 0)
		return;
	each((int)fds, buf, sizeof buf, descriptor, pid);
	SC1(SYS_close, fds);
}

static void print(int proc, const struct entry *e)
{
	static char line[4096 + 128];
	char path[48];
	struct statx st;
	*decimal(path, e->pid) = 0;
	char *end = path + length(path);
	st.stx_uid = 0;
	SC5(SYS_statx, proc, path, 0, STATX_UID, &st);
	append(end, "/cmdline");
	char *p = decimal(line, e->ino);
	p = append(append(append(p, " "), kinds[e->kind]), " ");
	p = append(decimal(p, e->processes), " ");
	p = append(decimal(p, e->pid), " ");
	p = append(decimal(p, st.stx_uid), " ");
	long fd = SC3(SYS_openat, proc, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		long n = SC3(SYS_read, fd, p, 4096);
		SC1(SYS_close, fd);
		p += n > 0 ? n : 0;
	}
	*p++ = '\n';
	SC3(SYS_write, 1, line, p - line);
}

__attribute__((noreturn, used)) void main_(long *sp)
{
	static char buf[1 << 15];
	(void)sp;
	long proc = SC3(SYS_open, "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (proc < 0)
		quit(1);
	each((int)proc, buf, sizeof buf, process, 0);
	for (uint32_t i = 0; i < SLOTS; i++)
		if (table[i].ino)
			print((int)proc, &table[i]);
	quit(0);
}
ENTRY(main_);
