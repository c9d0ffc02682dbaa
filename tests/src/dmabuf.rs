//! A DMA buffer of a test's own.

use crate::workload::Workload;
use std::path::Path;
use std::process::Command;

/// Makes a buffer of a sealed memfd; says what it made, and waits.
const MAKE: &str = "
import fcntl, json, os, struct, sys
memory = os.memfd_create('backing', os.MFD_ALLOW_SEALING)
os.truncate(memory, 8192)
fcntl.fcntl(memory, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
buffer = fcntl.ioctl(os.open('/dev/udmabuf', os.O_RDWR), 0x40187542, struct.pack('IIQQ', memory, 1, 0, 8192))
print(json.dumps({'inode': os.fstat(buffer).st_ino}), flush=True)
sys.stdin.read()
";

/// A process that has a buffer of 8192 bytes; its `inode` is a fact. None on a
/// kernel without a way to make one from memory.
pub fn buffer() -> Option<Workload> {
    Path::new("/dev/udmabuf").exists().then(|| {
        let mut command = Command::new("python3");
        command.args(["-c", MAKE]);
        Workload::from_command(command)
    })
}
