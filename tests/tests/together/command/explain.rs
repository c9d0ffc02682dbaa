//! `iterfs explain`: how a name is answered, or why it cannot be.

use iterfs_tests::Mount;
use iterfs_tests::fixtures::programs;
use iterfs_tests::fixtures::users::User;
use iterfs_tests::mount::installed::{Outcome, finish};
use std::path::Path;
use std::process::Command;

fn explain(path: &Path) -> Outcome {
    finish(Command::new(programs::iterfs()).arg("explain").arg(path))
}

/// The one line of a failure.
fn refused(path: &Path) -> String {
    let outcome = explain(path);
    assert_eq!(
        (outcome.code, &*outcome.output),
        (Some(1), ""),
        "{outcome:?}"
    );
    assert_eq!(outcome.complaint.lines().count(), 1, "{outcome:?}");
    outcome.complaint
}

#[test]
fn the_daemon_explains_names() {
    let mount = Mount::new();
    let outcome = explain(&mount.path("net/tcp@state=LISTEN,local_port,uid.json"));
    assert_eq!(
        (outcome.code, &*outcome.complaint),
        (Some(0), ""),
        "{outcome:?}"
    );
    assert!(
        outcome.output.starts_with("table: net/tcp\n"),
        "{outcome:?}"
    );
    assert!(
        outcome.output.contains("\ncolumns: local_port,uid\n"),
        "{outcome:?}"
    );
    // A relative path is one from the working directory.
    let mut command = Command::new(programs::iterfs());
    command.args(["explain", "tcp@state=LISTEN"]);
    let outcome = finish(command.current_dir(mount.path("net")));
    assert!(
        outcome.output.contains("condition: state=LISTEN"),
        "{outcome:?}"
    );
    let mut user = User::fresh().command(programs::iterfs());
    let outcome = finish(user.arg("explain").arg(mount.path("net/tcp@uid=0")));
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(
        outcome.complaint.contains("Permission denied"),
        "{outcome:?}"
    );
}

#[test]
fn a_name_that_asks_in_vain_is_explained_in_one_line() {
    let mount = Mount::new();
    let misspelt = refused(&mount.path("net/tcp@state=LISTN"));
    assert!(misspelt.contains("did you mean LISTEN?"), "{misspelt}");
    let missing = refused(&mount.path("net/tcp@port=22"));
    assert!(
        missing.contains("the table has no column port"),
        "{missing}"
    );
    let nothing = refused(&mount.path("net/tpc@uid=0"));
    assert!(nothing.contains("there is no table"), "{nothing}");
    let long = format!("net/tcp@uid={}", "0".repeat(240));
    assert!(refused(&mount.path(&long)).contains("too long"));
    assert!(refused(Path::new("/etc/x@y")).contains("not below a mounted iterfs"));
}
