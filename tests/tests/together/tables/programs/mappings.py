# Creates memory mappings of every kind, reports them on standard output, and waits.
import ctypes, json, mmap, os, socket, struct, sys, threading

directory, pages = os.fsencode(sys.argv[1]), int(sys.argv[2])
PAGE = mmap.PAGESIZE
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = libc.shmat.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
kept = []


def must(result):
    if result in (-1, None, 2**64 - 1):
        raise OSError(ctypes.get_errno(), "refused")
    return result


def file(name, size=4 * PAGE):
    fd = os.open(os.path.join(directory, name), os.O_RDWR | os.O_CREAT, 0o600)
    os.truncate(fd, size)
    return fd


def keep(fd, size, flags, prot, offset=0):
    kept.append(mmap.mmap(fd, size, flags=flags, prot=prot, offset=offset))


READ, WRITE, EXEC = mmap.PROT_READ, mmap.PROT_WRITE, mmap.PROT_EXEC
keep(file(b"shared"), PAGE, mmap.MAP_SHARED, READ | WRITE)
keep(file(b"shared"), PAGE, mmap.MAP_SHARED, READ, 2 * PAGE)
keep(file(b"private"), 3 * PAGE, mmap.MAP_PRIVATE, READ | EXEC, PAGE)
keep(file(b"a b\nc\xff \\ d"), PAGE, mmap.MAP_PRIVATE, READ | WRITE)
gone = file(b"gone")
keep(gone, PAGE, mmap.MAP_SHARED, READ)
os.unlink(os.path.join(directory, b"gone"))
keep(-1, 5 * PAGE, mmap.MAP_SHARED, READ | WRITE)
keep(-1, 7 * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, READ | WRITE)
memory = os.memfd_create("a name")
os.truncate(memory, PAGE)
keep(memory, PAGE, mmap.MAP_SHARED, READ | WRITE)

segment = must(libc.shmget(0, PAGE, 0o1600))
must(libc.shmat(segment, None, 0))
must(libc.shmctl(segment, 0, None))

named = must(libc.mmap(None, 2 * PAGE, READ | WRITE, 0x22, -1, 0))
PR_SET_VMA, PR_SET_VMA_ANON_NAME = 0x53564D41, 0
libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 2 + [ctypes.c_ulong, ctypes.c_char_p]
refused = libc.prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, named, 2 * PAGE, b"given name")

# A packet ring: the mapping's file has a name but no path.
packets = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
packets.setsockopt(263, 5, struct.pack("IIII", PAGE, 1, 2048, 2))
keep(packets.fileno(), PAGE, mmap.MAP_SHARED, READ | WRITE)

threading.Thread(target=threading.Event().wait, daemon=True).start()

# Neighbouring mappings with different permissions do not merge: one mapping per page.
if pages:
    base = must(libc.mmap(None, pages * PAGE, READ, 0x22, -1, 0))
    libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    for page in range(0, pages, 2):
        must(libc.mprotect(base + page * PAGE, PAGE, READ | WRITE))

print(json.dumps({"pid": os.getpid(), "named": refused == 0}), flush=True)
sys.stdin.read()
