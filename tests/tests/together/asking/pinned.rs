//! Pins that ask: links in bpffs that print the columns and rows for which a name asked.

use iterfs_tests::fixtures::netns::{in_new_net_namespace, run};
use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::fixtures::workshop::Workshop;
use iterfs_tests::mount::control::Control;
use iterfs_tests::not_here::needs_text_mode;
use nix::libc;
use std::net::{TcpListener, TcpStream};

fn words(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines();
    lines
        .map(|line| line.split_whitespace().collect())
        .collect()
}

#[test]
fn a_pin_prints_the_rows_and_columns_that_were_asked_for() {
    if !needs_text_mode() {
        return;
    }
    let control = Control::new();
    let path = "net/tcp@state=LISTEN,local_port,state";
    let told = control.command(&format!("pin {path}"));
    assert!(told.starts_with(&format!("pinned {path} at ")), "{told}");
    in_new_net_namespace(|| {
        run("ip link set lo up");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap();
        let _connected = TcpStream::connect(port).unwrap();
        let port = port.port().to_string();
        assert_eq!(
            words(&control.pins().text(path)),
            [vec!["local_port", "state"], vec![&port, "LISTEN"]]
        );
    });
    control.command(&format!("unpin {path}"));
    assert!(!control.pins().path(path).exists());
}

#[test]
fn a_pin_evaluates_strings_addresses_and_one_process() {
    if !needs_text_mode() {
        return;
    }
    let control = Control::new();
    let workload = Workload::start("idle", &[]);
    let pid = workload.pid();
    let files = format!("files@pid={pid},fd=..2,fd,path");
    control.command(&format!("pin {files} files"));
    let vmas = format!("vmas@pid={pid},path=[stack*,path");
    control.command(&format!("pin {vmas} vmas"));
    for (path, pin) in [(&files, "files"), (&vmas, "vmas")] {
        let (pinned, asked) = (control.pins().text(pin), control.mount().text(path));
        assert!(words(&asked).len() > 1, "{asked}");
        assert_eq!(words(&pinned), words(&asked), "{path}");
    }
}

#[test]
fn the_next_daemon_finds_pins_that_ask() {
    if !needs_text_mode() {
        return;
    }
    let control = Control::new();
    let path = "net/udp@local=127.0.0.0%2F8,local";
    control.command("pin net/udp");
    control.command(&format!("pin {path}"));
    let control = Control::with_pins(control.end(), "");
    control.command("unpin net/udp");
    assert!(!control.pins().path("net/udp").exists());
    // bpffs allows no dot.
    let pin = path.replace('.', "_");
    assert_eq!(words(&control.pins().text(&pin))[0], ["local"]);
    control.command(&format!("unpin {path}"));
    assert!(!control.pins().path(&pin).exists());
}

#[test]
fn no_update_takes_the_question_from_a_pin() {
    if !needs_text_mode() {
        return;
    }
    let (control, workshop) = (Control::new(), Workshop::new());
    control.command("pin tasks@pid=1,pid one");
    control.command("pin tasks all");
    let word = workshop.word("new");
    let update = format!("update tasks {}", word.display());
    let told = control.refused(&update, libc::EOPNOTSUPP);
    assert!(told.contains("pin one answers a question"), "{told}");
    let asked = control.pins().text("one");
    control.command("update tasks default");
    assert_eq!(control.pins().text("one"), asked, "it keeps its question");
    control.command("unpin tasks@pid=1,pid");
    control.command(&update);
    assert_eq!(control.pins().text("all"), "new\n");
    let told = control.refused("pin tasks@pid=1 one", libc::EINVAL);
    assert!(told.contains("prints text itself"), "{told}");
}

#[test]
fn terms_that_need_the_daemon_are_refused() {
    let control = Control::new();
    for terms in ["top=3:fd", "first=2", "every=1s", "whole", "pid=1,first=1"] {
        let told = control.refused(&format!("pin files@{terms} asked"), libc::EOPNOTSUPP);
        assert!(told.contains("need the daemon"), "{terms}: {told}");
    }
    let told = control.refused("pin files@fdd=1 asked", libc::EINVAL);
    assert!(told.contains("did you mean fd?"), "{told}");
    let many: Vec<_> = (0..20).map(|fd| format!("fd={fd}")).collect();
    let told = control.refused(
        &format!("pin files@{} asked", many.join(",")),
        libc::EOPNOTSUPP,
    );
    assert!(told.contains("too many"), "{told}");
    assert!(!control.pins().path("asked").exists());
}
