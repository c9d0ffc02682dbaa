//! `bpf/map/<id>/elements`: maps that are large, that change or go meanwhile, and who may
//! read them.

use iterfs_tests::Mount;
use iterfs_tests::fixtures::bpf_maps::{id, load, map_of, plain, set};
use iterfs_tests::fixtures::container::IN_NEW_PID_NAMESPACE;
use iterfs_tests::fixtures::users::User;
use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::wait::wait_until;
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType};
use nix::libc;
use serde_json::Value;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) const SOURCE: &str = concat!(
    include_str!("programs/maps.h"),
    include_str!("programs/elements.bpf.c")
);

pub(super) fn table(map: &impl MapCore) -> String {
    format!("bpf/map/{}/elements", id(map))
}

pub(super) fn rows(mount: &Mount, map: &impl MapCore) -> Vec<Value> {
    let rows = mount.rows(&table(map));
    rows.into_iter().map(Value::Object).collect()
}

#[test]
fn a_hundred_thousand_elements_are_all_there() {
    const COUNT: u32 = 100_000;
    let mount = Mount::new();
    let map = plain(MapType::Hash, 4, 8, COUNT);
    let keys: Vec<u8> = (0..COUNT).flat_map(u32::to_ne_bytes).collect();
    let values: Vec<u8> = (0..COUNT)
        .flat_map(|n| u64::from(n).to_ne_bytes())
        .collect();
    map.update_batch(&keys, &values, COUNT, MapFlags::ANY, MapFlags::ANY)
        .unwrap();
    let mut found = vec![false; COUNT as usize];
    for row in rows(&mount, &map) {
        let number = |column: &str| -> u32 {
            let hex = &row[column].as_str().unwrap()[..8];
            u32::from_str_radix(hex, 16).unwrap().swap_bytes()
        };
        let key = number("key");
        assert_eq!(number("value"), key);
        assert!(!found[key as usize], "{key} came twice");
        found[key as usize] = true;
    }
    assert!(found.iter().all(|found| *found));
}

#[test]
fn an_empty_map_has_a_header_and_no_rows() {
    let mount = Mount::new();
    let map = map_of(&load(SOURCE), "in_numbers");
    let path = table(&map);
    assert_eq!(mount.text(&path).lines().count(), 1);
    assert_eq!(mount.text(&format!("{path}.json")), "[]\n");
    assert_eq!(mount.text(&format!("{path}.jsonl")), "");
    assert_eq!(mount.text(&format!("{path}.csv")), "key,value\r\n");
}

#[test]
fn a_map_written_to_while_it_is_read_shows_no_torn_value() {
    const STAYING: u32 = 1000;
    let mount = Mount::new();
    let map = map_of(&load(SOURCE), "in_many");
    let put = |key: u32| {
        set(
            &map,
            &key.to_ne_bytes(),
            &(u64::from(key) << 8).to_ne_bytes(),
        )
    };
    (0..STAYING).for_each(put);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for key in (STAYING..5000).cycle() {
                put(key);
                map.delete(&(key - 1).max(STAYING).to_ne_bytes()).ok();
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        for _ in 0..20 {
            for row in rows(&mount, &map) {
                let key = row["key"].as_u64().unwrap();
                assert!(key < 5000);
                assert_eq!(row["value"], key << 8);
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    // With the map at rest, all elements that stayed are there.
    let keys: HashSet<_> = rows(&mount, &map)
        .iter()
        .map(|row| row["key"].as_u64().unwrap() as u32)
        .collect();
    assert!((0..STAYING).all(|key| keys.contains(&key)));
}

fn directory(mount: &Mount, map: &impl MapCore) -> PathBuf {
    mount.path(&format!("bpf/map/{}", id(map)))
}

#[test]
fn only_maps_that_can_be_walked_have_a_directory() {
    let mount = Mount::new();
    let map = plain(MapType::Hash, 4, 4, 1);
    let names = fs::read_dir(directory(&mount, &map)).unwrap();
    let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    let expected = [
        "elements",
        "elements.csv",
        "elements.json",
        "elements.jsonl",
    ];
    assert_eq!(names, expected);
    let listed = |map: &MapHandle| {
        let mut names = fs::read_dir(mount.path("bpf/map")).unwrap();
        let name = id(map).to_string();
        names.any(|entry| entry.unwrap().file_name().to_str() == Some(&name))
    };
    assert!(listed(&map));

    for (kind, key, entries) in [(MapType::Queue, 0, 1), (MapType::Stack, 0, 1)] {
        let map = plain(kind, key, 4, entries);
        assert!(!listed(&map), "{kind:?}");
        let error = fs::metadata(directory(&mount, &map)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{kind:?}");
    }
}

#[test]
fn a_map_deleted_since_its_lookup_is_not_there() {
    let mount = Mount::new();
    let map = plain(MapType::Hash, 4, 4, 1);
    let number = id(&map);
    let path = mount.path(&table(&map));
    // Finds the file and does not open it.
    let place = File::options()
        .read(true)
        .custom_flags(libc::O_PATH)
        .open(&path)
        .unwrap();
    let reopen = || {
        use std::os::fd::AsRawFd;
        File::open(format!("/proc/self/fd/{}", place.as_raw_fd()))
    };
    reopen().unwrap();
    drop(map);
    // The kernel frees a map a grace period after its last reference.
    let gone = || MapHandle::from_map_id(number).is_err();
    wait_until("the map is gone", gone);
    let error = reopen().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    assert_eq!(fs::metadata(&path).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_map_deleted_while_it_is_read_is_read_to_its_end() {
    let mount = Mount::new();
    let map = plain(MapType::Array, 4, 1024, 5000);
    let mut file = File::open(mount.path(&format!("{}.jsonl", table(&map)))).unwrap();
    let mut text = vec![0; 1];
    std::io::Read::read_exact(&mut file, &mut text).unwrap();
    drop(map);
    std::io::Read::read_to_end(&mut file, &mut text).unwrap();
    assert_eq!(text.iter().filter(|byte| **byte == b'\n').count(), 5000);
}

#[test]
fn root_alone_reads_whatever_the_mode() {
    let mount = Mount::with_options("mode=0444");
    let map = plain(MapType::Hash, 4, 4, 1);
    let path = mount.path(&table(&map));
    let user = User::fresh();
    let cat = |path: &Path| user.command("cat").arg(path).output().unwrap();
    assert!(cat(&mount.path("bpf/maps")).status.success());
    let output = cat(&path);
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("Permission denied"),
        "{output:?}"
    );
    assert!(!mount.read(&table(&map)).is_empty());
}

#[test]
fn a_reader_in_another_pid_namespace_has_no_maps() {
    let mount = Mount::new();
    let map = plain(MapType::Hash, 4, 4, 1);
    let mut reader = Workload::under(&IN_NEW_PID_NAMESPACE, "threads");
    for path in [mount.path(&table(&map)), directory(&mount, &map)] {
        let answer = reader.ask("open", &path);
        assert_eq!(answer["errno"], libc::ENOENT, "{answer}");
    }
}
