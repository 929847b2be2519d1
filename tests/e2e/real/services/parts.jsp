<%-- SPDX-License-Identifier: GPL-2.0-or-later --%>
<%-- Eight calls downstream by a pool that all requests share. --%>
<%@ page contentType="text/plain" session="false" import="java.util.ArrayList, java.util.concurrent.*" %><%!
	static final ExecutorService pool = Executors.newFixedThreadPool(8);

	static byte[] call() throws Exception {
		var call = (java.net.HttpURLConnection) new java.net.URL(System.getenv("DOWNSTREAM")).openConnection();
		try (var body = call.getInputStream()) {
			return body.readAllBytes();
		}
	}
%><%
	var parts = new ArrayList<Future<byte[]>>();
	for (int i = 0; i < 8; i++)
		parts.add(pool.submit(() -> call()));
	for (var part : parts)
		part.get();
%>done
