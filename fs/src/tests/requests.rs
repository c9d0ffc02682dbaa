//! Attributes, and how long they may be believed.

use super::fixture::*;
use rstest::rstest;
use std::time::Duration;

#[rstest]
#[case("tasks", true)]
#[case("net/tcp.csv", true)]
#[case("pid", true)]
#[case("user", true)]
#[case("pid/42", false)]
#[case("pid/42/files", false)]
#[case("bpf/maps", false)]
#[case("kernel", false)]
#[case("cgroup/system.slice", false)]
#[case("ctl", false)]
fn the_kernel_keeps_only_what_does_not_depend_on_who_asks(
    #[case] path: &str,
    #[case] is_kept: bool,
) {
    let tree = tree();
    let lifetime = tree.root().stat(path).unwrap().lifetime;
    assert_eq!(lifetime > Duration::ZERO, is_kept);
}

#[test]
fn a_table_in_user_is_never_kept() {
    let tree = tree();
    tree.ctl("load mine /records.o").unwrap();
    let lifetime = tree.root().stat("user/mine").unwrap().lifetime;
    assert_eq!(lifetime, Duration::ZERO);
}
