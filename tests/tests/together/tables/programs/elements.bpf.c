/* Maps whose keys and values have members of every kind. */

enum color { COLOR_RED, COLOR_BLUE = 7, COLOR_NONE = -2 };
enum small { SMALL_ONE = 1, SMALL_TWO } __attribute__((packed));

struct end {
	u16 port;
	signed char delta;
};

struct key {
	u32 id;
	u16 zone;
	char tag[2];
};

typedef const volatile struct end fixed_end;

struct value {
	u64 count;
	s64 balance;
	_Bool yes;
	signed char tiny;
	char name[14];
	enum color color;
	enum small small;
	struct end end;
	fixed_end pair[2];
	u32 grid[2][3];
	union {
		u32 word;
		u8 bytes[4];
	} either;
	struct {
		s32 inner;
		union {
			u32 one;
			s32 other;
		};
	};
	u32 low : 3;
	s32 high : 5;
	u64 far : 40;
	_Bool flag : 1;
	enum color hue : 5;
	char lines[2][8];
	void *pointer;
	__int128 huge;
};

MAP(in_hash, HASH, struct key, struct value, 8);
MAP(in_array, ARRAY, u32, struct value, 3);
MAP(in_cpu_hash, PERCPU_HASH, struct key, struct value, 8);
MAP(in_cpu_array, PERCPU_ARRAY, u32, struct value, 3);
MAP(in_lru_hash, LRU_HASH, struct key, struct value, 8);
MAP(in_lru_cpu_hash, LRU_PERCPU_HASH, struct key, struct value, 8);
MAP(in_numbers, HASH, u64, s32, 8);

MAP(in_many, HASH, u32, u64, 5000);

struct fractions {
	float shorter;
	double longer;
};
MAP(in_fractions, ARRAY, u32, struct fractions, 4);

enum state { STATE_OFF, STATE_ON };
MAP(in_states, ARRAY, u32, enum state, 3);

struct wide {
	u32 few[4];
	u32 many[2000];
	struct end ends[600];
};
MAP(in_wide, ARRAY, u32, struct wide, 1);

struct long_value {
	u32 first;
	u8 middle[40000];
	u32 last;
};
MAP(in_long, HASH, u32, struct long_value, 4);
MAP(in_long_cpu, PERCPU_ARRAY, u32, struct { u32 first; u8 middle[20000]; u32 last; }, 2);

/* The kernel's own members of a value. */
struct bpf_spin_lock {
	u32 val;
};
struct bpf_timer {
	u64 opaque[2];
} __attribute__((aligned(8)));
struct guarded {
	u32 before;
	struct bpf_spin_lock lock;
	struct bpf_timer timer;
	u32 after;
};
MAP(in_guarded, ARRAY, u32, struct guarded, 1);

/* Global variables. */
volatile s32 changed = -5;
volatile struct end nested = { .port = 8080, .delta = -1 };
volatile const char greeting[12] = "hello";
volatile const u64 fixed = 1ULL << 40;
volatile u32 zeroed[3];

SEC("socket")
int use(void *context)
{
	return changed + nested.port + greeting[0] + fixed + zeroed[1];
}

char LICENSE[] SEC("license") = "GPL";
