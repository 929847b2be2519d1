<?php
/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CALLS turns with the downstream in sequence, on one connection that ends with the request, as curl in PHP has it. */
function burn(int $rounds): int
{
	$digest = 0;
	for ($i = 0; $i < $rounds; $i++)
		$digest = ($digest * 31 + $i) & 0xFFFFFFFF;
	return $digest;
}

$calls = (int)getenv("CALLS");
$burst = intdiv((int)getenv("ROUNDS"), $calls + 1);
$curl = curl_init(getenv("URL"));
curl_setopt($curl, CURLOPT_RETURNTRANSFER, true);
for ($i = 0; $i < $calls; $i++) {
	burn($burst);
	curl_exec($curl);
}
burn($burst);
header("Content-Type: application/json");
echo json_encode(["message" => "Hello, World!"]);
