/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "app/token.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

static int check_file(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_last();
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_mode & (S_IRWXG | S_IRWXO) || (st.st_uid != 0 && st.st_uid != geteuid()))
		return -EPERM;
	return 0;
}

int token_read(const char *path, char **ret_token)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[TOKEN_BYTES_MAX + 2];
	ssize_t n;
	int r;

	if (fd < 0)
		return error_last();
	r = check_file(fd);
	if (r < 0)
		return r;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return error_last();
	text[n] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
	n = (ssize_t)strlen(text);
	if (n < TOKEN_BYTES_MIN || n > TOKEN_BYTES_MAX)
		return -EBADMSG;
	for (const char *c = text; *c; c++) {
		if (*c <= ' ' || *c > '~')
			return -EBADMSG;
	}
	*ret_token = strdup(text);
	return *ret_token ? 0 : -ENOMEM;
}

const char *token_explain(int error)
{
	switch (error) {
	case -EINVAL:
		return "it is not a regular file: write the token into one";
	case -ELOOP:
		return "it is a symbolic link: name the file itself";
	case -EPERM:
		return "it is not its owner's alone: 'chmod 600' it, owned by root or the user who runs ioprof";
	case -EBADMSG:
		return "its first line is no token: use 16 to 512 visible characters, as 'openssl rand -hex 32' gives";
	default:
		return strerror(-error);
	}
}

bool token_equal(const char *token, const char *shown)
{
	size_t length = strlen(token), n = strlen(shown);
	volatile unsigned char difference = length != n;

	/* As many steps whatever is shown; the token's own length is no secret. */
	for (size_t i = 0; i < length; i++)
		difference = difference | (unsigned char)(token[i] ^ shown[n ? i % n : 0]);
	return difference == 0;
}
