//! Containers made by hand: new namespaces and a bind of the mount.

use crate::users::User;
use crate::workload::Workload;
use crate::{Mount, Row};
use nix::sched::{CloneFlags, setns};
use std::fs::{self, File, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::thread;
use tempfile::TempDir;

/// Namespaces as a container engine makes them, for unshare(1).
pub const CONTAINER: [&str; 6] = [
    "--pid",
    "--net",
    "--mount",
    "--fork",
    "--kill-child",
    "--mount-proc",
];
/// A user namespace besides, in which the user is root.
pub const USER: [&str; 2] = ["--user", "--map-root-user"];

/// The names that only the host's callers find.
pub const OF_HOST: [&str; 6] = ["bpf", "cgroup", "kernel", "netns", "ctl", "ctl.json"];

/// A process in namespaces of its own, with the mount bound to a place of its own.
pub struct Container {
    /// The process inside.
    pub inside: Workload,
    /// Where it sees the mount.
    pub place: PathBuf,
    _directory: TempDir,
}

impl Container {
    /// As `unshare` makes it with these options, run by a user.
    pub fn new(mount: &Mount, user: &User, options: &[&str], kind: &str) -> Container {
        let directory = tempfile::tempdir().expect("a container");
        let (place, program) = (
            directory.path().join("iter"),
            directory.path().join("workload"),
        );
        fs::create_dir(&place).expect("a container");
        fs::copy(Workload::program(), &program).expect("a container");
        for path in [directory.path(), &program] {
            fs::set_permissions(path, Permissions::from_mode(0o755)).expect("a container");
        }
        let mut command = user.command("unshare");
        command
            .args(options)
            .args([
                "sh",
                "-c",
                "mount --bind \"$0\" \"$1\" && exec \"$2\" \"$3\"",
            ])
            .args([mount.directory(), &place, &program])
            .arg(kind);
        Container {
            inside: Workload::from_command(command),
            place,
            _directory: directory,
        }
    }

    /// A path below the mount, as the process sees it.
    pub fn path(&self, below: &str) -> PathBuf {
        self.place.join(below)
    }

    /// The rows of a table, read inside.
    pub fn rows(&mut self, table: &str) -> Vec<Row> {
        let path = self.path(&format!("{table}.jsonl"));
        self.inside.rows(&path)
    }

    /// The error that a request meets, if any.
    pub fn errno(&mut self, request: &str, below: &str) -> Option<i32> {
        let path = self.path(below);
        let answer = self.inside.ask(request, &path);
        answer["errno"].as_i64().map(|errno| errno as i32)
    }

    /// The container's first process, as the host numbers it.
    pub fn first(&self) -> u32 {
        let parent = self.inside.pid();
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"));
        children
            .expect("a container")
            .trim()
            .parse()
            .expect("a container")
    }

    /// A listening socket in its net namespace.
    pub fn listen(&self) -> TcpListener {
        let namespace = File::open(format!("/proc/{}/ns/net", self.first())).expect("a container");
        let listening = thread::spawn(move || {
            setns(&namespace, CloneFlags::CLONE_NEWNET).expect("a container");
            TcpListener::bind("0.0.0.0:0").expect("a container")
        });
        listening.join().expect("a container")
    }
}
