/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The C library knows this architecture's system call numbers; the kernel side only indexes a
 * table. A call that an architecture lacks is left out by its #ifdef, so a new architecture needs
 * no line here.
 */
#include "probe/syscalls.h"

#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>

struct entry {
	int number;
	unsigned char value;
};

static const struct entry KINDS[] = {
#ifdef SYS_read
	{SYS_read, IOP_KIND_FILE},
#endif
#ifdef SYS_readv
	{SYS_readv, IOP_KIND_FILE},
#endif
#ifdef SYS_write
	{SYS_write, IOP_KIND_FILE},
#endif
#ifdef SYS_writev
	{SYS_writev, IOP_KIND_FILE},
#endif
#ifdef SYS_sendfile
	{SYS_sendfile, IOP_KIND_FILE},
#endif
#ifdef SYS_splice
	{SYS_splice, IOP_KIND_FILE},
#endif
#ifdef SYS_pread64
	{SYS_pread64, IOP_KIND_DISK},
#endif
#ifdef SYS_preadv
	{SYS_preadv, IOP_KIND_DISK},
#endif
#ifdef SYS_preadv2
	{SYS_preadv2, IOP_KIND_FILE},
#endif
#ifdef SYS_pwrite64
	{SYS_pwrite64, IOP_KIND_DISK},
#endif
#ifdef SYS_pwritev
	{SYS_pwritev, IOP_KIND_DISK},
#endif
#ifdef SYS_pwritev2
	{SYS_pwritev2, IOP_KIND_FILE},
#endif
#ifdef SYS_fsync
	{SYS_fsync, IOP_KIND_DISK},
#endif
#ifdef SYS_fdatasync
	{SYS_fdatasync, IOP_KIND_DISK},
#endif
#ifdef SYS_sync_file_range
	{SYS_sync_file_range, IOP_KIND_DISK},
#endif
#ifdef SYS_syncfs
	{SYS_syncfs, IOP_KIND_DISK},
#endif
#ifdef SYS_msync
	{SYS_msync, IOP_KIND_DISK},
#endif
#ifdef SYS_fallocate
	{SYS_fallocate, IOP_KIND_DISK},
#endif
#ifdef SYS_ftruncate
	{SYS_ftruncate, IOP_KIND_DISK},
#endif
#ifdef SYS_open
	{SYS_open, IOP_KIND_DISK},
#endif
#ifdef SYS_openat
	{SYS_openat, IOP_KIND_DISK},
#endif
#ifdef SYS_stat
	{SYS_stat, IOP_KIND_DISK},
#endif
#ifdef SYS_newfstatat
	{SYS_newfstatat, IOP_KIND_DISK},
#endif
#ifdef SYS_statx
	{SYS_statx, IOP_KIND_DISK},
#endif
#ifdef SYS_unlink
	{SYS_unlink, IOP_KIND_DISK},
#endif
#ifdef SYS_unlinkat
	{SYS_unlinkat, IOP_KIND_DISK},
#endif
#ifdef SYS_rename
	{SYS_rename, IOP_KIND_DISK},
#endif
#ifdef SYS_renameat
	{SYS_renameat, IOP_KIND_DISK},
#endif
#ifdef SYS_renameat2
	{SYS_renameat2, IOP_KIND_DISK},
#endif
#ifdef SYS_getdents64
	{SYS_getdents64, IOP_KIND_DISK},
#endif
#ifdef SYS_io_getevents
	{SYS_io_getevents, IOP_KIND_DISK},
#endif
#ifdef SYS_io_pgetevents
	{SYS_io_pgetevents, IOP_KIND_DISK},
#endif
#ifdef SYS_recvfrom
	{SYS_recvfrom, IOP_KIND_SOCKET},
#endif
#ifdef SYS_recvmsg
	{SYS_recvmsg, IOP_KIND_SOCKET},
#endif
#ifdef SYS_recvmmsg
	{SYS_recvmmsg, IOP_KIND_SOCKET},
#endif
#ifdef SYS_sendto
	{SYS_sendto, IOP_KIND_SOCKET},
#endif
#ifdef SYS_sendmsg
	{SYS_sendmsg, IOP_KIND_SOCKET},
#endif
#ifdef SYS_sendmmsg
	{SYS_sendmmsg, IOP_KIND_SOCKET},
#endif
#ifdef SYS_connect
	{SYS_connect, IOP_KIND_SOCKET},
#endif
#ifdef SYS_accept
	{SYS_accept, IOP_KIND_ACCEPT},
#endif
#ifdef SYS_accept4
	{SYS_accept4, IOP_KIND_ACCEPT},
#endif
#ifdef SYS_epoll_wait
	{SYS_epoll_wait, IOP_KIND_EPOLL},
#endif
#ifdef SYS_epoll_pwait
	{SYS_epoll_pwait, IOP_KIND_EPOLL},
#endif
#ifdef SYS_epoll_pwait2
	{SYS_epoll_pwait2, IOP_KIND_EPOLL_NO_MS},
#endif
#ifdef SYS_io_uring_enter
	{SYS_io_uring_enter, IOP_KIND_EPOLL_NO_MS},
#endif
#ifdef SYS_poll
	{SYS_poll, IOP_KIND_POLL},
#endif
#ifdef SYS_ppoll
	{SYS_ppoll, IOP_KIND_PPOLL},
#endif
#ifdef SYS_select
	{SYS_select, IOP_KIND_SELECT},
#endif
#ifdef SYS_pselect6
	{SYS_pselect6, IOP_KIND_SELECT},
#endif
#ifdef SYS_futex
	{SYS_futex, IOP_KIND_FUTEX},
#endif
#ifdef SYS_nanosleep
	{SYS_nanosleep, IOP_KIND_SLEEP},
#endif
#ifdef SYS_clock_nanosleep
	{SYS_clock_nanosleep, IOP_KIND_SLEEP},
#endif
#ifdef SYS_wait4
	{SYS_wait4, IOP_KIND_CHILD},
#endif
#ifdef SYS_waitid
	{SYS_waitid, IOP_KIND_CHILD},
#endif
#ifdef SYS_vfork
	{SYS_vfork, IOP_KIND_CHILD},
#endif
#ifdef SYS_clone
	{SYS_clone, IOP_KIND_CHILD},
#endif
#ifdef SYS_clone3
	{SYS_clone3, IOP_KIND_CHILD},
#endif
#ifdef SYS_flock
	{SYS_flock, IOP_KIND_LOCK},
#endif
#ifdef SYS_fcntl
	{SYS_fcntl, IOP_KIND_LOCK},
#endif
#ifdef SYS_semop
	{SYS_semop, IOP_KIND_LOCK},
#endif
#ifdef SYS_semtimedop
	{SYS_semtimedop, IOP_KIND_LOCK},
#endif
#ifdef SYS_pause
	{SYS_pause, IOP_KIND_PAUSE},
#endif
#ifdef SYS_rt_sigsuspend
	{SYS_rt_sigsuspend, IOP_KIND_PAUSE},
#endif
#ifdef SYS_rt_sigtimedwait
	{SYS_rt_sigtimedwait, IOP_KIND_PAUSE},
#endif
};

static const struct entry MESSAGES[] = {
#ifdef SYS_read
	{SYS_read, IOP_RECEIVES},
#endif
#ifdef SYS_readv
	{SYS_readv, IOP_RECEIVES},
#endif
#ifdef SYS_recvfrom
	{SYS_recvfrom, IOP_RECEIVES_FLAGS},
#endif
#ifdef SYS_recvmsg
	{SYS_recvmsg, IOP_RECEIVES},
#endif
#ifdef SYS_write
	{SYS_write, IOP_SENDS},
#endif
#ifdef SYS_writev
	{SYS_writev, IOP_SENDS},
#endif
#ifdef SYS_sendto
	{SYS_sendto, IOP_SENDS},
#endif
#ifdef SYS_sendmsg
	{SYS_sendmsg, IOP_SENDS},
#endif
#ifdef SYS_sendfile
	{SYS_sendfile, IOP_SENDS},
#endif
};

static void fill(unsigned char *table, const struct entry *entries, size_t n)
{
	memset(table, 0, IOP_SYSCALLS);
	for (size_t i = 0; i < n; i++)
		table[entries[i].number] = entries[i].value;
}

void syscalls_fill_kinds(unsigned char *ret_kinds)
{
	fill(ret_kinds, KINDS, sizeof(KINDS) / sizeof(*KINDS));
}

void syscalls_fill_messages(unsigned char *ret_messages)
{
	fill(ret_messages, MESSAGES, sizeof(MESSAGES) / sizeof(*MESSAGES));
}
