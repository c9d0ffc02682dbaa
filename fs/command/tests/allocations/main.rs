//! Rows allocate nothing. The tests count allocations and measure no time.

use iterfs_fs::access::quota::Account;
use iterfs_fs::format::Formatter;
use iterfs_fs::scheduler::Scheduler;
use iterfs_fs::stream::Stream;
use iterfs_mapping::Format;
use iterfs_mapping::contract::{Pass, Progress, Source};
use iterfs_mapping::row::{Records, Schema};
use std::sync::Arc;
use std::sync::mpsc::channel;

#[path = "../../benches/formats/synthetic.rs"]
mod synthetic;
mod sys;

/// Tables by the names of their programs, with 10, 15 and 27 columns.
const TABLES: [&str; 3] = ["netlink", "files", "tcp"];

/// The size of the reads of cat(1).
const PIECE: usize = 128 * 1024;

/// One test counts everything, because the allocator belongs to the whole process. Streams
/// come last, because their threads outlive them for a while.
#[test]
fn rows_allocate_nothing() {
    for count in [formatting, streaming] {
        for table in TABLES {
            for format in Format::ALL {
                count(table, format);
            }
        }
    }
}

/// A chunk that has room for its rows takes them without another allocation.
fn formatting(table: &str, format: Format) {
    let schema = synthetic::schema(table);
    let bytes = synthetic::records(&schema, 1000);
    let mut formatter = Formatter::new(format, &schema);
    let mut out = Vec::new();
    let mut all = || {
        out.clear();
        for record in Records::new(&schema, &bytes) {
            formatter.row(&schema, record, &mut out);
        }
    };
    all();
    let ((), count) = sys::allocations(all);
    assert_eq!(count, 0, "{table} {format:?}");
}

/// A whole pass allocates per chunk, that is per read of 128 KiB, and not per row.
fn streaming(table: &str, format: Format) {
    let schema = Arc::new(synthetic::schema(table));
    let steps = Arc::new(synthetic::records(&schema, 100));
    // The first pass starts the threads and creates their buffers.
    let scheduler = Scheduler::with(1, 1, 1).expect("threads");
    pass(&schema, &steps, 20, format, &scheduler);
    let ((short, _), few) = sys::allocations(|| pass(&schema, &steps, 200, format, &scheduler));
    let ((long, reads), many) =
        sys::allocations(|| pass(&schema, &steps, 2000, format, &scheduler));
    let (rows, chunks) = (1800 * 100, (long - short).div_ceil(PIECE));
    let more = many.saturating_sub(few);
    println!("{table} {format:?}: {more} more allocations for {rows} more rows, {reads} reads");
    // Measured: 7 or 8 per chunk, for the job that produces the next one, the reads that
    // wait, the answer and the channel of this test; up to 15 more if the memory of a chunk
    // has to grow, because none is spare yet. A chunk has at least 250 rows.
    assert!(
        more <= 32 * chunks,
        "{table} {format:?}: {more} for {rows} rows in {chunks} chunks"
    );
}

/// Reads a pass of this many steps to its end. Returns the numbers of bytes and reads.
fn pass(
    schema: &Arc<Schema>,
    records: &Arc<Vec<u8>>,
    steps: usize,
    format: Format,
    scheduler: &Arc<Scheduler>,
) -> (usize, usize) {
    let pass = Pass {
        schema: Some(Arc::clone(schema)),
        source: Box::new(Repeated {
            records: Arc::clone(records),
            steps,
        }),
        rest: Vec::new(),
        waits_for_processes: false,
        asked: None,
    };
    let stream = Stream::new(
        pass,
        format,
        Arc::default(),
        Account::unbounded(),
        Arc::clone(scheduler),
    );
    let (mut offset, mut reads) = (0, 0);
    loop {
        let (send, receive) = channel();
        let answer = Box::new(move |bytes: Result<&[u8], _>| {
            let _ = send.send(bytes.map_or(0, <[u8]>::len));
        });
        stream.read(offset as u64, PIECE, answer);
        reads += 1;
        match receive.recv().expect("an answer") {
            0 => return (offset, reads),
            bytes => offset += bytes,
        }
    }
}

/// A source of the same records at each step.
struct Repeated {
    records: Arc<Vec<u8>>,
    steps: usize,
}

impl Source for Repeated {
    fn read(&mut self, buffer: &mut [u8]) -> iterfs_mapping::Result<Progress> {
        if self.steps == 0 {
            return Ok(Progress::End);
        }
        self.steps -= 1;
        buffer[..self.records.len()].copy_from_slice(&self.records);
        Ok(Progress::Bytes(self.records.len()))
    }
}
