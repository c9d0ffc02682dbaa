/* Declares the maps of the tests, as libbpf's bpf_helpers.h does. */
#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value) *name

/* include/uapi/linux/bpf.h, enum bpf_map_type */
#define HASH 1
#define ARRAY 2
#define PERCPU_HASH 5
#define PERCPU_ARRAY 6
#define LRU_HASH 9
#define LRU_PERCPU_HASH 10
#define SK_STORAGE 24
#define NO_PREALLOC 1

#define MAP(name, kind, key_type, value_type, entries)                                             \
	struct {                                                                                   \
		__uint(type, kind);                                                                \
		__uint(max_entries, entries);                                                      \
		__type(key, key_type);                                                             \
		__type(value, value_type);                                                         \
	} name SEC(".maps")

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef int s32;
typedef long long s64;
