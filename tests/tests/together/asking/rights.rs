//! The rights to ask are the rights to read: of users, of containers, under `others=own`.

use iterfs_tests::fixtures::bpf_maps;
use iterfs_tests::fixtures::cgroups::Cgroups;
use iterfs_tests::fixtures::container::{CONTAINER, Container};
use iterfs_tests::fixtures::netns::Named;
use iterfs_tests::fixtures::open_programs::Programs;
use iterfs_tests::fixtures::users::User;
use iterfs_tests::fixtures::workshop::Workshop;
use iterfs_tests::mount::control::Control;
use iterfs_tests::not_here::needs_table;
use iterfs_tests::oracles::rows::pids;
use iterfs_tests::{Mount, Row};
use libbpf_rs::{MapCore, MapType};
use nix::libc;
use rustix::fs::{Mode, OFlags};
use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;

/// The rows of a table that a condition keeps, by filtering the whole table afterwards.
fn kept(rows: &[Row], column: &str, value: u64) -> Vec<Row> {
    let holds = |row: &&Row| row[column].as_u64() == Some(value);
    rows.iter().filter(holds).cloned().collect()
}

#[test]
fn a_user_who_may_not_read_a_table_may_not_ask_it() {
    let mount = Mount::new();
    let stranger = User::fresh();
    let open = |path: &str| {
        let path = mount.path(path);
        let opened = stranger.run(|| std::fs::File::open(&path).map(drop));
        opened.err().and_then(|error| error.raw_os_error())
    };
    for path in ["tasks@pid=1", "net/tcp@state=LISTEN", "tasks@nothing"] {
        assert_eq!(open(path), Some(libc::EACCES), "{path}");
    }
}

#[test]
fn others_ask_about_their_own_processes() {
    let mount = Mount::with_options("others=own");
    let programs = Programs::new();
    let (me, other) = (User::fresh(), User::fresh());
    let mut reader = programs.start(&me, "idle");
    let theirs = programs.start(&other, "idle");
    let mut asked = |pid: u32| {
        let path = mount.path(&format!("files@pid={pid},pid,fd.jsonl"));
        pids(&reader.rows(&path))
    };
    let mine = std::iter::once(asked(theirs.pid()));
    assert_eq!(mine.collect::<Vec<_>>(), [BTreeSet::new()]);
    assert_eq!(
        pids(&mount.rows(&format!("files@pid={}", theirs.pid()))).len(),
        1
    );
    let own = reader.pid();
    let path = mount.path(&format!("files@pid={own}.jsonl"));
    assert_eq!(pids(&reader.rows(&path)), BTreeSet::from([own]));
}

#[test]
fn a_container_asks_about_what_it_sees() {
    let mount = Mount::new();
    let user = User::new(0, 0);
    let mut container = Container::new(&mount, &user, &CONTAINER, "idle");
    let listener = container.listen();
    let port = listener.local_addr().unwrap().port();
    let own = container.rows("tasks");
    let first = kept(&own, "pid", 1);
    assert!(!first.is_empty(), "{own:?}");
    assert_eq!(container.rows("tasks@pid=1").len(), first.len());
    let of_host = std::process::id();
    assert!(container.rows(&format!("tasks@pid={of_host}")).is_empty());
    let here = format!("net/tcp@state=LISTEN,local_port={port}");
    assert_eq!(container.rows(&here).len(), 1);
    for path in [
        "kernel/ksyms@type=T",
        "bpf/maps@id=1",
        "cgroup/cgroup.self@id",
    ] {
        assert_eq!(container.errno("open", path), Some(libc::ENOENT), "{path}");
    }
    let wrong = container.errno("open", "tasks@nothing=1");
    assert_eq!(wrong, Some(libc::EINVAL));
}

#[test]
fn a_net_namespace_is_asked_by_its_number() {
    let mount = Mount::new();
    let namespace = Named::new("asked");
    let inode = namespace.inode();
    let whole = mount.rows(&format!("netns/{inode}/netlink"));
    let Some(row) = whole.first() else {
        panic!("a net namespace has netlink sockets of the kernel")
    };
    let protocol = row["protocol"].as_str().unwrap();
    let asked = mount.rows(&format!("netns/{inode}/netlink@protocol={protocol}"));
    let same = whole.iter().filter(|row| row["protocol"] == protocol);
    assert_eq!(asked.len(), same.count());
    assert!(
        mount
            .rows(&format!("netns/{inode}/tcp@local_port=1..65535"))
            .is_empty()
    );
}

#[test]
fn the_elements_of_a_map_are_asked_by_their_keys_and_values() {
    let mount = Mount::new();
    let map = bpf_maps::plain(MapType::Hash, 4, 8, 16);
    for key in 1_u32..=9 {
        let value = (u64::from(key) * 100).to_ne_bytes();
        bpf_maps::set(&map, &key.to_ne_bytes(), &value);
    }
    let table = format!("bpf/map/{}/elements", map.info().unwrap().info.id);
    let whole = mount.rows(&table);
    assert_eq!(whole.len(), 9);
    let columns: BTreeSet<_> = whole[0].keys().cloned().collect();
    assert!(
        columns.contains("key") && columns.contains("value"),
        "{columns:?}"
    );
    for row in &whole {
        for column in ["key", "value"] {
            let value = row[column].to_string();
            let value = value.trim_matches('"');
            let asked = mount.rows(&format!("{table}@{column}={value}"));
            assert_eq!(asked, std::slice::from_ref(row), "{column}={value}");
        }
    }
    let narrow = mount.text(&format!("{table}@value.csv"));
    assert_eq!(narrow.lines().next(), Some("value"));
}

#[test]
fn a_cgroup_and_a_summary_are_asked() {
    let mount = Mount::new();
    if !needs_table(&mount, "cgroup") {
        return;
    }
    let cgroups = Cgroups::new();
    cgroups.make("user@1000.service");
    let own = cgroups.name();
    let below = format!("cgroup/{own}/cgroup.descendants");
    let whole = mount.rows(&below);
    let id = whole.last().unwrap()["id"].as_u64().unwrap();
    assert_eq!(
        mount.rows(&format!("{below}@id={id}")),
        kept(&whole, "id", id)
    );
    // An `@` in the name of a cgroup asks nothing.
    let inside = mount.rows(&format!(
        "cgroup/{own}/user@1000.service/cgroup.self@id={id}"
    ));
    assert_eq!(inside.len(), 1, "{whole:?}");
    let me = std::process::id();
    let summary = mount.rows(&format!("summary/fds_by_process@pid={me}"));
    assert_eq!(summary.len(), 1, "{summary:?}");
}

#[test]
fn a_user_program_is_asked_if_it_marks_its_rows() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let word = workshop.word("word");
    control.command(&format!("load word {}", word.display()));
    let asked = std::fs::File::open(control.mount().path("user/word@pid=1"));
    assert_eq!(asked.unwrap_err().raw_os_error(), Some(libc::EINVAL));
    let marked = workshop.compile("rows", "rows", &[]);
    control.command(&format!("load marked {}", marked.display()));
    let text = |path: &str| control.mount().text(path);
    assert_eq!(
        text("user/marked@color=green,letters=b,size=4K,path,number.csv"),
        "path,number\r\n\"/x y\n\",42\r\n"
    );
    assert_eq!(text("user/marked@none!=.jsonl"), "");
}

#[test]
fn addresses_that_a_reader_may_not_see_match_nothing() {
    let mount = Mount::configured("", "[[allow]]\npath = \"kernel/ksyms\"\nmode = \"444\"\n");
    if !needs_table(&mount, "kernel/ksyms") {
        return;
    }
    let symbols = mount.rows("kernel/ksyms@name=vfs_read,type=T");
    let address = symbols[0]["address"].as_str().unwrap().to_owned();
    let asked = format!("kernel/ksyms@address={address}.jsonl");
    assert!(mount.text(&asked).contains("vfs_read"));
    let stranger = User::fresh();
    let path = mount.path(&asked);
    let told = stranger.run(|| std::fs::read_to_string(&path).unwrap());
    assert_eq!(told, "");
}

#[test]
fn a_user_holds_a_bounded_number_of_names() {
    let mount = Mount::configured("others=own", "[quota]\nhandles = 4\n");
    let me = User::fresh();
    let hold = |number: u32| -> io::Result<OwnedFd> {
        let path = mount.path(&format!("tasks@pid={number}"));
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let opened = me.run(|| rustix::fs::open(&path, flags, Mode::empty()));
        Ok(opened?)
    };
    let held: Vec<_> = (1..=16).map(|number| hold(number).unwrap()).collect();
    let refused = hold(17).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::EMFILE));
    // Root and other users notice nothing.
    assert!(mount.text("tasks@pid=17.csv").starts_with("pid,"));
    drop(held);
    iterfs_tests::wait::wait_until("names are forgotten", || hold(17).is_ok());
}
