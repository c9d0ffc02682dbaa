//! Quotas bound what one user takes of the daemon, and other users notice nothing.

use iterfs_tests::Mount;
use iterfs_tests::errno::errno;
use iterfs_tests::fixtures::many_files::ManyFiles;
use iterfs_tests::fixtures::users::User;
use iterfs_tests::mount::daemon::Daemon;
use iterfs_tests::not_here::needs_table;
use nix::libc;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::thread;

/// A mount that all users may read, within a quota.
fn mount(quota: &str) -> Mount {
    let rules = ["*", "*/*"].map(|path| format!("[[allow]]\npath = \"{path}\"\nmode = \"0444\"\n"));
    Mount::configured("", &format!("[quota]\n{quota}\n{}", rules.concat()))
}

#[test]
fn handles_are_bounded_for_each_user_alone() {
    const MOST: usize = 20;
    let mount = mount(&format!("handles = {MOST}"));
    let (greedy, other) = (User::fresh(), User::fresh());
    let open = || File::open(mount.path("net/ipv6_route"));
    let mut held: Vec<_> = greedy.run(|| (0..MOST).map(|_| open().unwrap()).collect());
    let refused = |user: &User| user.run(|| errno(open()));
    assert_eq!(refused(&greedy), Some(libc::EMFILE));
    let listed = greedy.run(|| errno(fs::read_dir(mount.directory())));
    assert_eq!(listed, Some(libc::EMFILE));
    // Open files and other users are not affected.
    let mut text = String::new();
    held[0].read_to_string(&mut text).unwrap();
    assert!(!text.is_empty());
    let beside: Vec<_> = other.run(|| (0..MOST).map(|_| open().unwrap()).collect());
    assert_eq!(refused(&other), Some(libc::EMFILE));
    drop(beside);
    // A closed handle makes room for one more, once the kernel reports the close.
    held.pop();
    let again = greedy.run(|| (0..10_000).find_map(|_| open().ok()));
    held.push(again.expect("room for one"));
    assert_eq!(refused(&greedy), Some(libc::EMFILE));
    // Directories are handles, too.
    held.pop();
    let directory = || fs::read_dir(mount.directory()).ok();
    let directory = greedy.run(|| (0..10_000).find_map(|_| directory()));
    let directory = directory.expect("room for one");
    assert_eq!(refused(&greedy), Some(libc::EMFILE));
    drop(directory);
    let of_root: Vec<_> = (0..3 * MOST).map(|_| open().unwrap()).collect();
    assert_eq!(of_root.len(), 3 * MOST, "root has no bounds");
}

/// Opens files and reads a byte of each, of which the daemon keeps more; or the errno.
fn keep(mount: &Mount, count: usize) -> (Vec<File>, Option<i32>) {
    let mut held = Vec::new();
    for _ in 0..count {
        let file = File::open(mount.path("kernel/ksyms")).unwrap();
        match file.read_at(&mut [0], 0) {
            Ok(read) => assert_eq!(read, 1),
            Err(error) => return (held, error.raw_os_error()),
        }
        held.push(file);
    }
    (held, None)
}

#[test]
fn bytes_kept_are_bounded_for_each_user_alone() {
    let mount = mount("bytes = 2000000");
    if !needs_table(&mount, "kernel/ksyms") {
        return;
    }
    let (greedy, other) = (User::fresh(), User::fresh());
    let (held, refused) = greedy.run(|| keep(&mount, 100));
    assert_eq!(refused, Some(libc::ENOMEM), "{} are held", held.len());
    assert!(held.len() >= 2, "{} are held", held.len());
    // Another user reads whole tables meanwhile.
    let whole = other.run(|| fs::read(mount.path("kernel/ksyms")).unwrap());
    assert!(whole.len() > 2_000_000);
    drop(held);
    // A closed file gives its bytes back as soon as the kernel reports the close.
    let again = greedy.run(|| (0..10_000).find(|_| keep(&mount, 1).1.is_none()));
    again.expect("room for one");
    let (of_root, refused) = keep(&mount, 40);
    assert_eq!((of_root.len(), refused), (40, None), "root has no bounds");
}

#[test]
fn many_readers_of_one_user_read_on_side_by_side() {
    const READERS: usize = 200;
    let process = ManyFiles::start(1, 19_000);
    let mount = Mount::configured(
        "others=own",
        "[[allow]]\npath = \"pid/*/files\"\nmode = \"0444\"",
    );
    let path = mount.path(&process.table());
    let whole = fs::read(&path).unwrap();
    assert!(whole.len() > 1_500_000);
    User::fresh().run(|| {
        let mut readers: Vec<_> = (0..READERS).map(|_| File::open(&path).unwrap()).collect();
        // No reader is ahead of another by more than this.
        for expected in whole.chunks(256 * 1024) {
            let mut bytes = vec![0; expected.len()];
            for reader in &mut readers {
                reader.read_exact(&mut bytes).unwrap();
                assert!(bytes == expected);
            }
        }
    });
}

#[test]
fn as_many_threads_as_handles_open_and_close_undisturbed() {
    const THREADS: usize = 8;
    const OPENS: usize = 500;
    let mount = mount(&format!("handles = {THREADS}"));
    let me = User::fresh();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                me.run(|| {
                    for _ in 0..OPENS {
                        let mut file = File::open(mount.path("net/ipv6_route")).unwrap();
                        file.read_to_end(&mut Vec::new()).unwrap();
                    }
                });
            });
        }
    });
}

/// Runs a shell script that opens a table, which is `$0`. Returns the messages of its
/// failures.
fn shell(mut command: Command, script: &str, table: &Path) -> String {
    let output = command
        .args(["sh", "-c", script])
        .arg(table)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("three"), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn root_of_a_container_has_a_quota_and_no_way_around_it() {
    const REFUSED: &str = "Too many open files";
    const THREE: &str = "exec 3<\"$0\" 4<\"$0\" 5<\"$0\" && echo three && ";
    let mount = mount("handles = 3");
    let table = mount.path("net/ipv6_route");
    let container = || {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--"]);
        command
    };
    // The host's root has no bounds.
    let held: Vec<_> = (0..10).map(|_| File::open(&table).unwrap()).collect();
    let nested = [
        "exec 6<\"$0\"",
        "unshare --pid --fork sh -c 'exec 6<\"$0\"' \"$0\"",
        "unshare --user --map-root-user sh -c 'exec 6<\"$0\"' \"$0\"",
        "unshare --user --map-root-user --pid --fork sh -c 'exec 6<\"$0\"' \"$0\"",
    ];
    for one_more in nested {
        let said = shell(container(), &format!("{THREE}{one_more}"), &table);
        assert!(said.contains(REFUSED), "{one_more}: {said:?}");
    }
    // A user on the host has no second quota in a user namespace of its own.
    let me = User::fresh();
    for one_more in nested {
        if one_more.contains("--pid --fork sh") && !one_more.contains("--user") {
            continue;
        }
        let said = shell(me.command("env"), &format!("{THREE}{one_more}"), &table);
        assert!(said.contains(REFUSED), "{one_more}: {said:?}");
    }
    drop(held);
}

#[test]
fn some_descriptors_are_kept_for_root_and_for_the_control_file() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let mount = mount("handles = 1000");
    let limit = Rlimit {
        current: Some(250),
        maximum: Some(20_000),
    };
    let daemon = Pid::from_raw(mount.daemon() as i32);
    prlimit(daemon, Resource::Nofile, limit).unwrap();
    let table = mount.path("net/ipv6_route");
    let fill = || {
        let mut held = Vec::new();
        loop {
            match File::open(&table) {
                Ok(file) => held.push(file),
                Err(error) => return (held, error.raw_os_error()),
            }
        }
    };
    let (of_user, refused) = User::fresh().run(fill);
    assert_eq!(refused, Some(libc::ENFILE), "{} are held", of_user.len());
    assert!(of_user.len() > 50, "{} are held", of_user.len());
    // Root reads what takes many of them, and lists.
    assert!(!mount.read("summary/tasks_by_state").is_empty());
    assert!(fs::read_dir(mount.path("pid")).unwrap().count() > 2);
    // Root may take the rest, and then still has the control file.
    let (of_root, refused) = fill();
    assert_eq!(refused, Some(libc::ENFILE), "{} are held", of_root.len());
    assert!(mount.text("ctl").contains("ipv6_route"));
    mount.reload("[quota]\nhandles = 1").unwrap();
    drop((of_user, of_root));
    assert!(!mount.read("tasks").is_empty());
}

#[test]
fn the_names_of_directories_count() {
    let mount = mount("bytes = 1");
    // The first listing is admitted, because nothing is kept yet.
    let listed = |user: &User| {
        user.run(|| {
            let open: Vec<_> = (0..2)
                .map(|_| {
                    let mut entries = fs::read_dir(mount.path("net")).unwrap();
                    (errno(entries.next().unwrap()), entries)
                })
                .collect();
            open.iter().map(|(errno, _)| *errno).collect::<Vec<_>>()
        })
    };
    assert_eq!(listed(&User::fresh()), [None, Some(libc::ENOMEM)]);
    assert_eq!(listed(&User::new(0, 0)), [None, None]);
}

#[test]
fn a_reload_changes_the_bounds() {
    let mount = mount("handles = 2");
    let me = User::fresh();
    let open = || File::open(mount.path("net/ipv6_route"));
    let _held = me.run(|| [open().unwrap(), open().unwrap()]);
    assert_eq!(me.run(|| errno(open())), Some(libc::EMFILE));
    mount
        .reload("[quota]\nhandles = 3\n[[allow]]\npath = \"net/*\"\nmode = \"0444\"")
        .unwrap();
    let _third = me.run(|| open().unwrap());
    assert_eq!(me.run(|| errno(open())), Some(libc::EMFILE));
}

#[test]
fn a_lack_of_descriptors_is_reported_as_emfile_or_enfile() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    const ENOUGH: u64 = 40;
    let directories = ["pid", "netns", "bpf/map"];
    let tables = [
        "tasks",
        "files",
        "kernel/ksyms",
        "bpf/maps",
        "net/tcp",
        "summary/tasks_by_state",
    ];
    let mount = Mount::new();
    let daemon = Pid::from_raw(mount.daemon() as i32);
    let mut short = 0;
    // Programs that were loaded need fewer, so each step may find more than the last.
    for free in 0..ENOUGH {
        let taken = Daemon(mount.daemon()).descriptors().len() as u64;
        let limit = Rlimit {
            current: Some(taken + free),
            maximum: Some(20_000),
        };
        prlimit(daemon, Resource::Nofile, limit).unwrap();
        let listed = directories.map(|path| {
            let names = fs::read_dir(mount.path(path));
            (
                path,
                errno(names.and_then(|mut names| names.next().transpose())),
            )
        });
        let read = tables.map(|path| {
            let file = File::open(mount.path(path));
            (
                path,
                errno(file.and_then(|mut file| file.read(&mut [0; 100]))),
            )
        });
        for (path, failure) in listed.into_iter().chain(read) {
            match failure {
                None => {}
                Some(libc::EMFILE | libc::ENFILE) => short += 1,
                Some(other) => panic!(
                    "{path} with {free} descriptors: errno {other}; {:?}",
                    mount.log().last()
                ),
            }
        }
    }
    assert!(short > 0, "there were always enough");
    for path in directories {
        assert!(fs::read_dir(mount.path(path)).is_ok(), "{path}");
    }
    for path in tables {
        assert!(File::open(mount.path(path)).is_ok(), "{path}");
    }
}
