//! The configuration decides who may read which table.

use iterfs_tests::errno::errno;
use iterfs_tests::fixtures::users::User;
use iterfs_tests::not_here::needs_tables;
use iterfs_tests::oracles::told::Redacted;
use iterfs_tests::wait::wait_until;
use iterfs_tests::{Mount, fixtures::programs};
use nix::libc;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

const READERS: u32 = 64_001;
const NETWORK: u32 = 64_002;

fn open(mount: &Mount, user: &User, path: &str) -> Option<i32> {
    user.run(|| errno(File::open(mount.path(path))))
}

fn list(mount: &Mount, user: &User, path: &str) -> Option<i32> {
    user.run(|| errno(fs::read_dir(mount.path(path))))
}

/// Fails unless a user may open these paths, and may not open those.
fn check(mount: &Mount, user: &User, may: &[&str], may_not: &[&str]) {
    for path in may {
        assert_eq!(open(mount, user, path), None, "{user:?} {path}");
        let text = user.run(|| fs::read(mount.path(path)).unwrap());
        assert!(!text.is_empty(), "{user:?} {path}");
    }
    for path in may_not {
        // Root has it in the kernel's caches.
        File::open(mount.path(path)).unwrap();
        let found = open(mount, user, path);
        assert_eq!(found, Some(libc::EACCES), "{user:?} {path}");
    }
}

#[test]
fn rules_go_by_path() {
    let (owner, other) = (User::fresh(), User::fresh());
    let own = format!("pid/{}/files", std::process::id());
    let mount = Mount::configured(
        &format!("gid={READERS}"),
        &format!(
            r#"
            [[allow]]
            path = "net/*"
            group = "{NETWORK}"

            [[allow]]
            path = "pid/*/files"
            owner = "{}"
            mode = "0400"

            [[allow]]
            path = "net/unix"
            mode = "0444"
            "#,
            owner.uid
        ),
    );
    if !needs_tables(&mount, &["net/unix", "kernel/ksyms"]) {
        return;
    }
    let member = User::fresh().in_groups(&[64_009, READERS]);
    let network = User::new(User::fresh().uid, NETWORK);
    check(
        &mount,
        &member,
        &["tasks", "files.csv", "net/unix", "bpf/maps"],
        &["net/tcp", "net/sockets", &own],
    );
    check(
        &mount,
        &network,
        &["net/tcp", "net/sockets", "net/udp.json", "net/unix"],
        &["tasks", "bpf/maps", "kernel/ksyms", "ctl"],
    );
    check(&mount, &owner, &[&own, "net/unix"], &["files", "net/tcp"]);
    check(&mount, &other, &["net/unix.csv"], &["tasks", "net/udp"]);
    // A directory can be listed if something in it can be read.
    for (user, may, may_not) in [
        (
            &network,
            &["", "net"][..],
            &["bpf", "pid", "kernel", "cgroup"][..],
        ),
        (&other, &["", "net"], &["bpf", "pid", "netns"]),
        (&member, &["", "net", "bpf", "pid"], &[]),
    ] {
        for path in may {
            assert_eq!(list(&mount, user, path), None, "{user:?} {path}");
        }
        for path in may_not {
            let found = list(&mount, user, path);
            assert_eq!(found, Some(libc::EACCES), "{user:?} {path}");
        }
    }
    // A user without any permission cannot find out which processes exist.
    let test = format!("pid/{}", std::process::id());
    for user in [&network, &other] {
        let found = user.run(|| errno(fs::metadata(mount.path(&test))));
        assert_eq!(found, Some(libc::ENOENT));
        assert_eq!(open(&mount, user, &own), Some(libc::ENOENT));
    }
}

#[test]
fn rules_show_in_owner_group_and_mode() {
    let mount = Mount::configured(
        &format!("gid={READERS}"),
        &format!(
            "[[allow]]\npath = \"tasks\"\nowner = \"7\"\ngroup = \"{NETWORK}\"\nmode = \"0404\""
        ),
    );
    let shown = |path: &str| {
        let metadata = fs::metadata(mount.path(path)).unwrap();
        (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777)
    };
    assert_eq!(shown("tasks"), (7, NETWORK, 0o404));
    assert_eq!(shown("tasks.json"), (7, NETWORK, 0o404));
    assert_eq!(shown("processes"), (0, READERS, 0o440));
    assert_eq!(shown("ctl"), (0, 0, 0o600));
    // As POSIX says, the group's bits decide for members of the group.
    let user = User::fresh();
    let member = user.clone().in_groups(&[NETWORK]);
    check(&mount, &member, &[], &["tasks"]);
    check(&mount, &user, &["tasks"], &["processes"]);
}

#[test]
fn a_rule_opens_tables_that_are_roots() {
    let mount = Mount::configured(
        "",
        &format!("[[allow]]\npath = \"kernel/ksyms\"\ngroup = \"{READERS}\""),
    );
    if !needs_tables(&mount, &["net/unix", "kernel/ksyms"]) {
        return;
    }
    let user = User::fresh();
    let member = user.clone().in_groups(&[READERS]);
    check(&mount, &member, &["kernel/ksyms"], &["tasks"]);
    check(&mount, &user, &[], &["kernel/ksyms"]);
}

#[test]
fn a_reload_applies_at_once_to_everybody() {
    const CLOSED: &str = "# nothing\n";
    const OPEN: &str = "[[allow]]\npath = \"*\"\nmode = \"0444\"\n";
    let mount = Mount::configured("", CLOSED);
    let me = User::fresh();
    for _ in 0..3 {
        check(&mount, &me, &[], &["tasks", "net/tcp", "bpf/maps"]);
        assert_eq!(list(&mount, &me, ""), Some(libc::EACCES));
        mount.reload(OPEN).unwrap();
        check(&mount, &me, &["tasks", "files.json"], &["net/tcp"]);
        assert_eq!(list(&mount, &me, ""), None);
        let mode = fs::metadata(mount.path("tasks")).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o444);
        mount.reload("others = \"own\"").unwrap();
        assert_eq!(open(&mount, &me, "tasks"), None);
        let rows = me.run(|| fs::read_to_string(mount.path("processes.jsonl")).unwrap());
        assert_eq!(rows, "", "it has no process");
        mount.reload(CLOSED).unwrap();
    }
    // Open files stay open.
    mount.reload(OPEN).unwrap();
    let file = me.run(|| File::open(mount.path("tasks")).unwrap());
    mount.reload(CLOSED).unwrap();
    assert!(!io::read_to_string(file).unwrap().is_empty());
}

/// While a table is open, the daemon keeps the kernel from updating attributes with its size.
#[test]
fn a_reload_applies_to_tables_that_are_open() {
    const CLOSED: &str = "# nothing\n";
    let open = ["*", "net/*", "summary/*"]
        .map(|path| format!("[[allow]]\npath = \"{path}\"\nmode = \"0444\"\n"))
        .concat();
    let mount = Mount::configured("", CLOSED);
    let me = User::fresh();
    let held = ["tasks", "net/tcp", "summary/tasks_by_state"]
        .map(|path| File::open(mount.path(path)).unwrap());
    for _ in 0..3 {
        for file in &held {
            assert_eq!(file.metadata().unwrap().mode() & 0o7777, 0o440);
        }
        check(
            &mount,
            &me,
            &[],
            &["tasks", "net/tcp", "summary/tasks_by_state"],
        );
        mount.reload(&open).unwrap();
        for file in &held {
            assert_eq!(file.metadata().unwrap().mode() & 0o7777, 0o444);
        }
        check(
            &mount,
            &me,
            &["tasks", "net/tcp", "summary/tasks_by_state"],
            &[],
        );
        mount.reload(CLOSED).unwrap();
    }
}

#[test]
fn a_reload_that_fails_changes_nothing() {
    let text = format!("[[allow]]\npath = \"tasks\"\ngroup = \"{READERS}\"");
    let mount = Mount::configured("", &text);
    let member = User::fresh().in_groups(&[READERS]);
    for (before, wrong) in ["others = 7", "[[allow]]\npath = \"tusks\"", "["]
        .into_iter()
        .enumerate()
    {
        let refused = mount.reload(wrong);
        assert_eq!(errno(refused), Some(libc::EINVAL), "{wrong}");
        let place = format!("{}:", mount.configuration().display());
        wait_until("the log says where", || {
            let log = mount.log();
            log.iter().filter(|line| line.contains(&place)).count() > before
        });
        check(&mount, &member, &["tasks"], &["processes"]);
    }
    fs::remove_file(mount.configuration()).unwrap();
    assert!(fs::write(mount.path("ctl"), "reload").is_err());
    check(&mount, &member, &["tasks"], &["processes"]);
}

/// The exit code and the message of `iterfs mount` with a configuration.
fn refusal(config: &Path) -> (Option<i32>, String) {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(programs::iterfs())
        .arg("mount")
        .args(["-o", &format!("config={}", config.display())])
        .arg(directory.path())
        .output()
        .unwrap();
    let mounts = fs::read_to_string("/proc/mounts").unwrap();
    let mounted = mounts.contains(directory.path().to_str().unwrap());
    assert!(!mounted, "nothing is left mounted");
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

#[test]
fn a_wrong_configuration_is_refused_at_mount_with_file_and_line() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("iterfs.toml");
    let redacted = Redacted::default().value(directory.path().display(), "[DIRECTORY]");
    let mut all = String::new();
    for (text, line, what) in [
        ("others = \"all\"", 1, "own"),
        ("\n\n[[allow]]\npath = \"tusks\"", 4, "no table"),
        ("[[allow]]\npath = \"tasks\"\nmode = \"0644\"", 3, "0644"),
        (
            "[[allow]]\npath = \"tasks\"\ngroup = \"nobodys\"",
            3,
            "nobodys",
        ),
        ("[quota]\nhandels = 7", 2, "handels"),
        ("# fine\n\n\nbroken", 4, ""),
    ] {
        fs::write(&config, text).unwrap();
        let (code, said) = refusal(&config);
        assert_eq!(code, Some(32), "{text}: {said}");
        let place = format!("{}:{line}: ", config.display());
        assert!(said.contains(&place), "{text}: {said}");
        assert!(said.contains(what), "{text}: {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        all += &format!("{text:?}\n    {}", redacted.text(&said));
    }
    insta::assert_snapshot!("refused_configurations", all);
    let (code, said) = refusal(&directory.path().join("missing.toml"));
    assert_eq!(code, Some(32), "{said}");
    assert!(said.contains("missing.toml: "), "{said}");
}

#[test]
fn a_configuration_that_others_can_write_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("iterfs.toml");
    fs::write(&config, "").unwrap();
    for mode in [0o664, 0o646] {
        fs::set_permissions(&config, Permissions::from_mode(mode)).unwrap();
        let (code, said) = refusal(&config);
        assert_eq!(code, Some(32), "{said}");
        assert!(said.contains("chmod go-w"), "{said}");
    }
    fs::set_permissions(&config, Permissions::from_mode(0o644)).unwrap();
    chown(&config, Some(User::fresh().uid), None).unwrap();
    let (code, said) = refusal(&config);
    assert_eq!(code, Some(32), "{said}");
}

#[test]
fn the_option_counts_before_the_configuration() {
    let mount = Mount::configured("others=none", "others = \"own\"");
    let user = User::fresh();
    check(&mount, &user, &[], &["tasks"]);
    let mount = Mount::configured("", "others = \"own\"");
    assert_eq!(open(&mount, &user, "tasks"), None);
}

/// `others=own` goes by processes. Sockets and routes belong to no process,
/// so the mode decides about them.
#[test]
fn others_own_does_not_narrow_what_a_rule_opens() {
    let text = format!("others = \"own\"\n[[allow]]\npath = \"processes\"\ngroup = \"{READERS}\"");
    let mount = Mount::configured("", &text);
    let member = User::fresh().in_groups(&[READERS]);
    let all = member.run(|| fs::read_to_string(mount.path("processes.jsonl")).unwrap());
    assert!(all.contains(&format!("\"pid\":{},", std::process::id())));
    let files = member.run(|| fs::read_to_string(mount.path("files.jsonl")).unwrap());
    assert_eq!(files, "");
    check(&mount, &member, &[], &["net/tcp", "net/netlink"]);
}
