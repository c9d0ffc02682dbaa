//! Names that ask for one pass after another.

use super::fixture::*;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// Reads the passes of an open file, and gives each to `see`.
fn passes(who: Who<'_>, handle: u64, mut see: impl FnMut(&str) -> ControlFlow<()>) -> String {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut offset = 0;
    loop {
        assert!(Instant::now() < deadline, "the file goes on");
        match who.read_at(handle, offset) {
            Ok(bytes) => {
                offset += bytes.len() as u64;
                if see(std::str::from_utf8(&bytes).unwrap()).is_break() {
                    return String::new();
                }
            }
            failed => return errno(failed),
        }
    }
}

#[test]
fn each_pass_shows_the_table_as_it_is_then() {
    let tree = tree();
    let root = tree.root();
    let handle = root.open("tasks@uid=1001,pid,every=10ms.csv").unwrap();
    let mut shown = Vec::new();
    passes(root, handle, |pass| {
        let pids = pass
            .lines()
            .filter_map(|line| Some(line.split_once(",")?.1.to_owned()));
        shown.push(pids.collect::<Vec<_>>());
        match shown.len() {
            1 => tree.fake.end(71),
            2 => tree.fake.run(99, 1001),
            _ => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    });
    assert_eq!(shown[0], ["pid", "42", "71"]);
    assert_eq!(shown[1], ["42"]);
    assert_eq!(shown[2], ["42", "99"]);
    tree.operations.release(handle);
}

#[test]
fn a_table_that_is_unloaded_ends_the_file() {
    let tree = tree();
    tree.ctl("load mine /records.o").unwrap();
    let handle = tree.root().open("user/mine@pid,every=10ms.jsonl").unwrap();
    let mut seen = 0;
    let ended = passes(tree.root(), handle, |_| {
        seen += 1;
        if seen == 2 {
            tree.ctl("unload mine").unwrap();
        }
        ControlFlow::Continue(())
    });
    assert!(seen >= 2, "{seen}");
    assert_eq!(ended, "ENOENT");
}

#[test]
fn passes_in_a_container_end_with_the_thread_that_opened_the_file() {
    let tree = tree();
    let inside = tree.as_thread(CONTAINED_ROOT);
    let handle = inside.open("tasks@pid,every=10ms.csv").unwrap();
    let mut seen = 0;
    let ended = passes(tree.root(), handle, |_| {
        seen += 1;
        if seen == 2 {
            tree.fake.gone.lock().insert(CONTAINED_ROOT);
        }
        ControlFlow::Continue(())
    });
    assert!(seen >= 2, "{seen}");
    assert_eq!(ended, "ESRCH");
}

#[test]
fn passes_on_the_host_go_on_without_the_thread_that_opened_the_file() {
    let tree = tree();
    let handle = tree.root().open("tasks@pid,every=10ms.csv").unwrap();
    tree.fake.gone.lock().insert(ROOT);
    let mut seen = 0;
    let ended = passes(tree.root(), handle, |_| {
        seen += 1;
        match seen {
            3 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    assert_eq!(ended, "");
}
