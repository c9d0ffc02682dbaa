//! A mount comes up, shows the tree and goes.

use iterfs_tests::Mount;

#[test]
fn the_root_lists_what_can_be_opened() {
    let mount = Mount::new();
    let mut names: Vec<_> = std::fs::read_dir(mount.directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(names.contains(&"tasks".to_owned()), "{names:?}");
    for name in names.iter().filter(|name| mount.path(name).is_file()) {
        assert!(!mount.read(name).is_empty(), "{name}");
    }
}
