//! Permissions, tried by users without privileges.

use iterfs_tests::Mount;
use iterfs_tests::fixtures::users::User;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Output};

const USER: u32 = 61_001;
const OTHER: u32 = 61_002;
const GROUP: u32 = 62_001;
const OTHER_GROUP: u32 = 62_002;

fn member() -> User {
    User::new(USER, GROUP)
}

fn member_beside_others() -> User {
    User::new(USER, OTHER_GROUP).in_groups(&[62_007, GROUP])
}

fn stranger() -> User {
    User::new(OTHER, OTHER_GROUP).in_groups(&[62_007])
}

/// Files of every directory that has any, this test's own process included.
fn files() -> Vec<String> {
    let own = std::process::id();
    [
        "tasks",
        "processes.json",
        "files.csv",
        "net/ipv6_route",
        "bpf/maps",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([format!("pid/{own}/tasks"), format!("pid/{own}/files.jsonl")])
    .collect()
}

fn directories() -> Vec<String> {
    ["", "net", "bpf", "pid"]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("pid/{}", std::process::id())])
        .collect()
}

fn cat(user: &User, path: &Path) -> Output {
    output(user.command("cat").arg(path))
}

fn list(user: &User, path: &Path) -> Output {
    output(user.command("ls").arg(path))
}

fn output(command: &mut Command) -> Output {
    command.env("LC_ALL", "C").output().unwrap()
}

fn check_may(mount: &Mount, user: &User) {
    for file in files() {
        let output = cat(user, &mount.path(&file));
        assert!(output.status.success(), "{user:?} {file}: {output:?}");
        assert!(!output.stdout.is_empty(), "{user:?} {file}: no header");
    }
    for directory in directories() {
        let output = list(user, &mount.path(&directory));
        assert!(output.status.success(), "{user:?} {directory}: {output:?}");
        assert!(!output.stdout.is_empty(), "{user:?} {directory}: empty");
    }
    let own = cat(user, &mount.path("net/ipv6_route"));
    assert_eq!(own.stdout, mount.read("net/ipv6_route"), "as root reads it");
}

fn check_may_not(mount: &Mount, user: &User) {
    let refused = |output: Output| {
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(error.contains("Permission denied"), "{user:?}: {output:?}");
        assert!(!output.status.success(), "{user:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{user:?}: {output:?}");
    };
    // Root has just looked it up, so it is in the kernel's caches.
    for file in files() {
        assert!(!mount.read(&file).is_empty());
        refused(cat(user, &mount.path(&file)));
    }
    for directory in directories() {
        assert!(mount.path(&directory).is_dir());
        refused(list(user, &mount.path(&directory)));
    }
}

#[test]
fn the_group_reads_and_others_do_not() {
    let mount = Mount::with_options(&format!("gid={GROUP},mode=0440"));
    check_may(&mount, &member());
    check_may(&mount, &member_beside_others());
    check_may_not(&mount, &stranger());
    // A refusal to one caller does not close it to the next.
    check_may(&mount, &member());
}

#[test]
fn by_default_only_root_reads() {
    let mount = Mount::new();
    check_may_not(&mount, &member());
    check_may_not(&mount, &member_beside_others());
}

#[test]
fn everyone_reads_where_the_mode_says_so() {
    let mount = Mount::with_options(&format!("gid={GROUP},mode=0444"));
    for user in [member(), member_beside_others(), stranger()] {
        check_may(&mount, &user);
    }
}

#[test]
fn the_owner_alone_reads_where_the_mode_says_so() {
    let mount = Mount::with_options(&format!("uid={USER},gid={GROUP},mode=0400"));
    check_may(&mount, &member());
    check_may(&mount, &User::new(USER, OTHER_GROUP));
    check_may_not(&mount, &User::new(OTHER, GROUP));
    check_may_not(&mount, &stranger());
}

/// As POSIX says, the owner's bits decide for the owner, even a member of the group.
#[test]
fn an_owner_without_permission_is_refused_though_a_group_member() {
    let mount = Mount::with_options(&format!("uid={USER},gid={GROUP},mode=0040"));
    check_may_not(&mount, &member());
    check_may(&mount, &User::new(OTHER, GROUP));
}

#[test]
fn nobody_writes() {
    let mount = Mount::with_options(&format!("gid={GROUP},mode=0440"));
    for script in [": >> \"$0/tasks\"", ": > \"$0/tasks\"", ": > \"$0/new\""] {
        let mut shell = member().command("sh");
        let output = output(shell.args(["-c", script]).arg(mount.directory()));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{script}: {output:?}");
        assert!(error.contains("Permission denied"), "{script}: {error}");
    }
}

#[test]
fn a_descriptor_that_was_handed_on_still_reads() {
    let mount = Mount::new();
    let file = File::open(mount.path("net/ipv6_route")).unwrap();
    let handed_on = output(stranger().command("cat").stdin(file));
    assert!(handed_on.status.success(), "{handed_on:?}");
    assert_eq!(handed_on.stdout, mount.read("net/ipv6_route"));
    // Opening it by path is still refused.
    let file = File::open(mount.path("net/ipv6_route")).unwrap();
    let anew = output(stranger().command("cat").arg("/dev/stdin").stdin(file));
    assert!(!anew.status.success(), "{anew:?}");
}

#[test]
fn modes_and_owners_are_shown() {
    use std::os::unix::fs::MetadataExt;
    let mount = Mount::with_options(&format!("uid={USER},gid={GROUP},mode=0440"));
    let mode = |name: &str| {
        let metadata = std::fs::metadata(mount.path(name)).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (USER, GROUP), "{name}");
        metadata.mode() & 0o7777
    };
    for file in files() {
        assert_eq!(mode(&file), 0o440, "{file}");
    }
    for directory in directories() {
        assert_eq!(mode(&directory), 0o550, "{directory}");
    }
}
