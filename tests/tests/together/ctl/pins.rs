//! Pins of the built-in tables print the columns of their tables.

use iterfs_tests::fixtures::netns::{in_new_net_namespace, run};
use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::fixtures::workshop::Workshop;
use iterfs_tests::mount::control::Control;
use iterfs_tests::not_here::needs_text_mode;
use nix::libc;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;

fn words(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines();
    lines
        .map(|line| line.split_whitespace().collect())
        .collect()
}

fn header(text: &str) -> Vec<&str> {
    words(text)[0].clone()
}

#[test]
fn a_pin_prints_what_the_table_shows() {
    if !needs_text_mode() {
        return;
    }
    let control = Control::new();
    control.command("pin net/tcp");
    control.command("pin net/ipv6_route routes");
    let (pin, table) = (
        control.pins().text("net/tcp"),
        control.mount().text("net/tcp"),
    );
    assert_eq!(header(&pin), header(&table));
    // Use a namespace of the test's own; a pin shows its opener's namespace.
    in_new_net_namespace(|| {
        run("ip link set lo up");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let pin = control.pins().text("net/tcp");
        let rows = words(&pin);
        assert_eq!(rows.len(), 2, "{pin}");
        assert_eq!(rows[1][..3], ["LISTEN", "127.0.0.1", &port]);
        let routes = control.pins().text("routes");
        assert_eq!(
            words(&routes),
            words(&control.mount().text("net/ipv6_route"))
        );
    });
}

#[test]
fn a_pin_of_one_process_shows_it_alone() {
    if !needs_text_mode() {
        return;
    }
    let control = Control::new();
    let workload = Workload::start("idle", &[]);
    let path = format!("pid/{}/files", workload.pid());
    control.command(&format!("pin {path}"));
    let pin = control.pins().text(&path);
    assert_eq!(words(&pin), words(&control.mount().text(&path)));
    let at = control.pins().path(&path);
    let link: Value = serde_json::from_str(&run(&format!(
        "bpftool -j link show pinned {}",
        at.display()
    )))
    .unwrap();
    assert_eq!(link["pid"], workload.pid());
    assert_eq!(control.lines(&path, true).len(), 1);
    drop(workload);
    // The pin outlives the process.
    control.command(&format!("unpin {path}"));
    assert_eq!(control.lines(&path, true).len(), 0);
}

#[test]
fn every_table_is_pinned_at_once() {
    if !needs_text_mode() {
        return;
    }
    let control = Control::new();
    let own = control.json()["tables"].clone();
    let tables: BTreeSet<String> = own
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["path"].as_str().unwrap().to_owned())
        .filter(|path| !path.contains('<'))
        .collect();
    let told = control.command("pin");
    let report = control.json();
    let pinned = report["tables"].as_array().unwrap().iter();
    let pinned = pinned.filter(|line| !line["pin"].is_null());
    let pinned: BTreeSet<String> = pinned
        .map(|line| line["path"].as_str().unwrap().to_owned())
        .collect();
    // summary/ counts in maps, which a pin does not print.
    let tables: BTreeSet<_> = tables
        .into_iter()
        .filter(|path| !path.starts_with("summary/"))
        .collect();
    assert_eq!(pinned, tables);
    assert_eq!(told, format!("pinned {} tables\n", pinned.len()));
    for path in &pinned {
        let pin = control.pins().text(path);
        let table = control.mount().text(path);
        // Some walks call no program if there are no objects, so no header is printed.
        let rows = control.mount().rows(path).len();
        assert!(!pin.is_empty() || rows == 0, "{path}: {rows} rows");
        let first = words(&pin).into_iter().next();
        assert!(
            first.is_none_or(|first| first == header(&table)),
            "{path}: {pin}"
        );
    }
    // Existing pins stay; a pin that was removed is made again.
    assert_eq!(control.command("pin"), "pinned 0 tables\n");
    fs::remove_file(control.pins().path("net/tcp")).unwrap();
    assert_eq!(control.command("pin"), "pinned 1 table\n");
    control.command("unpin net/tcp");
    assert!(!control.pins().path("net/tcp").exists());
}

#[test]
fn pins_are_found_by_the_next_daemon() {
    if !needs_text_mode() {
        return;
    }
    let control = Control::new();
    control.command("pin net/udp somewhere/else");
    control.command("pin processes");
    let pins = control.end();
    assert!(header(&pins.text("processes")).contains(&"pid"));
    let control = Control::with_pins(pins, "");
    for (path, pin) in [("net/udp", "somewhere/else"), ("processes", "processes")] {
        let lines = control.lines(path, true);
        assert_eq!(lines.len(), 1, "{path}");
        assert_eq!(lines[0]["pin"], control.pins().path(pin).to_str().unwrap());
    }
    control.command("unpin net/udp");
    assert!(!control.pins().path("somewhere").exists());
}

#[test]
fn an_update_reaches_the_pins_and_goes_back() {
    if !needs_text_mode() {
        return;
    }
    let (control, workshop) = (Control::new(), Workshop::new());
    let pins = control.pins();
    control.command("pin tasks a");
    control.command("pin tasks b");
    control.command("pin processes");
    let own = pins.text("a");
    let word = workshop.word("new");
    let told = control.command(&format!("update tasks {}", word.display()));
    assert!(told.starts_with("tasks and 2 pins: "), "{told}");
    assert_eq!(
        (pins.text("a"), pins.text("b")),
        ("new\n".into(), "new\n".into())
    );
    assert!(
        header(&pins.text("processes")).contains(&"comm"),
        "another table"
    );
    let rows = workshop.compile("rows", "rows", &[]);
    let told = control.refused(
        &format!("update tasks {}", rows.display()),
        libc::EOPNOTSUPP,
    );
    assert!(told.contains("unpin it first"), "{told}");
    assert_eq!(pins.text("a"), "new\n");
    control.command("update tasks default");
    for pin in ["a", "b"] {
        assert_eq!(header(&pins.text(pin)), header(&own));
    }
    assert_eq!(header(&control.mount().text("tasks")), header(&own));
}

#[test]
fn a_pin_of_a_maps_elements_prints_them() {
    if !needs_text_mode() {
        return;
    }
    let control = Control::new();
    control.command("pin processes");
    let map = control.pins().path("map");
    let at = map.display();
    run(&format!(
        "bpftool map create {at} type array key 4 value 8 entries 3 name pinned_map"
    ));
    let shown: Value =
        serde_json::from_str(&run(&format!("bpftool -j map show pinned {at}"))).unwrap();
    let path = format!("bpf/map/{}/elements", shown["id"]);
    control.command(&format!("pin {path}"));
    let (pin, table) = (control.pins().text(&path), control.mount().text(&path));
    assert_eq!(words(&pin), words(&table));
}
