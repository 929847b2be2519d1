/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Figures as people read them: three significant digits, the unit chosen for the value. What is
 * undefined (NAN) is "-".
 */
#ifndef IOPROF_REPORT_FIGURE_H
#define IOPROF_REPORT_FIGURE_H

#include <stdint.h>

/* Returned by value and short-lived: printf("%9s", figure_duration(s).text). */
struct figure {
	char text[32];
};

/* "850 ns", "14.9 us", "19.4 ms", "1.24 s", "0". */
struct figure figure_duration(double s);

/* "3.97", "0.125", "50,123"; nothing after the point from 100 on. */
struct figure figure_number(double x);

/* The same where there is little room: "437k", "2.41M" from 100,000 on. At most 6 characters below
 * 10^18. */
struct figure figure_short(double x);

/* "1,010". */
struct figure figure_count(uint64_t n);

/* "512 bytes", "45.0 MiB". */
struct figure figure_bytes(uint64_t n);

/* "49.7 %", "<0.1 %". */
struct figure figure_percent(double share);

#endif
