//! `others=own`: everybody reads what is about their own processes, and nothing else.

use iterfs_tests::fixtures::users::User;
use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::not_here::{needs_table, needs_tables};
use iterfs_tests::oracles::columns::select;
use iterfs_tests::wait::wait_until;
use iterfs_tests::{Mount, Row};
use nix::libc;
use rustix::fs::RawDir;
use serde_json::Value;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, Read, Seek};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use tempfile::TempDir;

/// The tables that are about processes.
const TABLES: [&str; 5] = ["tasks", "processes", "files", "vmas", "net/sockets"];

const SUFFIXES: [&str; 4] = ["", ".json", ".jsonl", ".csv"];

fn mount() -> Mount {
    Mount::with_options("others=own")
}

/// A user that no other test has.
/// The workload where every user can run it, once as root whoever runs it.
struct Programs(TempDir);

impl Programs {
    fn new() -> Programs {
        let directory = tempfile::tempdir().unwrap();
        let programs = Programs(directory);
        for (path, mode) in [(programs.plain(), 0o755), (programs.setuid(), 0o4755)] {
            fs::copy(Workload::program(), &path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        }
        fs::set_permissions(programs.0.path(), Permissions::from_mode(0o755)).unwrap();
        programs
    }

    fn plain(&self) -> PathBuf {
        self.0.path().join("plain")
    }

    fn setuid(&self) -> PathBuf {
        self.0.path().join("setuid")
    }

    fn start(&self, user: &User, kind: &str) -> Workload {
        self.start_with(user, &self.plain(), kind, OsStr::new(""))
    }

    fn start_with(&self, user: &User, program: &Path, kind: &str, argument: &OsStr) -> Workload {
        let mut command = user.command(program);
        command.arg(kind).arg(argument);
        Workload::from_command(command)
    }
}

fn pids(rows: &[Row]) -> BTreeSet<u32> {
    let pids = rows.iter().map(|row| row["pid"].as_u64().unwrap() as u32);
    pids.collect()
}

fn numbers(names: Vec<String>) -> BTreeSet<u32> {
    names.iter().filter_map(|name| name.parse().ok()).collect()
}

fn of_process(rows: &[Row], pid: u32) -> Vec<Row> {
    let rows = select(rows, &[("pid", pid.into())]);
    rows.into_iter().cloned().collect()
}

fn errno<T>(result: io::Result<T>) -> Option<i32> {
    result.err().and_then(|error| error.raw_os_error())
}

fn refused(answer: &Value) -> Option<i32> {
    answer["errno"].as_i64().map(|errno| errno as i32)
}

/// What is left of an open table.
fn rest(mut file: &File) -> String {
    let mut text = String::new();
    file.read_to_string(&mut text).unwrap();
    text
}

#[test]
fn tables_show_ones_own_processes() {
    let (mount, programs) = (mount(), Programs::new());
    if !needs_table(&mount, "vmas") {
        return;
    }
    let (me, other) = (User::fresh(), User::fresh());
    let mut reader = programs.start(&me, "idle");
    let mine = programs.start(&me, "netlink");
    let theirs = programs.start(&other, "netlink");
    for table in TABLES {
        let all = mount.rows(table);
        assert!(pids(&all).contains(&theirs.pid()), "{table}: root sees all");
        let rows = reader.rows(&mount.path(&format!("{table}.jsonl")));
        let expected = match table {
            "net/sockets" => BTreeSet::from([mine.pid()]),
            _ => BTreeSet::from([mine.pid(), reader.pid()]),
        };
        assert_eq!(pids(&rows), expected, "{table}");
        // Of them, all that root is shown.
        let (shown, whole) = (of_process(&rows, mine.pid()), of_process(&all, mine.pid()));
        assert!(!shown.is_empty(), "{table}");
        assert_eq!(shown, whole, "{table}");
        for suffix in SUFFIXES {
            let text = reader.read(&mount.path(&format!("{table}{suffix}")));
            let theirs = theirs.pid().to_string();
            let mut words = text.split(|c: char| !c.is_ascii_digit());
            assert!(!words.any(|word| word == theirs), "{table}{suffix}");
        }
    }
}

#[test]
fn the_directories_of_others_are_not_there() {
    let (mount, programs) = (mount(), Programs::new());
    let (me, other) = (User::fresh(), User::fresh());
    let mut reader = programs.start(&me, "idle");
    let theirs = programs.start(&other, "idle");
    let missing = |answer: Value, path: &Path| {
        let errno = refused(&answer);
        assert_eq!(errno, Some(libc::ENOENT), "{}: {answer}", path.display());
    };
    for _ in 0..3 {
        for (pid, table) in [(theirs.pid(), "files"), (std::process::id(), "tasks")] {
            // Root looks it up first: what the kernel then knows helps nobody.
            let directory = mount.path(&format!("pid/{pid}"));
            let file = directory.join(table);
            assert!(!fs::read(&file).unwrap().is_empty());
            assert!(directory.is_dir());
            missing(reader.ask("list", &directory), &directory);
            missing(reader.ask("open", &file), &file);
            missing(reader.ask("open", &directory), &directory);
        }
    }
    let listed = numbers(reader.list(&mount.path("pid")));
    assert_eq!(listed, BTreeSet::from([reader.pid()]));
    let own = format!("pid/{}/tasks.jsonl", reader.pid());
    assert_eq!(pids(&reader.rows(&mount.path(&own))), listed);
}

#[test]
fn nothing_else_is_opened() {
    let (mount, me) = (mount(), User::fresh());
    if !needs_tables(&mount, &["net/unix", "cgroup/cgroup.self", "kernel/ksyms"]) {
        return;
    }
    let slab = fs::read_dir(mount.path("kernel"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let files = [
        "net/tcp",
        "net/udp.json",
        "net/unix",
        "net/netlink",
        "net/ipv6_route",
        "bpf/maps",
        "bpf/progs",
        "cgroup/cgroup.self",
        "kernel/ksyms",
        "ctl",
        "ctl.json",
    ];
    let files = files
        .map(|file| mount.path(file))
        .into_iter()
        .chain([slab.path()]);
    for file in files {
        let of_root = errno(File::open(&file));
        assert_eq!(of_root, None, "{}", file.display());
        let denied = me.run(|| errno(File::open(&file)));
        assert_eq!(denied, Some(libc::EACCES), "{}", file.display());
    }
    for directory in ["bpf", "cgroup", "kernel", "netns"] {
        let path = mount.path(directory);
        fs::read_dir(&path).unwrap();
        let denied = me.run(|| errno(fs::read_dir(&path)));
        assert_eq!(denied, Some(libc::EACCES), "{directory}");
    }
}

#[test]
fn others_none_is_the_default() {
    let (mount, me) = (Mount::new(), User::fresh());
    for path in ["tasks", "pid", "net/sockets"] {
        let denied = me.run(|| errno(File::open(mount.path(path))));
        assert_eq!(denied, Some(libc::EACCES), "{path}");
    }
}

/// Whether /proc has a user look at the files of a process.
fn proc_shows(user: &User, pid: u32) -> bool {
    let path = format!("/proc/{pid}/fd/0");
    user.run(|| fs::read_link(path).is_ok())
}

#[test]
fn a_process_that_is_not_dumpable_is_closed_as_in_proc() {
    let (mount, programs) = (mount(), Programs::new());
    if !needs_table(&mount, "vmas") {
        return;
    }
    let me = User::fresh();
    let mut reader = programs.start(&me, "idle");
    let mut closed = programs.start(&me, "netlink");
    let pid = closed.pid();
    let mut shown = |table: &str| {
        let rows = reader.rows(&mount.path(&format!("{table}.jsonl")));
        of_process(&rows, pid)
    };
    for (request, is_open) in [("disclose", true), ("close", false), ("disclose", true)] {
        assert_eq!(closed.ask(request, Path::new(""))["ok"], Value::Null);
        assert_eq!(proc_shows(&me, pid), is_open);
        for table in ["files", "vmas", "net/sockets"] {
            assert_eq!(!shown(table).is_empty(), is_open, "{table}");
        }
        for table in ["files", "vmas", "sockets"] {
            let own = shown(&format!("pid/{pid}/{table}"));
            assert_eq!(!own.is_empty(), is_open, "pid/{table}");
        }
        // That it runs is no secret in /proc either; what it runs is.
        assert_eq!(shown("tasks").len(), 1);
        let process = shown("processes");
        assert_eq!(process[0]["exe"].is_string(), is_open, "{process:?}");
    }
}

#[test]
fn a_process_with_anothers_rights_is_closed() {
    let (mount, programs) = (mount(), Programs::new());
    if !needs_table(&mount, "vmas") {
        return;
    }
    let me = User::fresh();
    let mut reader = programs.start(&me, "idle");
    let idle = |program: &Path| programs.start_with(&me, program, "idle", OsStr::new(""));
    let mut raised = idle(&programs.setuid());
    // As a program may that sees no harm in it: its rights are another's all the same.
    raised.ask("disclose", Path::new(""));
    assert!(!proc_shows(&me, raised.pid()));
    // The same user in another group (__ptrace_may_access() compares both).
    let elsewhere = User::new(me.uid, me.gid + 50);
    let beside = programs.start(&elsewhere, "idle");
    assert!(!proc_shows(&me, beside.pid()));
    for table in TABLES {
        let rows = reader.rows(&mount.path(&format!("{table}.jsonl")));
        let is_listed = matches!(table, "tasks" | "processes");
        for process in [&raised, &beside] {
            assert_eq!(pids(&rows).contains(&process.pid()), is_listed, "{table}");
        }
    }
}

#[test]
fn what_was_opened_before_a_setuid_exec_shows_nothing_after() {
    let (mount, programs) = (mount(), Programs::new());
    if !needs_table(&mount, "vmas") {
        return;
    }
    let me = User::fresh();
    for table in ["files", "vmas", "sockets"] {
        let mut process = programs.start(&me, "netlink");
        let path = mount.path(&format!("pid/{}/{table}.jsonl", process.pid()));
        let (before, after) = me.run(|| (File::open(&path).unwrap(), File::open(&path).unwrap()));
        assert!(rest(&before).lines().count() > 0, "{table}");
        let facts = process.ask("exec", &programs.setuid());
        assert_eq!(facts["pid"], process.pid(), "the same process: {facts}");
        assert_eq!(rest(&after), "", "{table}");
    }
}

/// A pass holds on to the memory it walks, while the process goes on to run what its
/// user may look into.
#[test]
fn memory_that_an_exec_gave_up_stays_closed() {
    let (mount, programs) = (mount(), Programs::new());
    if !needs_table(&mount, "vmas") {
        return;
    }
    let me = User::fresh();
    let secret = programs.0.path().join("secret");
    fs::write(&secret, "x").unwrap();
    let plain = programs.plain();
    // About every second time the exec comes amid the walk.
    for _ in 0..12 {
        let mut process = programs.start_with(&me, &plain, "mappings", secret.as_os_str());
        process.ask("close", Path::new(""));
        let path = mount.path(&format!("pid/{}/vmas", process.pid()));
        let file = me.run(|| File::open(&path).unwrap());
        let (begin, begun) = channel();
        thread::scope(|scope| {
            let reader = scope.spawn(|| {
                begin.send(()).unwrap();
                rest(&file)
            });
            begun.recv().unwrap();
            process.ask("exec", &plain);
            let text = reader.join().unwrap();
            assert!(
                !text.contains("secret"),
                "{} rows",
                text.matches("secret").count()
            );
        });
        let after = me.run(|| fs::read_to_string(&path).unwrap());
        assert!(after.contains("[heap]"), "{after}");
    }
}

/// Another's process, ended when dropped.
struct Sleeper(Child);

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Has a user's process get the number of one that has ended.
fn take_number(user: &User, pid: u32) -> Sleeper {
    for _ in 0..2000 {
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).unwrap();
        let mut command = user.command("sleep");
        let child = command.arg("600").stdout(Stdio::null()).spawn().unwrap();
        let child = Sleeper(child);
        if child.0.id() == pid {
            return child;
        }
    }
    unreachable!("somebody else has {pid}")
}

#[test]
fn a_process_is_not_taken_for_an_earlier_one_of_its_number() {
    let (mount, programs) = (mount(), Programs::new());
    if !needs_table(&mount, "vmas") {
        return;
    }
    let (me, other) = (User::fresh(), User::fresh());
    let process = programs.start(&me, "idle");
    let pid = process.pid();
    let open = || {
        let tables = ["tasks", "files", "vmas"];
        tables.map(|table| {
            let path = mount.path(&format!("pid/{pid}/{table}.jsonl"));
            File::open(path).unwrap()
        })
    };
    // Root, whom nothing but the start keeps from the rows of the next.
    let (mine, of_root) = (me.run(open), open());
    let directory = mount.path(&format!("pid/{pid}"));
    process.end();
    let next = take_number(&other, pid);
    for file in mine.iter().chain(&of_root) {
        assert_eq!(rest(file), "");
    }
    assert_eq!(open().map(|file| rest(&file).is_empty()), [false; 3]);
    assert_eq!(
        me.run(|| errno(fs::read_dir(&directory))),
        Some(libc::ENOENT)
    );
    drop(next);
}

#[test]
fn an_open_table_is_its_openers_whoever_reads_it() {
    let (mount, programs) = (mount(), Programs::new());
    let (me, other) = (User::fresh(), User::fresh());
    let mine = programs.start(&me, "idle");
    let theirs = programs.start(&other, "idle");
    let path = mount.path("processes.jsonl");
    let mut file = me.run(|| File::open(&path).unwrap());
    // Root reads on for its opener: what is produced then is for the opener, too.
    let mut first = [0; 20];
    file.read_exact(&mut first).unwrap();
    let whole = me.run(|| {
        file.rewind().unwrap();
        rest(&file)
    });
    assert!(
        whole.contains(&format!("\"pid\":{},", mine.pid())),
        "{whole}"
    );
    assert!(
        !whole.contains(&format!("\"pid\":{},", theirs.pid())),
        "{whole}"
    );
    file.rewind().unwrap();
    assert_eq!(rest(&file), whole, "seeking back shows the same");
}

/// The names in an open directory, from its start.
fn names(directory: &OwnedFd) -> io::Result<Vec<String>> {
    rustix::fs::seek(directory, rustix::fs::SeekFrom::Start(0))?;
    let mut names = Vec::new();
    let mut buffer = Vec::with_capacity(8192);
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

#[test]
fn an_open_directory_is_its_openers_whoever_reads_it() {
    let (mount, programs) = (mount(), Programs::new());
    let (me, other) = (User::fresh(), User::fresh());
    let mine = programs.start(&me, "idle");
    let theirs = programs.start(&other, "idle");
    let open = || -> OwnedFd { File::open(mount.path("pid")).unwrap().into() };
    // Root, by chance, reads what was handed to it first.
    let directory = me.run(open);
    assert_eq!(errno(names(&directory)), Some(libc::EACCES));
    let by_me = me.run(|| names(&directory).unwrap());
    assert_eq!(numbers(by_me), BTreeSet::from([mine.pid()]));
    // Handed on, it lists what its opener was told, not what its holder might see.
    let by_other = other.run(|| names(&directory).unwrap());
    assert_eq!(numbers(by_other), BTreeSet::from([mine.pid()]));
    drop(theirs);
}

#[test]
fn root_in_anothers_name_is_not_that_other() {
    let (mount, programs) = (mount(), Programs::new());
    let me = User::fresh();
    let mine = programs.start(&me, "idle");
    let tasks = me.run_for_root(|| errno(File::open(mount.path("tasks"))));
    assert_eq!(tasks, Some(libc::EACCES));
    let own = mount.path(&format!("pid/{}", mine.pid()));
    assert_eq!(
        me.run_for_root(|| errno(fs::metadata(own))),
        Some(libc::ENOENT)
    );
}

/// A program started as somebody reads as whom it acts for: as with any file.
#[test]
fn a_setuid_program_reads_as_its_owner() {
    let (mount, programs) = (mount(), Programs::new());
    let me = User::fresh();
    let mut raised = programs.start_with(&me, &programs.setuid(), "idle", OsStr::new(""));
    let rows = raised.rows(&mount.path("processes.jsonl"));
    assert!(pids(&rows).contains(&std::process::id()));
}

#[test]
fn readers_at_once_never_see_each_others_rows() {
    const USERS: usize = 6;
    let (mount, programs) = (mount(), Programs::new());
    if !needs_table(&mount, "vmas") {
        return;
    }
    let users: Vec<_> = (0..USERS).map(|_| User::fresh()).collect();
    let started = users.iter().map(|user| programs.start(user, "netlink"));
    let processes: Vec<_> = started.collect();
    thread::scope(|scope| {
        for (user, process) in users.iter().zip(&processes) {
            scope.spawn(|| {
                user.run(|| {
                    for turn in 0..60 {
                        let table = TABLES[turn % TABLES.len()];
                        let path = mount.path(&format!("{table}.jsonl"));
                        let text = fs::read_to_string(path).unwrap();
                        let rows = text.lines().map(|line| serde_json::from_str(line).unwrap());
                        let rows: Vec<Row> = rows.collect();
                        // The thread that asks is its own, too.
                        let test = std::process::id();
                        let mut pids = pids(&rows);
                        assert_eq!(pids.remove(&test), table == "tasks");
                        assert_eq!(pids, BTreeSet::from([process.pid()]), "{table}");
                    }
                });
            });
        }
        scope.spawn(|| {
            for _ in 0..20 {
                let rows = mount.rows("processes");
                assert!(
                    processes
                        .iter()
                        .all(|process| pids(&rows).contains(&process.pid()))
                );
            }
        });
    });
}

#[test]
fn namespaces_and_users_are_filtered_together() {
    let (mount, programs) = (mount(), Programs::new());
    if !needs_table(&mount, "vmas") {
        return;
    }
    let (me, other) = (User::fresh(), User::fresh());
    let outside = programs.start(&me, "idle");
    // A container that two users share; the helper goes by their numbers inside.
    let plain = programs.plain();
    let script = "setpriv --reuid \"$2\" --regid \"$2\" --clear-groups \"$0\" idle </dev/null >/dev/null & exec setpriv --reuid \"$1\" --regid \"$1\" --clear-groups \"$0\" idle";
    let mut command = Command::new("unshare");
    command
        .args(["--pid", "--fork", "--mount-proc", "--kill-child"])
        .args(["sh", "-c", script])
        .arg(&plain)
        .args([me.uid.to_string(), other.uid.to_string()]);
    let mut inside = Workload::from_command(command);
    assert_eq!(inside.number("pid"), 1);
    for table in ["tasks", "processes", "files", "vmas"] {
        let rows = inside.rows(&mount.path(&format!("{table}.jsonl")));
        assert_eq!(pids(&rows), BTreeSet::from([1]), "{table}");
    }
    assert_eq!(
        numbers(inside.list(&mount.path("pid"))),
        BTreeSet::from([1])
    );
    let rows = me.run(|| fs::read_to_string(mount.path("processes.jsonl")).unwrap());
    // From outside the same user sees both of its own.
    assert!(
        rows.contains(&format!("\"pid\":{},", outside.pid())),
        "{rows}"
    );
    assert_eq!(rows.lines().count(), 2, "{rows}");
}

/// A user namespace, as long as the process that somebody made it with.
struct UserNamespace(Sleeper);

impl UserNamespace {
    /// In which all numbers are as they are outside.
    fn made_by(mut maker: Command) -> UserNamespace {
        maker.args(["--user", "sleep", "600"]);
        let child = Sleeper(maker.stdout(Stdio::null()).spawn().unwrap());
        let of = |process: &str| fs::read_link(format!("/proc/{process}/ns/user")).unwrap();
        let pid = child.0.id().to_string();
        wait_until("unshare makes a namespace", || of(&pid) != of("self"));
        for map in ["uid_map", "gid_map"] {
            fs::write(format!("/proc/{pid}/{map}"), "0 0 4294967295").unwrap();
        }
        UserNamespace(child)
    }

    fn start(&self, user: &User, program: &Path) -> Workload {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--user=/proc/{}/ns/user", self.0.0.id()))
            .args([
                "--setuid",
                &user.uid.to_string(),
                "--setgid",
                &user.gid.to_string(),
            ])
            .arg("--")
            .arg(program)
            .arg("idle");
        Workload::from_command(command)
    }
}

/// The other half of the kernel's rule (security/commoncap.c, cap_ptrace_access_check()):
/// capabilities and user namespaces.
#[test]
fn a_process_that_may_do_more_than_its_user_is_closed_as_in_proc() {
    let (mount, programs) = (mount(), Programs::new());
    let me = User::fresh();
    let mut reader = programs.start(&me, "idle");
    let mut ambient = Command::new("setpriv");
    ambient
        .args([
            "--reuid",
            &me.uid.to_string(),
            "--regid",
            &me.gid.to_string(),
        ])
        .args([
            "--clear-groups",
            "--inh-caps",
            "+net_raw",
            "--ambient-caps",
            "+net_raw",
        ])
        .arg("--")
        .arg(programs.plain())
        .arg("idle");
    let ambient = Workload::from_command(ambient);
    let roots = UserNamespace::made_by(Command::new("unshare"));
    let mine = UserNamespace::made_by(me.command("unshare"));
    let of_root = roots.start(&me, &programs.plain());
    let of_mine = mine.start(&me, &programs.plain());
    let plain = programs.start(&me, "idle");
    for (process, is_open) in [
        (&ambient, false),
        (&of_root, false),
        (&of_mine, true),
        (&plain, true),
    ] {
        let pid = process.pid();
        assert_eq!(proc_shows(&me, pid), is_open, "the kernel's own rule");
        for table in ["files", "vmas"] {
            let rows = reader.rows(&mount.path(&format!("{table}.jsonl")));
            assert_eq!(!of_process(&rows, pid).is_empty(), is_open, "{table}");
            let own = mount.path(&format!("pid/{pid}/{table}.jsonl"));
            assert_eq!(!reader.rows(&own).is_empty(), is_open, "pid/{table}");
        }
        // That it runs is no secret in /proc either.
        let rows = reader.rows(&mount.path("processes.jsonl"));
        let rows = of_process(&rows, pid);
        assert_eq!(rows[0]["exe"].is_string(), is_open, "{rows:?}");
    }
}
