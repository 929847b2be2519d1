/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose a file of Python is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "target/target.h"

static void test_code(void **state)
{
	static const struct {
		const char *path;
		enum target_code code;
	} files[] = {
		{"/srv/app/views.py", TARGET_CODE_APPLICATION},
		{"/srv/requests/api.py", TARGET_CODE_APPLICATION},
		{"app.py", TARGET_CODE_APPLICATION},
		{"<string>", TARGET_CODE_APPLICATION},
		{"/usr/bin/gunicorn", TARGET_CODE_APPLICATION},
		{"/usr/lib/python3/dist-packages/gunicorn/workers/sync.py", TARGET_CODE_SERVER},
		{"/srv/venv/lib/python3.11/site-packages/flask/app.py", TARGET_CODE_FRAMEWORK},
		{"/srv/venv/lib/python3.11/site-packages/bottle.py", TARGET_CODE_FRAMEWORK},
		{"/usr/lib/python3/dist-packages/urllib3/connection.py", TARGET_CODE_CLIENT},
		{"/usr/lib/python3/dist-packages/requests_oauthlib/x.py", TARGET_CODE_PACKAGE},
		{"/usr/lib/python3/dist-packages/sqlalchemy/orm/query.py", TARGET_CODE_PACKAGE},
		{"/usr/lib/python3.11/http/client.py", TARGET_CODE_CLIENT},
		{"/usr/lib/python3.11/socketserver.py", TARGET_CODE_SERVER},
		{"/usr/local/lib/python3.11/json/decoder.py", TARGET_CODE_LIBRARY},
		{"<frozen importlib._bootstrap>", TARGET_CODE_LIBRARY},
		{"__init__", TARGET_CODE_LIBRARY},
		{"", TARGET_CODE_UNKNOWN},
		{"\x01\x02", TARGET_CODE_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		assert_int_equal(target_python_code(files[i].path), files[i].code);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
