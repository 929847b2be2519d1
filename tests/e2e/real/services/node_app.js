// SPDX-License-Identifier: GPL-2.0-or-later
// A node service: three calls downstream, one after the other, over a keep-alive agent.
"use strict";

const http = require("http");

const agent = new http.Agent({ keepAlive: true });

function call() {
	return new Promise((resolve, reject) => {
		http.get(process.env.DOWNSTREAM, { agent }, (response) => {
			response.resume();
			response.on("end", resolve);
		}).on("error", reject);
	});
}

http.createServer(async (request, response) => {
	for (let i = 0; i < 3; i++)
		await call();
	response.end("done\n");
}).listen(Number(process.env.PORT), "127.0.0.1");
