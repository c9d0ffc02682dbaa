//! A process of an unprivileged user whose memory map is locked for as long as a test
//! likes: see [`withholding`](crate::workload::withholding).

use crate::users::User;
use crate::workload::Workload;
use nix::sys::stat::{Mode, SFlag, makedev, mknod};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use tempfile::TempDir;

/// The device of fuse(4).
const FUSE: (u64, u64) = (10, 229);

/// The process, and the one that locks it; both end when dropped.
#[derive(Debug)]
pub struct Withheld {
    workload: Workload,
    _directory: TempDir,
}

impl Withheld {
    /// Starts them as a user in a user and mount namespace of its own.
    pub fn start(user: &User) -> Withheld {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        let open_to = |path: &Path, mode| {
            fs::set_permissions(path, Permissions::from_mode(mode)).expect("its mode");
        };
        // Where the device is closed to users, fusermount3(1) would open it for them.
        let device = makedev(FUSE.0, FUSE.1);
        mknod(&at("fuse"), SFlag::S_IFCHR, Mode::empty(), device).expect("the device");
        open_to(&at("fuse"), 0o666);
        File::create(at("file")).expect("a file to mount on");
        open_to(&at("file"), 0o666);
        fs::copy(Workload::program(), at("workload")).expect("a copy of the workload");
        open_to(&at("workload"), 0o755);
        open_to(directory.path(), 0o755);
        let mut command = user.command("unshare");
        command
            .args(["--user", "--map-root-user", "--mount"])
            .args([&at("workload"), Path::new("withholding"), directory.path()]);
        Withheld {
            workload: Workload::from_command(command),
            _directory: directory,
        }
    }

    /// The process whose memory map is locked.
    pub fn locked(&self) -> u32 {
        self.workload.number("locked")
    }
}
