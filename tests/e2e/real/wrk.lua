-- SPDX-License-Identifier: GPL-2.0-or-later
-- Prints what wrk measured, unrounded: one line of totals, then each latency (us) and how often it was seen.
done = function(summary, latency)
	local errors = 0
	for _, n in pairs(summary.errors) do
		errors = errors + n
	end
	io.write(string.format("TOTALS %d %d %d\n", summary.requests, summary.duration, errors))
	for i = 1, #latency do
		io.write(string.format("LATENCY %d %d\n", latency(i)))
	end
end
