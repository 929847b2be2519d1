<?php
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Three queries of 5 ms each over a connection the worker keeps from request to request. */
$connection = pg_pconnect(getenv("DATABASE"));
for ($i = 0; $i < 3; $i++)
	pg_query($connection, "select pg_sleep(0.005)");
header("Content-Type: text/plain");
echo "done\n";
