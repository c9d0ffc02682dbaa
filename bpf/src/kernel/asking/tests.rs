//! Questions of the tables of this kernel.

use super::*;
use iterfs_mapping::contract::{Progress, Tables};
use iterfs_mapping::row::{Record, Records};
use iterfs_mapping::{Contents, Place};

fn whole(place: Place, name: &str) -> Contents {
    Contents::Table(Instance {
        table: TableId::find(place, name).unwrap(),
        narrowing: Narrowing::Nothing,
    })
}

/// A pass that answers these terms, and the records that the kernel returned.
fn answer(kernel: &Kernel, contents: Contents, terms: &str) -> (Pass, Vec<u8>) {
    let query = Query::parse(terms.as_bytes()).unwrap();
    let view = kernel.own_view();
    let mut pass = kernel.open(contents, Some(&query), &view).unwrap();
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        match pass.source.read(&mut buffer).unwrap() {
            Progress::Bytes(count) => bytes.extend_from_slice(&buffer[..count]),
            Progress::Nothing => {}
            Progress::End => return (pass, bytes),
        }
    }
}

fn count(pass: &Pass, bytes: &[u8], keep: impl Fn(Record<'_>) -> bool) -> usize {
    let schema = pass.schema.as_ref().unwrap();
    Records::new(schema, bytes)
        .filter(|record| keep(*record))
        .count()
}

#[test]
fn every_program_answers_questions() {
    let kernel = Kernel::new().unwrap();
    for table in TableId::all() {
        let row = table.table();
        if !kernel.present(table) || row.places.contains(&Place::Summary) {
            continue;
        }
        let elf = objects::find(row.object).unwrap();
        let loaded = Program::load(row.object, elf, row.need, Mode::ASKING, &kernel.maps);
        assert!(loaded.is_ok(), "{}: {:?}", row.object, loaded.err());
    }
}

#[test]
fn rows_that_are_not_kept_never_leave_the_kernel() {
    let kernel = Kernel::new().unwrap();
    let this = std::process::id();
    for (table, terms) in [
        ("files", format!("pid={this},fd=0..2")),
        ("files", format!("tid={this}")),
        ("tasks", format!("pid={this},pid={}", u32::MAX)),
        ("processes", format!("pid!=..{},pid={this}", this - 1)),
        ("vmas", format!("pid={this},path=*")),
    ] {
        let (pass, bytes) = answer(&kernel, whole(Place::Root, table), &terms);
        let asked = pass.asked.as_ref().unwrap();
        assert!(asked.in_daemon.is_empty(), "{table}@{terms}");
        assert!(!bytes.is_empty(), "{table}@{terms}");
        let dropped = count(&pass, &bytes, |record| !asked.question.filter.keeps(record));
        assert_eq!(dropped, 0, "{table}@{terms}");
    }
}
