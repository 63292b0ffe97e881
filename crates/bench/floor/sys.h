// sys.h - raw system calls, for programs that shall measure the kernel and not the start-up of a libc.
#ifndef FLOOR_SYS_H
#define FLOOR_SYS_H
#ifndef __x86_64__
#error "the floor programs know the system calls of x86-64 only"
#endif
#include <linux/sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#define ALL_KINDS (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | \
		   CLONE_NEWCGROUP | CLONE_NEWTIME)

static inline long sc(long n, long a, long b, long c, long d, long e)
{
	long r;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	__asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
	return r;
}
#define SC0(n) sc(n, 0, 0, 0, 0, 0)
#define SC1(n, a) sc(n, (long)(a), 0, 0, 0, 0)
#define SC2(n, a, b) sc(n, (long)(a), (long)(b), 0, 0, 0)
#define SC3(n, a, b, c) sc(n, (long)(a), (long)(b), (long)(c), 0, 0)
#define SC4(n, a, b, c, d) sc(n, (long)(a), (long)(b), (long)(c), (long)(d), 0)
#define SC5(n, a, b, c, d, e) sc(n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))

// clone3 whose child runs fn, which must not return, on the stack that args names.
// The child may share the memory: it never comes back into this frame.
static inline long clone3_call(struct clone_args *args, void (*fn)(void))
{
	long r;
	__asm__ volatile("syscall\n\ttest %%rax, %%rax\n\tjnz 1f\n\txor %%ebp, %%ebp\n\tcall *%%rbx\n1:"
			 : "=a"(r)
			 : "a"(SYS_clone3), "D"(args), "S"(sizeof *args), "b"(fn)
			 : "rcx", "r11", "rdx", "r8", "r9", "r10", "memory");
	return r;
}

__attribute__((noreturn)) static inline void quit(int status)
{
	for (;;)
		SC1(SYS_exit_group, status);
}

static inline size_t length(const char *s)
{
	size_t n = 0;
	while (s[n])
		n++;
	return n;
}

// Writes v in decimal to p and says where it ends.
static inline char *decimal(char *p, uint64_t v)
{
	char b[20];
	int i = 0;
	do
		b[i++] = (char)('0' + v % 10);
	while (v /= 10);
	while (i)
		*p++ = b[--i];
	return p;
}

static inline uint64_t number(const char *s)
{
	uint64_t v = 0;
	while (*s >= '0' && *s <= '9')
		v = v * 10 + (uint64_t)(*s++ - '0');
	return v;
}

// Waits for a child and gives what a shell would: its status, or 128 and the signal.
static inline int wait_for(long pid)
{
	int st = 0;
	SC4(SYS_wait4, pid, &st, 0, 0);
	return (st & 0x7f) ? 128 + (st & 0x7f) : (st >> 8) & 0xff;
}

// Makes main_(stack) the entry point of a program without libc: stack[0] is argc, argv follows.
#define ENTRY(main_) __asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall " #main_ "\n")
#endif
