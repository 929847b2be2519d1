/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "probe/kernel.h"

#include <errno.h>
#include <string.h>

#include <bpf/btf.h>

#include "base/cleanup.h"

static void cleanup_btf(struct btf **btf)
{
	btf__free(*btf);
}

static bool has_function(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;
}

/* A tracepoint's type is that of its probes: btf_trace_NAME(void *, arguments...). */
static int tracepoint_arguments(const struct btf *btf, const char *name)
{
	const struct btf_type *type;
	int id;

	id = btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF);
	if (id < 0)
		return -1;
	type = btf__type_by_id(btf, btf__type_by_id(btf, (unsigned int)id)->type);
	if (type && btf_is_ptr(type))
		type = btf__type_by_id(btf, type->type);
	return type && btf_is_func_proto(type) ? btf_vlen(type) - 1 : -1;
}

/* The tracepoints' own bookkeeping tells how their probes are called. */
static bool has_member(const struct btf *btf, const char *of, const char *name)
{
	const struct btf_type *type;
	int id;

	id = btf__find_by_name_kind(btf, of, BTF_KIND_STRUCT);
	type = id < 0 ? NULL : btf__type_by_id(btf, (unsigned int)id);
	for (unsigned int i = 0; type && i < btf_vlen(type); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_members(type)[i].name_off), name))
			return true;
	return false;
}

int kernel_read(struct kernel *ret_kernel)
{
	_cleanup_(cleanup_btf) struct btf *btf = NULL;
	struct kernel k = {0};

	btf = btf__load_vmlinux_btf();
	if (!btf)
		return -errno;
	k.prev_state = tracepoint_arguments(btf, "btf_trace_sched_switch") >= 4;
	k.task_storage = has_function(btf, "bpf_task_storage_get");
	k.socket_storage = has_function(btf, "bpf_sk_storage_tracing_allowed");
	k.task_pt_regs = has_function(btf, "bpf_task_pt_regs");
	k.message_events = tracepoint_arguments(btf, "btf_trace_sock_recv_length") >= 3 &&
			   tracepoint_arguments(btf, "btf_trace_sock_send_length") >= 3;
	k.preemptible_events = has_member(btf, "tp_transition_snapshot", "srcu_gp") &&
			       has_function(btf, "bpf_preempt_disable");
	k.readable_event = tracepoint_arguments(btf, "btf_trace_sk_data_ready") >= 1;
	k.inet_operations = has_function(btf, "inet_recvmsg") && has_function(btf, "inet6_recvmsg");
	k.unix_operations = has_function(btf, "unix_stream_recvmsg");
	k.inet_sendpage = has_function(btf, "inet_sendpage");
	*ret_kernel = k;
	return 0;
}
