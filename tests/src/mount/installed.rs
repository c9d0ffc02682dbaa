//! iterfs installed as `make install` does, where nobody else sees it.
//!
//! mount(8) runs `/sbin/mount.fuse.iterfs` and nothing else. Each fixture has a
//! mount namespace of its own, in which the built helper lies in /sbin. A shell
//! keeps that namespace, and takes off what was mounted on its mount point when
//! this process lets go of its standard input, however this process ends.

use super::mounting::Mounting;
use super::server::Server;
use crate::fixtures::programs;
use crate::wait::comes_true;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// Lays the helper over /sbin, says so, and cleans up when told to or at the end of
/// its input. That end comes where the test was killed, perhaps amid mounting.
const KEEPER: &str = r#"
sbin=$(realpath /sbin)
mount -t overlay -o "lowerdir=$1:$sbin" overlay "$sbin" && echo ready
read -r _ || sleep 2
while umount --lazy "$2" 2>&-; do :; done
"#;

/// A mount namespace in which iterfs is installed.
pub struct Installed {
    directory: TempDir,
    keeper: Child,
}

/// The outcome of a command.
#[derive(Debug)]
pub struct Outcome {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub output: String,
    /// Its standard error.
    pub complaint: String,
}

impl Installed {
    /// A namespace of its own.
    pub fn new() -> Installed {
        let directory = tempfile::Builder::new()
            .prefix("iterfs-installed-")
            // Tests that are not root reach in.
            .permissions(Permissions::from_mode(0o755))
            .tempdir()
            .expect("a directory");
        let sbin = directory.path().join("sbin");
        fs::create_dir(&sbin).expect("a directory");
        let mountpoint = directory.path().join("mnt");
        fs::create_dir(&mountpoint).expect("a directory");
        // Not copies: the helper then finds iterfs beside its own file.
        symlink(programs::mount_helper(), sbin.join("mount.fuse.iterfs")).expect("a link");
        symlink("mount.fuse.iterfs", sbin.join("mount.iterfs")).expect("a link");

        let mut keeper = Command::new("unshare")
            .args(["--mount", "sh", "-c", KEEPER, "sh"])
            .args([&sbin, &mountpoint])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare starts");
        let mut said = String::new();
        BufReader::new(keeper.stdout.take().expect("a pipe"))
            .read_line(&mut said)
            .expect("the keeper says something");
        assert_eq!(said, "ready\n", "nothing can be laid over /sbin");
        Installed { directory, keeper }
    }

    /// A directory to mount on.
    pub fn mountpoint(&self) -> PathBuf {
        self.directory.path().join("mnt")
    }

    /// A scratch file, seen alike inside and outside.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// How a path inside is called from outside.
    pub fn seen(&self, inside: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.keeper.id()));
        root.join(inside.strip_prefix("/").expect("an absolute path"))
    }

    /// The file of the mount namespace.
    pub fn namespace(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/mnt", self.keeper.id()))
    }

    /// A command that runs inside.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--mount={}", self.namespace().display()))
            .arg("--")
            .arg(program)
            .env("LC_ALL", "C")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command inside to its end.
    pub fn run<A: AsRef<OsStr>>(&self, program: impl AsRef<OsStr>, arguments: &[A]) -> Outcome {
        finish(self.command(program).args(arguments))
    }

    /// Runs `iterfs mount` with arguments, and the directory behind them.
    pub fn iterfs_mount(&self, arguments: &[&str]) -> Outcome {
        let mut command = self.command(programs::iterfs());
        finish(command.arg("mount").args(arguments).arg(self.mountpoint()))
    }

    /// Has a daemon in the foreground serve the mount point, with options of `-o` if any.
    pub fn serve(&self, options: &str) -> Server {
        let mounting = Mounting::by(self.command(programs::iterfs()));
        mounting.options(options).serve(&self.mountpoint())
    }

    /// Runs mount(8) with arguments.
    pub fn mount(&self, arguments: &[&str]) -> Outcome {
        self.run("mount", arguments)
    }

    /// The types of what is mounted on a directory inside, the lowest first.
    pub fn mounted_on(&self, directory: &Path) -> Vec<String> {
        self.mount_table(directory, |fields| fields[2].to_owned())
    }

    /// The options, after the mount table, of what is mounted on a directory.
    pub fn mount_options(&self, directory: &Path) -> Vec<String> {
        self.mount_table(directory, |fields| fields[3].to_owned())
    }

    /// The sources of what is mounted on a directory.
    pub fn mount_sources(&self, directory: &Path) -> Vec<String> {
        self.mount_table(directory, |fields| fields[0].to_owned())
    }

    fn mount_table(&self, directory: &Path, field: impl Fn(&[&str]) -> String) -> Vec<String> {
        let table = fs::read_to_string(format!("/proc/{}/mounts", self.keeper.id()))
            .expect("the keeper's mount table");
        table
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>())
            .filter(|fields| Path::new(fields[1]) == directory)
            .map(|fields| field(&fields))
            .collect()
    }

    /// The daemons that serve a directory inside, by what they were started with.
    pub fn daemons(&self, directory: &Path) -> Vec<Pid> {
        let named = |pid: i32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let mut arguments = line.split(|byte| *byte == 0);
            let program = arguments.next().unwrap_or_default();
            program.ends_with(b"/iterfs")
                && arguments.any(|argument| argument == directory.as_os_str().as_encoded_bytes())
        };
        fs::read_dir("/proc")
            .expect("/proc")
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter(|pid| named(*pid))
            .map(Pid::from_raw)
            .collect()
    }

    /// The one daemon that serves the mount point.
    pub fn daemon(&self) -> Pid {
        let daemons = self.daemons(&self.mountpoint());
        assert_eq!(daemons.len(), 1, "{daemons:?}");
        daemons[0]
    }
}

impl Default for Installed {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        if let Some(mut input) = self.keeper.stdin.take() {
            let _ = input.write_all(b"clean up\n");
        }
        let _ = self.keeper.wait();
        let directory = self.mountpoint();
        if !comes_true(|| self.daemons(&directory).is_empty()) {
            // A daemon that hangs is what a test just failed about.
            for daemon in self.daemons(&directory) {
                let _ = kill(daemon, Signal::SIGKILL);
            }
        }
    }
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Outcome {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the command starts");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Outcome {
        code: status.code(),
        output: text(stdout),
        complaint: text(stderr),
    }
}

/// Waits until a process has ended, whether or not its parent has taken notice.
pub fn gone(process: Pid) -> bool {
    comes_true(|| !fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|line| !line.is_empty()))
}
