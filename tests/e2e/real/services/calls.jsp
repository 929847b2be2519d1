<%-- SPDX-License-Identifier: GPL-2.0-or-later --%>
<%-- Three calls downstream, one after the other; HttpURLConnection blocks and keeps its connections alive. --%>
<%@ page contentType="text/plain" session="false" %><%
	for (int i = 0; i < 3; i++) {
		var call = (java.net.HttpURLConnection) new java.net.URL(System.getenv("DOWNSTREAM")).openConnection();
		try (var body = call.getInputStream()) {
			body.readAllBytes();
		}
	}
%>done
