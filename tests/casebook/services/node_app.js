// SPDX-License-Identifier: GPL-2.0-or-later
// The twin on Node: CALLS turns with the downstream in sequence on kept connections. PORT, CALLS, ROUNDS, URL.
"use strict";

const http = require("http");

const calls = Number(process.env.CALLS);
const burst = Math.floor(Number(process.env.ROUNDS) / (calls + 1));
const agent = new http.Agent({ keepAlive: true });

function burn(rounds) {
	let digest = 0;
	for (let i = 0; i < rounds; i++)
		digest = (digest * 31 + i) >>> 0;
	return digest;
}

function call() {
	return new Promise((resolve, reject) => {
		http.get(process.env.URL, { agent }, (response) => {
			response.resume();
			response.on("end", resolve);
		}).on("error", reject);
	});
}

http.createServer(async (request, response) => {
	for (let i = 0; i < calls; i++) {
		burn(burst);
		await call();
	}
	burn(burst);
	response.setHeader("Content-Type", "application/json");
	response.end(JSON.stringify({ message: "Hello, World!" }));
}).listen(Number(process.env.PORT), "127.0.0.1");
