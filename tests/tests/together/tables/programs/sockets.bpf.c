/* Maps that store values with sockets. */

struct note {
	u64 number;
	char text[8];
	u16 pair[2];
};

struct {
	__uint(type, SK_STORAGE);
	__uint(map_flags, NO_PREALLOC);
	__type(key, int);
	__type(value, struct note);
} notes SEC(".maps");

struct novel {
	u8 bytes[40000];
};

struct {
	__uint(type, SK_STORAGE);
	__uint(map_flags, NO_PREALLOC);
	__type(key, int);
	__type(value, struct novel);
} novels SEC(".maps");

char LICENSE[] SEC("license") = "GPL";
