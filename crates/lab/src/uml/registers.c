/* ptrace() for user-mode-linux on processors whose registers take more room than it was built for.
 *
 * Linux 6.1's user-mode-linux writes 2696 bytes of NT_X86_XSTATE. On a processor with AMX the set has 11008, and the
 * kernel refuses to write a part of it: the guest dies in put_fp_registers before its first process. Here the part is
 * laid over the whole that is there. A guest's processes know nothing of what lies beyond.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define SET_BYTES_MAX 65536

static long registers(enum __ptrace_request request, pid_t pid, void *kind, struct iovec *part)
{
	static char set[SET_BYTES_MAX];
	struct iovec whole = { set, sizeof(set) };
	size_t bytes;

	if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, kind, &whole) < 0)
		return -1;
	bytes = part->iov_len < whole.iov_len ? part->iov_len : whole.iov_len;
	if (request == PTRACE_SETREGSET) {
		memcpy(set, part->iov_base, bytes);
		return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, kind, &whole);
	}
	memcpy(part->iov_base, set, bytes);
	part->iov_len = bytes;
	return 0;
}

long ptrace(enum __ptrace_request request, ...)
{
	long peeked, done;
	va_list rest;
	pid_t pid;
	void *place, *data;

	va_start(rest, request);
	pid = va_arg(rest, pid_t);
	place = va_arg(rest, void *);
	data = va_arg(rest, void *);
	va_end(rest);
	switch (request) {
	case PTRACE_GETREGSET:
	case PTRACE_SETREGSET:
		if (place == (void *)(long)NT_X86_XSTATE)
			return registers(request, pid, place, data);
		return syscall(SYS_ptrace, request, pid, place, data);
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
	case PTRACE_PEEKUSER:
		/* As the library does it: the word is what is returned. */
		done = syscall(SYS_ptrace, request, pid, place, &peeked);
		if (done < 0)
			return -1;
		errno = 0;
		return peeked;
	default:
		return syscall(SYS_ptrace, request, pid, place, data);
	}
}
