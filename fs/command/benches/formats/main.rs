//! Decoding and formatting synthetic records of tables with few, some and many columns.
//! Needs neither a kernel nor root: the schemas come from the compiled programs.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use iterfs_fs::format::Formatter;
use iterfs_mapping::Format;
use iterfs_mapping::row::Records;
use std::hint::black_box;
use std::time::Duration;

mod synthetic;

/// Tables by the names of their programs, with 10, 15 and 27 columns.
const TABLES: [&str; 3] = ["netlink", "files", "tcp"];
/// About as many rows as one read of the kernel yields.
const ROWS: usize = 256;

/// The name of a format in the figures: the end of its file names.
fn name(format: Format) -> &'static str {
    match format.suffix().strip_prefix('.') {
        Some(name) => name,
        None => "text",
    }
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for table in TABLES {
        let schema = synthetic::schema(table);
        let bytes = synthetic::records(&schema, ROWS);
        group.throughput(Throughput::ElementsAndBytes {
            elements: ROWS as u64,
            bytes: bytes.len() as u64,
        });
        group.bench_function(BenchmarkId::from_parameter(table), |bencher| {
            bencher.iter(|| {
                for record in Records::new(&schema, black_box(&bytes)) {
                    for column in &schema.columns {
                        black_box(column.value(record));
                    }
                }
            });
        });
    }
}

fn formats(criterion: &mut Criterion) {
    for format in Format::ALL {
        let mut group = criterion.benchmark_group(name(format));
        for table in TABLES {
            let schema = synthetic::schema(table);
            let bytes = synthetic::records(&schema, ROWS);
            let mut formatter = Formatter::new(format, &schema);
            let mut out = Vec::new();
            let mut all = |out: &mut Vec<u8>| {
                out.clear();
                for record in Records::new(&schema, black_box(&bytes)) {
                    formatter.row(&schema, record, out);
                }
            };
            all(&mut out);
            group.throughput(Throughput::ElementsAndBytes {
                elements: ROWS as u64,
                bytes: out.len() as u64,
            });
            group.bench_function(BenchmarkId::from_parameter(table), |bencher| {
                bencher.iter(|| all(&mut out));
            });
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(30);
    targets = decode, formats
}
criterion_main!(benches);
