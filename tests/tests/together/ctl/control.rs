//! The control file: commands, their outcomes, and the report.

use iterfs_tests::errno::errno_of;
use iterfs_tests::fixtures::users::User;
use iterfs_tests::fixtures::workshop::Workshop;
use iterfs_tests::mount::control::{Control, write};
use iterfs_tests::oracles::told::Redacted;
use nix::libc;
use nix::sys::stat::Mode;
use nix::sys::uio::pwrite;
use nix::unistd::mkfifo;
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;

/// A mount with `user/w`, which says `old`.
fn with_word() -> (Control, Workshop) {
    let (control, workshop) = (Control::new(), Workshop::new());
    let object = workshop.word("old");
    control.command(&format!("load w {}", object.display()));
    (control, workshop)
}

fn shell(command: &str) -> (Option<i32>, String) {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn a_descriptor_reads_the_outcome_of_its_last_command() {
    let (control, _workshop) = with_word();
    let mut one = control.open();
    let mut other = control.open();
    assert_eq!(write(&mut one, b"unload w").unwrap(), "unloaded user/w\n");
    let refused = write(&mut other, b"unload w\n").unwrap_err();
    assert_eq!(refused.errno, libc::ENOENT);
    assert_eq!(refused.told, "ENOENT: no table user/w\n");
    // The file stays at its end until the next command. Without a command it reads as a report.
    assert_eq!(one.read(&mut [0; 9]).unwrap(), 0);
    assert!(
        write(&mut one, b"nonsense")
            .unwrap_err()
            .told
            .starts_with("EINVAL: ")
    );
    let mut fresh = control.open();
    let mut report = String::new();
    fresh.read_to_string(&mut report).unwrap();
    assert!(report.starts_with("path"), "{report}");
    assert_eq!(fresh.read(&mut [0; 9]).unwrap(), 0);
    let refused = write(&mut fresh, b"unload w\n").unwrap_err();
    assert_eq!(refused.told, "ENOENT: no table user/w\n");
    // A new outcome replaces an unread one, and small reads lose nothing.
    assert!(one.write(b"unload w").is_err());
    assert!(one.write(b"unpin tasks").is_err());
    let mut told = Vec::new();
    let mut byte = [0];
    while one.read(&mut byte).unwrap() == 1 {
        told.extend(byte);
    }
    assert_eq!(told, b"ENOENT: 'tasks' is not pinned\n");
}

#[test]
fn every_way_of_writing_a_command_works() {
    let (control, _workshop) = with_word();
    let ctl = control.mount().path("ctl");
    let at = ctl.display();
    assert_eq!(
        shell(&format!("/bin/echo unload w > {at}")),
        (Some(0), String::new())
    );
    let (code, said) = shell(&format!("/bin/echo unload w > {at}"));
    assert!(code != Some(0) && said.contains("No such file"), "{said}");
    let (code, said) = shell(&format!("/bin/echo unload w >> {at}"));
    assert!(code != Some(0) && said.contains("No such file"), "{said}");
    let (code, said) = shell(&format!("exec 3<>{at}; echo unpin >&3 && cat <&3"));
    assert_eq!((code, &*said), (Some(0), "unpinned 0 links\n"));
    let (code, said) = shell(&format!("echo unpin | tee {at}; cat {at} | head -c 4"));
    assert_eq!((code, &*said), (Some(0), "unpin\npath"));
    let script = format!(
        "with open('{at}', 'w') as f: f.write('unpin')\n\
         f = open('{at}', 'r+b', buffering=0)\n\
         f.write(b'unpin\\n'); print(f.read())\n\
         try: f.write(b'unload')\n\
         except OSError as e: print(e.errno, f.read())\n\
         with open('{at}', 'a') as f: f.write('unpin')\n"
    );
    let output = Command::new("python3")
        .args(["-c", &script])
        .output()
        .unwrap();
    let expected = "b'unpinned 0 links\\n'\n\
        22 b'EINVAL: usage: unload NAME\\n'\n";
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        expected,
        "{:?}",
        output.stderr
    );

    // Appending, again and again on one descriptor.
    let mut appending = OpenOptions::new();
    let mut appending = appending.append(true).read(true).open(&ctl).unwrap();
    for _ in 0..3 {
        assert_eq!(
            write(&mut appending, b"unpin").unwrap(),
            "unpinned 0 links\n"
        );
    }
    let truncating = OpenOptions::new().write(true).truncate(true).open(&ctl);
    assert_eq!(truncating.unwrap().write(b"unpin").unwrap(), 5);
    // There are no positions.
    let mut file = control.open();
    for offset in [0, 1, 4096] {
        let error = pwrite(&file, b"unpin", offset).unwrap_err();
        assert_eq!(error as i32, libc::ESPIPE);
    }
    assert_eq!(
        errno_of(&file.seek(SeekFrom::Start(0)).unwrap_err()),
        libc::ESPIPE
    );
    assert_eq!(file.write(b"").unwrap(), 0);
    assert_eq!(fs::metadata(&ctl).unwrap().len(), 0);
}

#[test]
fn a_text_that_is_not_a_command_is_refused_and_changes_nothing() {
    let (control, workshop) = with_word();
    let old = workshop.word("old");
    let old = old.display();
    let many = "x".repeat(4097);
    let lines = |text: &str| format!("load a {old}\n{text}");
    // Looking up a process or a map loads the programs that find them.
    for table in ["processes", "bpf/maps"] {
        assert!(!control.mount().rows(table).is_empty());
    }
    let before = state(&control);
    let redacted = Redacted::default()
        .value(&old, "[OBJECT]")
        .value(&many, "[TOO LONG]");
    let mut all = String::new();
    for (bytes, errno, told) in [
        (&b""[..], 0, ""),
        (b"\n", libc::EINVAL, "empty command"),
        (b"dance", libc::EINVAL, "unknown command 'dance'"),
        (b"PIN", libc::EINVAL, "unknown command 'PIN'"),
        (b"pin a b c", libc::EINVAL, "pin [PATH [PIN]]"),
        (b"unpin a b", libc::EINVAL, "unpin [PATH]"),
        (b"update", libc::EINVAL, "update PATH OBJECT"),
        (b"update tasks", libc::EINVAL, "update PATH OBJECT"),
        (b"load a", libc::EINVAL, "load NAME OBJECT"),
        (b"unload", libc::EINVAL, "unload NAME"),
        (b"unload a b", libc::EINVAL, "unload NAME"),
        (b"reload now", libc::EINVAL, "usage: reload"),
        (b"pin\0", libc::EINVAL, "NUL"),
        (b"unload \xff\xfe", libc::EILSEQ, "UTF-8"),
        (b"unload w\\400", libc::EINVAL, "invalid escape"),
        (many.as_bytes(), libc::EMSGSIZE, "4096"),
        (lines("unload w").as_bytes(), libc::EINVAL, "one command"),
        (b"pin no/such", libc::ENOENT, "no table 'no/such'"),
        (b"pin pid/4294967295/files", libc::ENOENT, "no table"),
        (b"pin bpf/map/4294967295/elements", libc::ENOENT, "no table"),
        (b"pin a\\012b", libc::ENOENT, "no table 'a\\nb'"),
        (b"dance\\012b\\033", libc::EINVAL, "'dance\\nb\\u{1b}'"),
        (b"pin net", libc::EINVAL, "not a table"),
        (b"pin tasks.json", libc::EINVAL, "without a format"),
        (b"pin ctl", libc::EINVAL, "not a table"),
        (b"pin ../tasks", libc::ENOENT, "no table"),
        (b"unpin tasks", libc::ENOENT, "not pinned"),
        (b"unload nobody", libc::ENOENT, "user/nobody"),
        (b"update nobody /a.o", libc::ENOENT, "no table 'nobody'"),
        (
            b"update user/w default",
            libc::EINVAL,
            "has no program of its own",
        ),
        (b"update user/w /no/such.o", libc::ENOENT, "/no/such.o"),
        (b"load a relative.o", libc::EINVAL, "absolute"),
        (b"load a /no/such.o", libc::ENOENT, "/no/such.o"),
        (b"load a /dev/null", libc::ENOEXEC, "regular file"),
        (b"load a /etc/passwd", libc::ENOEXEC, "ELF"),
        (b"load a /bin/sh", libc::ENOEXEC, "(libbpf: "),
        (b"load a /", libc::ENOEXEC, "regular file"),
        (
            format!("load w {old}").as_bytes(),
            libc::EEXIST,
            "user/w already exists",
        ),
        (
            format!("load ../w {old}").as_bytes(),
            libc::EINVAL,
            "letters, digits",
        ),
        (
            format!("load a.b {old}").as_bytes(),
            libc::EINVAL,
            "letters, digits",
        ),
        (
            format!("load a {old} shout").as_bytes(),
            libc::ENOENT,
            "'shout'; its iterator programs are say",
        ),
        (
            format!("load a {old} say x").as_bytes(),
            libc::EINVAL,
            "invalid parameter",
        ),
        (
            format!("load a {old} pid=1 tid=1").as_bytes(),
            libc::EINVAL,
            "give one of",
        ),
        (
            format!("load a {old} pid=-1").as_bytes(),
            libc::EINVAL,
            "invalid parameter",
        ),
    ] {
        let shown = String::from_utf8_lossy(bytes);
        if bytes.is_empty() {
            // The kernel does not pass an empty write on.
            assert_eq!(control.open().write(bytes).unwrap(), 0);
            continue;
        }
        let refused = control.try_command(bytes).expect_err(&shown);
        assert_eq!(refused.errno, errno, "{shown}: {}", refused.told);
        assert!(refused.told.contains(told), "{shown}: {}", refused.told);
        assert_eq!(refused.told.lines().count(), 1, "{shown}: {}", refused.told);
        all += &format!("{:?}\n    {}", shown, refused.told);
    }
    insta::assert_snapshot!("refused_commands", redacted.text(&all));
    assert_eq!(state(&control), before);
    assert_eq!(control.mount().text("user/w"), "old\n");
    assert_eq!(fs::read_dir(control.pins().directory()).unwrap().count(), 0);
}

/// The programs and links in a report, without its counts.
fn state(control: &Control) -> Vec<Value> {
    let report = control.json();
    let tables = report["tables"].as_array().unwrap().iter();
    let told = tables.map(|line| {
        let mut line = line.clone();
        for count in ["opens", "rows", "bytes"] {
            line[count] = Value::Null;
        }
        line
    });
    told.collect()
}

/// Files that never end, that wait for a writer, or that are cut short.
#[test]
fn odd_objects_are_refused() {
    let (control, workshop) = with_word();
    let fifo = workshop.path("fifo");
    mkfifo(&fifo, Mode::S_IRUSR).unwrap();
    let own = control.mount().path("tasks");
    for path in [&fifo, Path::new("/dev/zero"), &own] {
        let told = control.refused(&format!("load a {}", path.display()), libc::ENOEXEC);
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    let whole = fs::read(workshop.word("old")).unwrap();
    let cut = workshop.path("cut.o");
    for length in (0..whole.len()).step_by(97) {
        fs::write(&cut, &whole[..length]).unwrap();
        let refused = control.try_command(format!("load a {}", cut.display()));
        let refused = refused.expect_err("an object that is cut short");
        assert_eq!(refused.errno, libc::ENOEXEC, "{length}: {}", refused.told);
    }
    assert_eq!(control.mount().text("user/w"), "old\n");
}

#[test]
fn the_verifiers_reason_is_told() {
    let (control, workshop) = with_word();
    let object = workshop.compile("refused", "refused", &[]);
    let at = object.display();
    let told = control.refused(&format!("load careless {at}"), libc::EACCES);
    let (line, log) = told.split_once('\n').unwrap();
    assert!(
        line.starts_with("EACCES: ") && line.contains("or_null_"),
        "{line}"
    );
    assert!(
        log.contains("BEGIN PROG LOAD LOG") && log.contains("processed "),
        "{log}"
    );
    // Written by echo, it is read by cat.
    let ctl = control.mount().path("ctl");
    let (code, said) = shell(&format!("/bin/echo update user/w {at} > {}", ctl.display()));
    assert!(
        code != Some(0) && said.contains("Permission denied"),
        "{said}"
    );
    let report = control.report();
    assert!(
        report.contains(&format!("# last command: update user/w {at}\n# EACCES: ")),
        "{report}"
    );
    assert!(report.contains("# processed "), "{report}");
    let failure = control.json()["last_failure"].clone();
    assert_eq!(failure["error"], "EACCES");
    assert!(failure["log"].as_str().unwrap().contains("processed "));
    assert_eq!(control.mount().text("user/w"), "old\n");
    control.command("unload w");
    assert_eq!(control.json()["last_failure"], Value::Null);
}

#[test]
fn the_report_tells_what_is_loaded() {
    let (control, workshop) = with_word();
    let mount = control.mount();
    let tasks = control.line("tasks");
    assert_eq!(tasks["target"], "task");
    assert_eq!(
        (&tasks["program"], &tasks["opens"]),
        (&Value::Null, &0.into())
    );
    let rows = mount.rows("net/netlink").len();
    let bytes = mount.read("net/netlink").len();
    let line = control.line("net/netlink");
    assert_eq!(line["opens"], 2);
    assert_eq!(line["rows"], 2 * rows);
    assert!(line["bytes"].as_u64().unwrap() > bytes as u64);
    for (path, target) in [("net/netlink", "netlink"), ("user/w", "task")] {
        let line = control.line(path);
        let (program, link) = (line["program"].to_string(), line["link"].to_string());
        let shown = |kind: &str, id: &str| -> Value {
            let text =
                iterfs_tests::fixtures::netns::run(&format!("bpftool -j {kind} show id {id}"));
            serde_json::from_str(&text).unwrap()
        };
        assert_eq!(shown("prog", &program)["tag"], line["tag"]);
        assert_eq!(shown("link", &link)["prog_id"], line["program"]);
        assert_eq!(shown("link", &link)["target_name"], target);
        assert_eq!(line["target"], target);
    }
    assert_eq!(control.line("user/w")["opens"], 0);
    assert_eq!(mount.text("user/w"), "old\n");
    let line = control.line("user/w");
    assert_eq!(
        (&line["opens"], &line["rows"], &line["bytes"]),
        (&1.into(), &1.into(), &4.into())
    );
    // The text has the same lines, each of as many words.
    let report = control.report();
    insta::assert_snapshot!("report", without_numbers(&report));
    let lines: Vec<Vec<&str>> = report
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert!(lines.iter().all(|line| line.len() == 10), "{report}");
    assert_eq!(
        lines.len() - 1,
        control.json()["tables"].as_array().unwrap().len()
    );
    // Counts start again at each load.
    control.command("unload w");
    assert!(control.lines("user/w", false).is_empty());
    control.command(&format!("load w {}", workshop.word("old").display()));
    assert_eq!(control.line("user/w")["opens"], 0);
}

/// Some lines of a report, with names in place of what the kernel numbers or changes.
fn without_numbers(report: &str) -> String {
    let mut lines = String::new();
    for line in report.lines() {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        match words.first() {
            Some(&"path") => {}
            Some(&("user/w" | "net/netlink")) => {
                [words[2], words[3], words[4]] = ["PROGRAM", "TAG", "LINK"];
                [words[7], words[8]] = ["ROWS", "BYTES"];
            }
            _ => continue,
        }
        lines += &(words.join(" ") + "\n");
    }
    lines
}

#[test]
fn only_root_opens_the_control_file() {
    let control = Control::with_pins(Default::default(), "mode=0444");
    let mode = |name: &str| {
        let metadata = fs::metadata(control.mount().path(name)).unwrap();
        metadata.permissions().mode() & 0o777
    };
    assert_eq!((mode("ctl"), mode("ctl.json")), (0o600, 0o400));
    let user = User::fresh();
    for name in ["ctl", "ctl.json"] {
        let path = control.mount().path(name);
        let output = user.command("cat").arg(&path).output().unwrap();
        assert!(
            !output.status.success() && output.stdout.is_empty(),
            "{output:?}"
        );
        let mut written = user.command("sh");
        let written = written.args(["-c", &format!("echo unpin > {}", path.display())]);
        assert!(!written.output().unwrap().status.success());
    }
    let mut json = OpenOptions::new();
    let mut json = json
        .write(true)
        .open(control.mount().path("ctl.json"))
        .unwrap();
    assert_eq!(errno_of(&json.write(b"unpin").unwrap_err()), libc::EIO);
}

/// Each write is authorised by its writer, not by who opened the file.
#[test]
fn a_passed_descriptor_takes_commands_from_root_of_the_host_alone() {
    let (control, _workshop) = with_word();
    let mut file = control.open();
    let user = User::fresh();
    for who in [&user, &user.clone().in_groups(&[0])] {
        let error = who.run(|| file.write(b"unload w").unwrap_err());
        assert_eq!(errno_of(&error), libc::EACCES, "{who:?}");
        // A real user id of root does not help a thread that acts for a user.
        let error = who.run_for_root(|| file.write(b"unload w").unwrap_err());
        assert_eq!(errno_of(&error), libc::EACCES, "{who:?}");
    }
    let ctl = control.mount().path("ctl");
    let container = "unshare --pid --fork --mount-proc --kill-child";
    let (uid, gid) = (user.uid, user.gid);
    for writer in [
        &*format!("setpriv --reuid {uid} --regid {gid} --clear-groups"),
        container,
        "unshare --user --map-root-user",
    ] {
        let script = format!(
            "exec 3<>{}; {writer} /bin/sh -c '/bin/echo unload w >&3'",
            ctl.display()
        );
        let (code, said) = shell(&script);
        assert!(
            code != Some(0)
                && (said.contains("Permission denied") || said.contains("No such file")),
            "{writer}: {code:?} {said}"
        );
    }
    // A refused write leaves nothing to read, and the table is still there.
    let mut told = String::new();
    file.read_to_string(&mut told).unwrap();
    assert!(told.starts_with("path"), "{told}");
    assert_eq!(control.mount().text("user/w"), "old\n");
    assert_eq!(write(&mut file, b"unload w").unwrap(), "unloaded user/w\n");
}

#[test]
fn a_read_only_mount_takes_no_commands() {
    let control = Control::with_pins(Default::default(), "ro");
    let mut options = OpenOptions::new();
    let opened = options.write(true).open(control.mount().path("ctl"));
    assert_eq!(errno_of(&opened.unwrap_err()), libc::EROFS);
    assert!(control.report().starts_with("path"));
}

#[test]
fn each_of_many_writers_has_its_own_outcome() {
    const WRITERS: usize = 24;
    let (control, workshop) = with_word();
    let object = workshop.word("old");
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (control, object) = (&control, &object);
            scope.spawn(move || {
                for _ in 0..20 {
                    let mut file = control.open();
                    let load = format!("load t{writer} {}", object.display());
                    let told = write(&mut file, load.as_bytes()).unwrap();
                    assert_eq!(told, format!("loaded user/t{writer}\n"));
                    let again = write(&mut file, load.as_bytes()).unwrap_err();
                    assert_eq!(again.errno, libc::EEXIST);
                    let unload = format!("unload t{writer}");
                    let told = write(&mut file, unload.as_bytes()).unwrap();
                    assert_eq!(told, format!("unloaded user/t{writer}\n"));
                    assert!(control.report().starts_with("path"));
                }
            });
        }
    });
    assert_eq!(
        fs::read_dir(control.mount().path("user")).unwrap().count(),
        1
    );
}
