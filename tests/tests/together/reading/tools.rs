//! The tools with which people read /proc read the tables as they read files.
//!
//! Each command is run on a table and on a plain copy of it, and must say and do
//! the same.

use iterfs_mapping::Format;
use iterfs_tests::Mount;
use iterfs_tests::fixtures::many_files::ManyFiles;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// The files of a process in which nothing changes, and a copy of each.
struct Tables {
    mount: Mount,
    process: ManyFiles,
    copies: TempDir,
}

impl Tables {
    fn new(files: usize) -> Tables {
        let tables = Tables {
            mount: Mount::new(),
            process: ManyFiles::start(1, files),
            copies: tempfile::tempdir().unwrap(),
        };
        for suffix in Format::ALL.map(Format::suffix) {
            let name = format!("files{suffix}");
            let bytes = tables
                .mount
                .read(&format!("{}{suffix}", tables.process.table()));
            fs::write(tables.copies.path().join(name), bytes).unwrap();
        }
        tables
    }

    /// Runs a script in the table's directory and in that of the copies.
    fn check(&self, script: &str) {
        let process = format!("pid/{}", self.process.pid());
        let ours = shell(script, &self.mount.path(&process));
        let plain = shell(script, self.copies.path());
        assert!(plain.status.success(), "{script}: {plain:?}");
        assert!(!plain.stdout.is_empty(), "{script} tells nothing");
        let error = String::from_utf8_lossy(&ours.stderr);
        assert!(
            ours.status.success() && error.is_empty(),
            "{script}: {error}"
        );
        assert!(ours.stdout == plain.stdout, "{script} gives something else");
    }

    fn check_all(&self, scripts: &[&str]) {
        for script in scripts {
            self.check(script);
        }
    }
}

fn shell(script: &str, directory: &Path) -> Output {
    Command::new("bash")
        .args(["-eu", "-o", "pipefail", "-c", script])
        .current_dir(directory)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Commands whose work does not depend on where they stop reading.
const READERS: &[&str] = &[
    "cat files",
    "cat < files",
    "cat files files",
    "head -n 2 files",
    "head -n 100 files",
    "head -c 1000 files",
    "head -n -2 files",
    "head -c -100 files",
    // head seeks back, so the next command reads what head did not want.
    "{ head -n 1; cat; } < files",
    "{ head -n 1 > /dev/null; head -n 2; } < files",
    "tail -n 3 files",
    "tail -n +4 files",
    "tail -c 100 files",
    "tail -c +100 files",
    // Given a file, tac seeks to the end, which a table does not have.
    "tac files",
    "cat files | tac",
    // wc derives the width of its columns from the size in stat.
    "wc files | xargs",
    "wc -c files",
    "wc -l < files",
    "grep -c . files",
    "grep -n /dev/null files",
    "grep -v null files",
    "grep -l null files files.json files.csv",
    "sed -n '2p;$p' files",
    "sort files",
    "sort -k4,4nr files",
    "cut -c 1-20 files",
    "md5sum files",
    "od -An -tx1 files",
    "split -l 50 --filter=md5sum files",
    "cmp files files && echo same",
    "diff files files && echo same",
    "dd if=files bs=64k status=none",
    "dd if=files bs=100 skip=7 status=none",
    "dd if=files bs=1 skip=50 count=100 status=none",
    "awk '{ print NF }' files | sort | uniq -c",
    "awk '$4 == 10 { print $1, $4 }' files",
    "xargs -n 20 < files",
    "while read -r pid tid uid rest; do echo \"$pid $uid\"; done < files",
    "tee < files",
    "less files",
    "less files < /dev/null | wc -l",
    "jq -e 'map(.fd) | add' files.json",
    "jq -c '[.pid, .fd, .path]' files.jsonl",
    "jq -s length files.jsonl",
];

#[test]
fn tools_read_a_small_table_as_a_file() {
    let tables = Tables::new(200);
    tables.check_all(READERS);
    tables.check_all(&["dd if=files bs=1 status=none"]);
}

#[test]
fn tools_read_a_table_of_several_mebibytes_as_a_file() {
    let tables = Tables::new(12_000);
    assert!(
        fs::metadata(tables.copies.path().join("files"))
            .unwrap()
            .len()
            > 1 << 20
    );
    // A line at a time takes the shell too long.
    let slow = |script: &str| script.starts_with("while") || script.starts_with("xargs");
    for script in READERS.iter().filter(|script| !slow(script)) {
        tables.check(script);
    }
}

#[test]
fn copying_tools_copy_every_byte() {
    let tables = Tables::new(500);
    tables.check_all(&[
        "to=$(mktemp); cp files $to; cat $to; rm $to",
        "to=$(mktemp); cp --sparse=always files $to; cat $to; rm $to",
        "to=$(mktemp); cat files > $to; cat $to; rm $to",
        "to=$(mktemp); dd if=files of=$to status=none; cat $to; rm $to",
        "to=$(mktemp -d); install -m 0600 files $to; cat $to/files; rm -r $to",
        "to=$(mktemp -d); cp files* $to; (cd $to; md5sum *); rm -r $to",
    ]);
}

/// tar stores as many bytes as stat reports, which is 0 for a table and for /proc:
/// it makes empty members of both. Copy the table first.
#[test]
fn tar_stores_tables_as_it_stores_proc() {
    let tables = Tables::new(50);
    let sizes = |directory: &Path, name: &str| {
        let script = format!("tar -cf - {name} | tar -tvf - | awk '{{ print $3 }}'");
        let output = shell(&script, directory);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let process = tables.mount.path(&format!("pid/{}", tables.process.pid()));
    assert_eq!(sizes(Path::new("/proc"), "uptime"), "0\n");
    assert_eq!(sizes(&process, "files"), "0\n");

    let whole = tables.mount.read(&tables.process.table());
    let copied = "to=$(mktemp -d); cp -r . $to/copy; tar -C $to -cf - copy | tar -xOf - copy/files; chmod -R u+w $to; rm -r $to";
    let output = shell(copied, &process);
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout == whole, "the copy's content");
}

#[test]
fn less_reads_a_table_on_a_terminal() {
    let tables = Tables::new(12_000);
    let table = tables.mount.path(&tables.process.table());
    let last = tables.mount.text(&tables.process.table());
    let last = last.lines().last().unwrap().trim_end();
    // Go to the end and to the start, search, and quit.
    let script = format!(
        "printf 'Gg/null\\nGq' | TERM=dumb LESS= script -qec 'stty rows 24 cols 300; less {}' /dev/null",
        table.display()
    );
    let output = shell(&script, Path::new("/"));
    let screen = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{screen}");
    assert!(screen.contains(last), "the last row: {screen}");
    assert!(screen.matches("comm").count() >= 2, "the header twice");
    assert!(!screen.contains("rror"), "{screen}");
}

#[test]
fn python_reads_tables_as_files() {
    let tables = Tables::new(2_000);
    tables.check_all(&[
        "python3 -c 'print(open(\"files\").read())'",
        "python3 -c 'print(open(\"files\", \"rb\", buffering=0).read())'",
        "python3 -c 'print(open(\"files\").readlines())'",
        "python3 -c 'for line in open(\"files\"): print(line.split())'",
        "python3 -c 'import pathlib; print(pathlib.Path(\"files\").read_text())'",
        "python3 -c 'import csv; print(list(csv.DictReader(open(\"files.csv\"))))'",
        "python3 -c 'import json; print(json.load(open(\"files.json\")))'",
        "python3 -c 'import json; print([json.loads(row) for row in open(\"files.jsonl\")])'",
        "python3 -c '
import os
file, at = os.open(\"files\", os.O_RDONLY), 0
while piece := os.pread(file, 1000, at):
    os.write(1, piece)
    at += len(piece)
'",
        "python3 -c '
file = open(\"files\")
print(file.readline(), file.tell())
file.seek(0)
print(file.read(1000))
'",
    ]);
}

/// Programs that copy by sendfile(2) first, and read when that fails.
#[test]
fn tools_that_copy_by_sendfile_copy_every_byte_or_fail() {
    let tables = Tables::new(2_000);
    tables.check_all(&[
        "busybox cat files",
        "busybox cat < files",
        "busybox more files",
        "busybox less files",
        "to=$(mktemp); busybox cp files $to; cat $to; rm $to",
        "to=$(mktemp); cp files $to; cat $to; rm $to",
        "to=$(mktemp); install files $to; cat $to; rm $to",
        "to=$(mktemp); python3 -c 'import shutil, sys; shutil.copyfile(\"files\", sys.argv[1])' $to; cat $to; rm $to",
        "to=$(mktemp); python3 -c 'import shutil, sys; shutil.copy(\"files\", sys.argv[1])' $to; cat $to; rm $to",
    ]);
}

#[test]
fn node_reads_tables_as_files() {
    let tables = Tables::new(2_000);
    tables.check_all(&[
        "node -e 'process.stdout.write(fs.readFileSync(\"files\"))'",
        "node -e 'fs.createReadStream(\"files\").pipe(process.stdout)'",
        "node -e 'fs.promises.readFile(\"files\", \"utf8\").then(text => console.log(text.split(\"\\n\").length))'",
        "node -e 'console.log(JSON.parse(fs.readFileSync(\"files.json\")).length)'",
    ]);
}

#[test]
fn all_formats_have_as_many_rows() {
    let tables = Tables::new(3_000);
    let rows = tables.process.rows().to_string();
    let process = tables.mount.path(&format!("pid/{}", tables.process.pid()));
    for script in [
        "tail -n +2 files | wc -l",
        "jq length files.json",
        "wc -l < files.jsonl",
        "tail -n +2 files.csv | wc -l",
        "python3 -c 'import csv; print(len(list(csv.DictReader(open(\"files.csv\")))))'",
    ] {
        let output = shell(script, &process);
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim(),
            rows,
            "{script}"
        );
    }
}

#[test]
fn a_hundred_thousand_rows_are_all_there() {
    let mount = Mount::new();
    let processes = ManyFiles::start(10, 10_000);
    let pids = processes.pids().iter().map(u32::to_string);
    let own = pids.collect::<Vec<_>>().join("|");
    let expected = processes.rows();
    let count = |script: &str| {
        let output = shell(script, mount.directory());
        assert!(output.status.success(), "{script}: {output:?}");
        let count = String::from_utf8(output.stdout).unwrap();
        count.trim().parse::<usize>().unwrap()
    };
    // Other processes have files, too; take the rows of ours.
    assert!(count("cat files | wc -l") > expected);
    assert!(count("wc -l < files.jsonl") > expected);
    assert_eq!(
        count(&format!("cat files | grep -cE '^ *({own}) '")),
        expected
    );
    assert_eq!(count(&format!("grep -cE '^({own}),' files.csv")), expected);
    assert_eq!(count("awk '{ print NF }' files | sort -u | wc -l"), 1);
    assert_eq!(
        count(&format!("jq -c .pid files.jsonl | grep -cxE '{own}'")),
        expected
    );
}
