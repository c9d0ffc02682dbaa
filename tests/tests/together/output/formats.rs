//! The four formats of every table carry the same values.

use iterfs_mapping::{Format, Place, TABLES, Table};
use iterfs_tests::Mount;
use iterfs_tests::fixtures::netns::{in_new_net_namespace, run};
use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::not_here::needs_table;
use serde_json::Value;
use std::path::Path;

/// One pass in each format.
struct Formats {
    text: Vec<Vec<String>>,
    json: Vec<Value>,
    lines: Vec<Value>,
    csv: Vec<Vec<String>>,
}

impl Formats {
    fn read(mount: &Mount, path: &str) -> Formats {
        let text = mount.text(path);
        let fields = |line: &str| line.split_whitespace().map(str::to_owned).collect();
        let csv = mount.read(&format!("{path}.csv"));
        let json = mount.text(&format!("{path}.json"));
        let lines = mount.text(&format!("{path}.jsonl"));
        Formats {
            text: text.lines().map(fields).collect(),
            json: serde_json::from_str(&json).expect("one JSON array"),
            lines: lines
                .lines()
                .map(|line| serde_json::from_str(line).expect("a JSON object a line"))
                .collect(),
            csv: csv::ReaderBuilder::new()
                .has_headers(false)
                .from_reader(csv.as_slice())
                .into_records()
                .map(|record| record.expect("CSV").iter().map(str::to_owned).collect())
                .collect(),
        }
    }

    /// Panics where two formats differ.
    fn agree(&self, path: &str) {
        let (header, text) = self.text.split_first().expect("a header in text");
        let (csv_header, csv) = self.csv.split_first().expect("a header in CSV");
        assert_eq!(header, csv_header, "{path}");
        assert_eq!(self.json, self.lines, "{path}");
        assert_eq!(text.len(), self.json.len(), "{path}: rows of text and JSON");
        assert_eq!(csv.len(), self.json.len(), "{path}: rows of CSV and JSON");
        for ((object, text), csv) in self.json.iter().zip(text).zip(csv) {
            let object = object.as_object().expect("an object a row");
            assert_eq!(text.len(), header.len(), "{path}: {text:?}");
            assert_eq!(csv.len(), header.len(), "{path}: {csv:?}");
            assert_eq!(object.len(), header.len(), "{path}: {object:?}");
            for ((name, text), csv) in header.iter().zip(text).zip(csv) {
                let value = &object[name];
                assert_eq!(*csv, plain(value), "{path}: {name} in CSV");
                assert_eq!(*text, word(value), "{path}: {name} in text");
            }
        }
    }
}

/// A JSON value as CSV spells it.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(flags) => {
            let names = flags.iter().map(|flag| flag.as_str().expect("a name"));
            names.collect::<Vec<_>>().join("|")
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Object(_) => unreachable!("an object in a column: {value}"),
    }
}

/// A JSON value as one word of text.
fn word(value: &Value) -> String {
    let plain = plain(value);
    match plain.as_str() {
        "" => return "-".to_owned(),
        "-" if value.is_string() => return "\\055".to_owned(),
        _ => {}
    }
    // Where bytes were not UTF-8 the string is escaped in every format, once.
    let escaped = plain.contains("\\3");
    let mut word = String::new();
    for character in plain.chars() {
        if (character == '\\' && !escaped) || character.is_whitespace() || character.is_control() {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                word.push_str(&format!("\\{byte:03o}"));
            }
        } else {
            word.push(character);
        }
    }
    word
}

/// Whether two passes over a table that others change can be compared.
fn read_at_rest(mount: &Mount, path: &str) -> Formats {
    for _ in 0..200 {
        let before = mount.read(&format!("{path}.jsonl"));
        let formats = Formats::read(mount, path);
        if mount.read(&format!("{path}.jsonl")) == before {
            return formats;
        }
    }
    unreachable!("{path} changes all the time");
}

fn places(place: Place) -> impl Iterator<Item = &'static Table> {
    TABLES
        .iter()
        .filter(move |table| table.places.contains(&place))
}

#[test]
fn all_formats_of_process_tables_carry_the_same_values() {
    let mount = Mount::new();
    let directory = tempfile::tempdir().unwrap();
    let workload = Workload::start("files", &[directory.path().as_os_str()]);
    let tables: Vec<_> = places(Place::Process).collect();
    assert!(!tables.is_empty());
    for table in tables {
        let path = format!("pid/{}/{}", workload.pid(), table.name);
        if !needs_table(&mount, &path) {
            continue;
        }
        let formats = read_at_rest(&mount, &path);
        assert!(!formats.json.is_empty(), "{path} has no rows");
        formats.agree(&path);
    }
}

#[test]
fn all_formats_of_net_tables_carry_the_same_values() {
    let mount = Mount::new();
    in_new_net_namespace(|| {
        run("ip link set lo up");
        run("ip -6 route add unreachable 2001:db8::/32");
        let directory = tempfile::tempdir().expect("a directory");
        let _sockets = Workload::start("files", &[directory.path().as_os_str()]);
        let tables: Vec<_> = places(Place::Net).collect();
        assert!(!tables.is_empty());
        for table in tables {
            let path = format!("net/{}", table.name);
            if !needs_table(&mount, &path) {
                continue;
            }
            let formats = read_at_rest(&mount, &path);
            assert!(!formats.json.is_empty(), "{path} has no rows");
            formats.agree(&path);
        }
    });
}

#[test]
fn every_file_of_the_tree_parses() {
    let mount = Mount::new();
    let workload = Workload::start("idle", &[]);
    for table in TABLES {
        for place in table.places {
            let path = match place {
                Place::Root => table.name.to_owned(),
                Place::Process => format!("pid/{}/{}", workload.pid(), table.name),
                Place::Net => format!("net/{}", table.name),
                Place::Bpf => format!("bpf/{}", table.name),
                Place::Cgroup => format!("cgroup/{}", table.name),
                Place::Kernel => format!("kernel/{}", table.name),
                Place::Summary => format!("summary/{}", table.name),
                // Each map has columns of its own: elements.rs.
                Place::Map => continue,
            };
            if !needs_table(&mount, &path) {
                continue;
            }
            let formats = Formats::read(&mount, &path);
            for rows in [&formats.text, &formats.csv] {
                let header = &rows[0];
                for row in rows {
                    assert_eq!(row.len(), header.len(), "{path}: {row:?}");
                }
            }
            let columns = |row: &Value| row.as_object().map(serde_json::Map::len);
            for row in formats.json.iter().chain(&formats.lines) {
                assert_eq!(columns(row), Some(formats.text[0].len()), "{path}: {row}");
            }
        }
    }
}

#[test]
fn no_file_of_a_listing_is_anything_else() {
    let mount = Mount::new();
    let workload = Workload::start("idle", &[]);
    let suffixes = Format::ALL.map(Format::suffix);
    let list = |path: &Path| {
        let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
        let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
        let mut names: Vec<_> = files
            .map(|file| file.file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let own = format!("pid/{}", workload.pid());
    for (place, path) in [
        (Place::Process, own.as_str()),
        (Place::Net, "net"),
        (Place::Bpf, "bpf"),
        (Place::Cgroup, "cgroup"),
        (Place::Kernel, "kernel"),
        (Place::Summary, "summary"),
    ] {
        let mut expected: Vec<String> = places(place)
            .filter(|table| needs_table(&mount, &format!("{path}/{}", table.name)))
            .flat_map(|table| suffixes.map(|suffix| format!("{}{suffix}", table.name)))
            .collect();
        expected.sort();
        if expected.is_empty() {
            // Nor is there a directory for nothing.
            assert!(!mount.path(path).exists(), "{path}");
            continue;
        }
        assert_eq!(list(&mount.path(path)), expected, "{path}");
    }
}
