/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two processes: a keeper, which gives up its privileges, makes the folder, waits for the script,
 * ends what is left of it and removes the folder; and the script. The keeper ends both when its
 * parent does.
 */
#include "app/measurer.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app/output_file.h"
#include "base/cleanup.h"
#include "base/error.h"

#define FOLDER "/tmp/ioprof-calibrate-XXXXXX"
#define SCRIPT "measure.py"
#define NOBODY 65534
#define MOST_S 90
#define MOST_MEMORY (16ull << 30) /* of addresses: Node and Go reserve much more than they use */
#define MOST_FILE (64ull << 20)
#define MOST_LINE 1024
#define MOST_OUTPUT 65536
#define EXIT_NO_EXEC 127
#define OPEN_FOLDERS 16

extern const char calibrate_script[];

static bool parse_id(const char *text, uint32_t *ret_id)
{
	char *end;
	unsigned long id;

	if (!text || !*text || text[strspn(text, "0123456789")])
		return false;
	errno = 0;
	id = strtoul(text, &end, 10);
	if (errno || id == 0 || id >= UINT32_MAX)
		return false;
	*ret_id = (uint32_t)id;
	return true;
}

uid_t measurer_uid(void)
{
	const struct passwd *nobody;
	uint32_t uid;

	if (geteuid() != 0)
		return geteuid();
	if (parse_id(getenv("SUDO_UID"), &uid))
		return uid;
	nobody = getpwnam("nobody");
	return nobody ? nobody->pw_uid : NOBODY;
}

/* For good. */
static int give_up_privileges(void)
{
	uid_t uid = measurer_uid();
	const struct passwd *user = getpwuid(uid);
	gid_t gid = user ? user->pw_gid : NOBODY;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_last();
	if (geteuid() != 0)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return error_last();
	return geteuid() == 0 ? -EPERM : 0;
}

static void limit(__rlimit_resource_t resource, rlim_t most)
{
	struct rlimit now;

	if (getrlimit(resource, &now) < 0)
		return;
	if (now.rlim_max > most)
		now.rlim_max = most;
	now.rlim_cur = now.rlim_max;
	(void)setrlimit(resource, &now);
}

/* What the script is told of the world: no more than where programs are. */
static void run_script(const struct measurer_opts *opts, const char *folder, int output)
{
	char *argv[] = {"python3", "-B", SCRIPT, opts->quick ? "--quick" : NULL, NULL};
	_cleanup_free_ char *home = NULL;
	char *env[] = {"PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/go/bin", "LC_ALL=C.UTF-8",
		       "PYTHONDONTWRITEBYTECODE=1", NULL, NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	if (asprintf(&home, "HOME=%s", folder) < 0)
		_exit(EXIT_FAILURE);
	env[3] = home;
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, MOST_S);
	limit(RLIMIT_AS, MOST_MEMORY);
	limit(RLIMIT_FSIZE, MOST_FILE);
	/* What fails is left out; why, is of use only to who looks for it. */
	if (setpgid(0, 0) < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
	    (!getenv("IOPROF_DEBUG") && dup2(null, STDERR_FILENO) < 0))
		_exit(EXIT_FAILURE);
	(void)signal(SIGPIPE, SIG_DFL);
	/* Its servers are told to end by a signal that the keeper has blocked. */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)execve(opts->python, argv, env);
	_exit(EXIT_NO_EXEC);
}

static int write_script(void)
{
	_cleanup_close_ int fd = -1;
	int r = output_file_create(SCRIPT, OUTPUT_FILE_PRIVATE, &fd);

	return r ? r : output_file_write(fd, calibrate_script, strlen(calibrate_script));
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *place)
{
	(void)st;
	(void)flag;
	(void)place;
	/* What cannot be removed stays; the rest need not. */
	(void)remove(path);
	return 0;
}

static void remove_folder(const char *folder)
{
	(void)nftw(folder, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
}

/* Waits for the script; ends it when its time is up or the parent is gone. */
static enum measurer_end await(pid_t script)
{
	const struct timespec most = {.tv_sec = MOST_S};
	sigset_t signals;
	int status, sig;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGCHLD);
	(void)sigaddset(&signals, SIGTERM);
	do {
		sig = sigtimedwait(&signals, NULL, &most);
	} while (sig < 0 && errno == EINTR);
	/* Its own children are in its group. */
	if (sig != SIGCHLD)
		(void)kill(script, SIGKILL);
	while (waitpid(script, &status, 0) < 0 && errno == EINTR)
		;
	(void)kill(-script, SIGKILL);
	if (sig != SIGCHLD)
		return MEASURER_TOO_LONG;
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NO_EXEC)
		return MEASURER_NO_PYTHON;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? MEASURER_DONE : MEASURER_FAILED;
}

static enum measurer_end keep_folder(const struct measurer_opts *opts, int output)
{
	char folder[] = FOLDER;
	enum measurer_end end = MEASURER_FAILED;
	pid_t script;

	if (!mkdtemp(folder))
		return MEASURER_NO_FOLDER;
	if (chdir(folder) < 0 || write_script() < 0) {
		remove_folder(folder);
		return MEASURER_NO_FOLDER;
	}
	script = fork();
	if (script == 0)
		run_script(opts, folder, output);
	(void)close(output);
	if (script > 0)
		end = await(script);
	remove_folder(folder);
	return end;
}

/* The keeper. Its exit status is how the run ended. */
static void keep(const struct measurer_opts *opts, int output, pid_t parent)
{
	sigset_t signals;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGCHLD);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigprocmask(SIG_SETMASK, &signals, NULL);
	(void)umask(077);
	/* Out of reach of the terminal's Ctrl-C; the parent's end is told after privileges, which
	 * undo that. */
	(void)setsid();
	(void)unsetenv("SUDO_UID");
	if (give_up_privileges() < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0 ||
	    getppid() != parent)
		_exit(MEASURER_FAILED);
	_exit((int)keep_folder(opts, output));
}

static void take_lines(const struct measurer_opts *opts, FILE *from)
{
	char line[MOST_LINE];
	size_t total = 0;

	while (total < MOST_OUTPUT && fgets(line, sizeof(line), from)) {
		size_t len = strcspn(line, "\n");

		total += len + 1;
		opts->take(opts->ctx, line, len);
	}
}

int measurer_run(const struct measurer_opts *opts, enum measurer_end *ret_end)
{
	_cleanup_fclose_ FILE *from = NULL;
	_cleanup_close_ int output = -1;
	pid_t parent = getpid(), keeper;
	int ends[2], status;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_last();
	output = ends[1];
	from = fdopen(ends[0], "r");
	if (!from) {
		(void)close(ends[0]);
		return -ENOMEM;
	}
	keeper = fork();
	if (keeper < 0)
		return error_last();
	if (keeper == 0)
		keep(opts, output, parent);
	cleanup_close(&output);
	output = -1;
	take_lines(opts, from);
	/* If it says more than it should, this is its end. */
	cleanup_fclose(&from);
	from = NULL;
	while (waitpid(keeper, &status, 0) < 0) {
		if (errno != EINTR)
			return error_last();
	}
	*ret_end = WIFEXITED(status) && WEXITSTATUS(status) <= MEASURER_NO_FOLDER
			   ? (enum measurer_end)WEXITSTATUS(status)
			   : MEASURER_FAILED;
	return 0;
}
