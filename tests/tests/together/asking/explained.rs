//! Explanations of names: an extended attribute of the table's directory.

use iterfs_tests::Mount;
use iterfs_tests::fixtures::users::User;
use rustix::fs::{getxattr, getxattr_query, listxattr};
use rustix::io::Errno;
use std::path::Path;
use std::process::Command;

/// The explanation of a name, by a buffer of this size.
fn explained(directory: &Path, name: &str, room: usize) -> Result<String, Errno> {
    let mut value = vec![0; room];
    let attribute = format!("user.iterfs.explain.{name}");
    let length = getxattr(directory, attribute, &mut value[..])?;
    value.truncate(length);
    Ok(String::from_utf8(value).unwrap())
}

#[test]
fn a_directory_explains_the_names_in_it() {
    let mount = Mount::new();
    let told = explained(&mount.path("net"), "tcp@state=LISTEN,uid.csv", 4096).unwrap();
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines[..2], ["table: net/tcp", "walk: tcp, whole"], "{told}");
    assert!(lines[2].starts_with("condition: state=LISTEN ("), "{told}");
    assert!(lines.contains(&"columns: uid"), "{told}");
    let told = explained(mount.directory(), "tasks@stat=running", 4096).unwrap();
    assert!(
        told.starts_with("'stat=running': the table has no column stat; did you mean state?"),
        "{told}"
    );
    assert_eq!(told.lines().count(), 1, "{told}");
}

#[test]
fn a_program_can_ask_how_long_an_explanation_is() {
    let mount = Mount::new();
    let name = "tasks@pid=1,comm";
    let attribute = format!("user.iterfs.explain.{name}");
    let length = getxattr_query(mount.directory(), &attribute).unwrap();
    let told = explained(mount.directory(), name, length).unwrap();
    assert_eq!(told.len(), length);
    let short = explained(mount.directory(), name, length - 1);
    assert_eq!(short, Err(Errno::RANGE));
}

#[test]
fn no_other_attribute_is_there() {
    let mount = Mount::new();
    for path in ["", "net", "tasks", "tasks@pid=1"] {
        let path = mount.path(path);
        for attribute in ["user.x", "user.iterfs.explain", "security.capability"] {
            let found = getxattr(&path, attribute, &mut [0_u8; 64]);
            assert!(
                matches!(found, Err(Errno::OPNOTSUPP | Errno::NODATA)),
                "{attribute} of {}: {found:?}",
                path.display()
            );
        }
        assert_eq!(listxattr(&path, &mut [0_u8; 64]), Ok(0));
    }
    let nothing = explained(mount.directory(), "nothing@pid=1", 64);
    assert_eq!(nothing, Err(Errno::NOENT));
    let of_file = explained(&mount.path("tasks"), "tasks@pid=1", 64);
    assert_eq!(of_file, Err(Errno::NOENT));
}

#[test]
fn tools_that_look_for_attributes_still_work() {
    let mount = Mount::new();
    let copy = tempfile::tempdir().unwrap();
    let file = mount.path("net/tcp@state=LISTEN.csv");
    for (tool, arguments) in [("ls", &["-l"][..]), ("cp", &["-a"])] {
        let mut command = Command::new(tool);
        command.args(arguments).arg(&file);
        if tool == "cp" {
            command.arg(copy.path().join("copy"));
        }
        let done = command.output().unwrap();
        assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
    }
}

#[test]
fn a_user_without_rights_gets_no_explanation() {
    let mount = Mount::new();
    let stranger = User::fresh();
    let told = stranger.run(|| explained(mount.directory(), "tasks@pid=1", 4096));
    assert_eq!(told, Err(Errno::ACCESS));
}
