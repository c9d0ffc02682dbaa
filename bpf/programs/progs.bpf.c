// SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
#include "lib/attach.h"
#include "lib/kernel/bpf.h"
#include "lib/kernel/iterators.h"
#include "lib/read.h"
#include "lib/row.h"
#include "lib/run_stats.h"

/* include/uapi/linux/bpf.h, enum bpf_prog_type, by the names that bpftool prints. */
enum program_type {
	program_type__unspec,
	program_type__socket_filter,
	program_type__kprobe,
	program_type__sched_cls,
	program_type__sched_act,
	program_type__tracepoint,
	program_type__xdp,
	program_type__perf_event,
	program_type__cgroup_skb,
	program_type__cgroup_sock,
	program_type__lwt_in,
	program_type__lwt_out,
	program_type__lwt_xmit,
	program_type__sock_ops,
	program_type__sk_skb,
	program_type__cgroup_device,
	program_type__sk_msg,
	program_type__raw_tracepoint,
	program_type__cgroup_sock_addr,
	program_type__lwt_seg6local,
	program_type__lirc_mode2,
	program_type__sk_reuseport,
	program_type__flow_dissector,
	program_type__cgroup_sysctl,
	program_type__raw_tracepoint_writable,
	program_type__cgroup_sockopt,
	program_type__tracing,
	program_type__struct_ops,
	program_type__ext,
	program_type__lsm,
	program_type__sk_lookup,
	program_type__syscall,
	program_type__netfilter,
};

#define INSTRUCTION_SIZE 8

struct ROW("a BPF program") program {
	u32 id KEY ABSENT(-1) DOC("id of the program");
	enum program_type type ABSENT(-1) DOC("type of program, as bpftool names it");
	char name[16] DOC("name that its loader gave it");
	hash_t tag ABSENT(-1) DOC("hash of its instructions");
	bool gpl ABSENT(-1) DOC("whether its licence is compatible with the GPL");
	enum attach_type attach ABSENT(-1) DOC("expected attach type, as bpftool names it");
	nanoseconds_t loaded ABSENT(-1) DOC("load time, since boot");
	u32 uid ABSENT(-1) DOC("user who loaded it");
	bytes_t translated ABSENT(-1) DOC("size of its instructions after verification");
	bytes_t jited ABSENT(-1) DOC("size of its machine code");
	pages_t memlock ABSENT(-1) DOC("memory used by its instructions");
	u32 maps ABSENT(-1) DOC("number of maps that it uses");
	u32 functions ABSENT(-1) DOC("number of its functions");
	u32 verified ABSENT(0) DOC("instructions that the verifier processed");
	u32 btf ABSENT(0) DOC("id of the BTF that describes it");
	u32 attach_btf ABSENT(0) DOC("BTF type id of the kernel function that it is attached to");
	nanoseconds_t run_time COUNTER ABSENT(-1)
		DOC("run time while kernel.bpf_stats_enabled was on");
	u64 runs COUNTER ABSENT(-1) DOC("number of runs while it was on");
};

/* Code of further functions is not counted. */
#define MAX_FUNCTIONS 256

/* The machine code of all functions; the program's own jited_len is that of the first. */
static __always_inline u64 jited_size(struct bpf_prog *prog)
{
	u64 size = 0;
	u32 count;

	if (!HAS(prog, jited_len) || !HAS(prog, aux, func_cnt) || !HAS(prog, aux, func))
		return -1;
	count = prog->aux->func_cnt;
	if (!count)
		return prog->jited_len;
	for (u32 i = 0; i < MAX_FUNCTIONS && i < count; i++) {
		struct bpf_prog *function;

		if (bpf_probe_read_kernel(&function, sizeof(function), prog->aux->func + i))
			break;
		size += READ(function, jited_len);
	}
	return size;
}

SEC("iter/bpf_prog")
int dump_progs(struct bpf_iter__bpf_prog *ctx)
{
	struct bpf_prog *prog = ctx->prog;
	struct seq_file *seq = begin_rows(ctx->meta, prog);
	struct question *question = current_question();
	struct run_stats stats = {};
	struct program row = {};

	if (!prog)
		return 0;

	SET(row.id, prog, aux, id);
	SET(row.type, prog, type);
	COPY_NAME(row.name, prog, aux, name);
	if (HAS(prog, tag))
		__builtin_memcpy(row.tag, prog->tag, sizeof(row.tag));
	else
		UNSET(row.tag);
	if (HAS(prog, gpl_compatible))
		row.gpl = BPF_CORE_READ_BITFIELD_PROBED(prog, gpl_compatible);
	else
		UNSET(row.gpl);
	SET(row.attach, prog, expected_attach_type);
	SET(row.loaded, prog, aux, load_time);
	/* Programs that root loaded early have no user_struct, which reads as 0. */
	SET(row.uid, prog, aux, user, uid.val);
	if (HAS(prog, len))
		row.translated = (u64)prog->len * INSTRUCTION_SIZE;
	else
		UNSET(row.translated);
	if (WANTS(question, &row, jited))
		row.jited = jited_size(prog);
	SET(row.memlock, prog, pages);
	SET(row.maps, prog, aux, used_map_cnt);
	SET(row.functions, prog, aux, func_cnt);
	if (!row.functions)
		row.functions = 1;
	row.verified = FIELD(prog, aux, verified_insns);
	row.btf = FIELD(prog, aux, btf, id);
	row.attach_btf = FIELD(prog, aux, attach_btf_id);
	if (WANTS_ANY(question, &row, run_time, runs))
		stats = run_stats_of(prog);
	row.run_time = stats.nanoseconds;
	row.runs = stats.runs;

	write_row(seq, &row, sizeof(row));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
