//! `others=own`, and processes of a user that the user may not look into: /proc hides what
//! they hold, map and run, and so do the tables.

use iterfs_tests::Mount;
use iterfs_tests::errno::errno;
use iterfs_tests::fixtures::open_programs::Programs;
use iterfs_tests::fixtures::running::Running;
use iterfs_tests::fixtures::users::User;
use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::not_here::needs_table;
use iterfs_tests::oracles::proc::shows_to;
use iterfs_tests::oracles::rows::{of_process, pids, rest};
use iterfs_tests::wait::wait_until;
use nix::libc;
use serde_json::Value;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;

/// The tables that are about processes.
const TABLES: [&str; 5] = ["tasks", "processes", "files", "vmas", "net/sockets"];

fn mount() -> Mount {
    Mount::with_options("others=own")
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
        assert_eq!(shows_to(&me, pid), is_open);
        for table in ["files", "vmas", "net/sockets"] {
            assert_eq!(!shown(table).is_empty(), is_open, "{table}");
        }
        for table in ["files", "vmas", "sockets"] {
            let own = shown(&format!("pid/{pid}/{table}"));
            assert_eq!(!own.is_empty(), is_open, "pid/{table}");
        }
        // /proc also shows everyone that the process runs, but not which program.
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
    // The program makes itself dumpable, and still has another user's rights.
    raised.ask("disclose", Path::new(""));
    assert!(!shows_to(&me, raised.pid()));
    // The same user in another group (__ptrace_may_access() compares both).
    let elsewhere = User::new(me.uid, me.gid + 50);
    let beside = programs.start(&elsewhere, "idle");
    assert!(!shows_to(&me, beside.pid()));
    for table in TABLES {
        let rows = reader.rows(&mount.path(&format!("{table}.jsonl")));
        let is_listed = matches!(table, "tasks" | "processes");
        for process in [&raised, &beside] {
            assert_eq!(pids(&rows).contains(&process.pid()), is_listed, "{table}");
        }
    }
}

#[test]
fn a_table_opened_before_a_setuid_exec_is_empty_after_it() {
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

/// A pass keeps the memory map that it walks, while the process goes on to execute a program
/// that its user may inspect.
#[test]
fn memory_that_an_exec_gave_up_stays_closed() {
    let (mount, programs) = (mount(), Programs::new());
    if !needs_table(&mount, "vmas") {
        return;
    }
    let me = User::fresh();
    let secret = programs.directory().join("secret");
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

/// Starts processes of a user until one gets the number of a process that has ended.
fn take_number(user: &User, pid: u32) -> Running {
    for _ in 0..2000 {
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).unwrap();
        let mut command = user.command("sleep");
        let child = command.arg("600").stdout(Stdio::null()).spawn().unwrap();
        let child = Running(child);
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
    // For root, only the start time tells the next process from this one.
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

/// A user namespace that lasts as long as the process that made it.
struct UserNamespace(Running);

impl UserNamespace {
    /// Makes one in which all ids are the same as outside.
    fn made_by(mut maker: Command) -> UserNamespace {
        maker.args(["--user", "sleep", "600"]);
        let child = Running(maker.stdout(Stdio::null()).spawn().unwrap());
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
        assert_eq!(shows_to(&me, pid), is_open, "the kernel's own rule");
        for table in ["files", "vmas"] {
            let rows = reader.rows(&mount.path(&format!("{table}.jsonl")));
            assert_eq!(!of_process(&rows, pid).is_empty(), is_open, "{table}");
            let own = mount.path(&format!("pid/{pid}/{table}.jsonl"));
            assert_eq!(!reader.rows(&own).is_empty(), is_open, "pid/{table}");
        }
        // /proc also shows everyone that the process runs.
        let rows = reader.rows(&mount.path("processes.jsonl"));
        let rows = of_process(&rows, pid);
        assert_eq!(rows[0]["exe"].is_string(), is_open, "{rows:?}");
    }
}
