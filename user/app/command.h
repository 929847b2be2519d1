/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands. Each takes its arguments, its name first, and returns an enum exit_status. */
#ifndef IOPROF_APP_COMMAND_H
#define IOPROF_APP_COMMAND_H

/* "ioprof -p PID": observes services and reports. */
int observe_run(int argc, char **argv);

/* "ioprof doctor": what this kernel and this user allow. */
int doctor_run(int argc, char **argv);

/* "ioprof export": observes services and feeds monitoring. */
int export_run(int argc, char **argv);

/* "ioprof calibrate": what runtimes, servers and client libraries cost on this machine. */
int calibrate_run(int argc, char **argv);

/* "ioprof record -o FILE": observes services and writes what it sees to a file. */
int record_run(int argc, char **argv);

/* "ioprof report FILE...": what recordings come to. */
int report_run(int argc, char **argv);

/* "ioprof diff BEFORE AFTER": what changed between two recordings. */
int diff_run(int argc, char **argv);

/* "ioprof top FILE": the dashboard on a recording. */
int top_run(int argc, char **argv);

#endif
