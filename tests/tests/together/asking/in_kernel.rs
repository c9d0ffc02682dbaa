//! Programs evaluate conditions as the daemon does: every table, every column and every
//! operator, against the filter that the daemon applies to the whole table.

use iterfs_bpf::Kernel;
use iterfs_mapping::contract::{Asked, Progress, Tables as _};
use iterfs_mapping::query::{Columns, Condition, Filter, Query, Question, Written};
use iterfs_mapping::row::{Column, Kind, Records, Schema, Value};
use iterfs_mapping::{Contents, Instance, Narrowing, Need, Order, Place, TableId};
use iterfs_tests::fixtures::bpf_maps::{id, load, map_of, plain, set};
use iterfs_tests::fixtures::workload::Workload;
use iterfs_tests::not_here::needs;
use iterfs_tests::oracles::socket_columns::pair;
use libbpf_rs::{MapCore, MapType};
use std::collections::HashSet;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};

const ELEMENTS: &str = concat!(
    include_str!("../tables/programs/maps.h"),
    include_str!("../tables/programs/elements.bpf.c")
);
const STORAGE: &str = concat!(
    include_str!("../tables/programs/maps.h"),
    include_str!("../tables/programs/sockets.bpf.c")
);

/// With more rows, fewer values of a column are asked for.
const MANY_ROWS: usize = 5000;

/// A row that changes and changes back between two passes is mistaken for one at rest, but not
/// again and again.
const ATTEMPTS: usize = 5;

/// Records as the kernel returned them.
type Rows = HashSet<Vec<u8>>;

/// A table that is asked, by a kernel whose programs evaluate conditions and by one whose
/// programs do not.
struct Subject<'a> {
    asking: &'a Kernel,
    plain: &'a Kernel,
    contents: Contents,
    name: String,
    schema: Schema,
}

impl<'a> Subject<'a> {
    fn of(kernels: &'a (Kernel, Kernel), instance: Instance) -> Subject<'a> {
        let (asking, plain) = kernels;
        let contents = Contents::Table(instance);
        let schema = asking.schema(contents, &asking.own_view()).unwrap();
        Subject {
            asking,
            plain,
            contents,
            name: format!("{} {:?}", instance.table.table().name, instance.narrowing),
            schema: Schema::clone(&schema.unwrap()),
        }
    }

    /// The rows of a pass, and what it says of the query.
    fn read(&self, kernel: &Kernel, query: Option<&Query>) -> (Rows, Option<Box<Asked>>) {
        let opened = kernel.open(self.contents, query, &kernel.own_view());
        let pass = opened.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 128 * 1024];
        for mut source in std::iter::once(pass.source).chain(pass.rest) {
            loop {
                match source.read(&mut buffer) {
                    Ok(Progress::Bytes(count)) => bytes.extend_from_slice(&buffer[..count]),
                    Ok(Progress::Nothing) => {}
                    Ok(Progress::End) => break,
                    Err(error) => panic!("{}: {error}", self.name),
                }
            }
        }
        let records = Records::new(&self.schema, &bytes);
        let rows = records.map(|record| [record.fixed(), record.tail()].concat());
        (rows.collect(), pass.asked)
    }

    /// The rows that a filter keeps.
    fn kept(&self, rows: &Rows, filter: &Filter) -> Rows {
        let keeps = |row: &&Vec<u8>| {
            let mut records = Records::new(&self.schema, row);
            records.next().is_some_and(|record| filter.keeps(record))
        };
        rows.iter().filter(keeps).cloned().collect()
    }

    /// Conditions on a column that name values in these rows, and what surrounds those.
    fn conditions(&self, column: &Column, rows: &Rows) -> Vec<Condition> {
        let mut values = vec![Written::Absent];
        let many = rows.len() > MANY_ROWS;
        let most = if many { 1 } else { 3 };
        let mut seen = HashSet::new();
        for row in rows {
            let record = Records::new(&self.schema, row).next().unwrap();
            let Some(text) = written(column.value(record)) else {
                continue;
            };
            if seen.len() < most && seen.insert(text.clone()) {
                match many {
                    true => values.push(Written::Exactly(text.into_bytes().into())),
                    false => values.extend(around(column, &text)),
                }
            }
        }
        let conditions = values.into_iter().flat_map(|value| {
            [false, true].map(|negated| Condition {
                column: column.name.as_str().into(),
                negated,
                value: value.clone(),
            })
        });
        conditions.collect()
    }

    /// Asks everything of the table; the number of conditions that the kernel evaluated.
    fn ask_everything(&self) -> usize {
        let mut evaluated = 0;
        let (rows, _) = self.read(self.asking, None);
        for column in &self.schema.columns {
            for condition in self.conditions(column, &rows) {
                evaluated += usize::from(self.ask(condition));
            }
        }
        evaluated
    }

    /// Asks for the rows with one condition; whether the kernel evaluated it.
    fn ask(&self, condition: Condition) -> bool {
        let all = self.schema.columns.iter();
        let query = Query {
            columns: Columns {
                only: all.map(|column| column.name.as_str().into()).collect(),
                also: Vec::new(),
            },
            conditions: vec![condition],
            ..Query::default()
        };
        // Not every kind of column has ranges and prefixes.
        let Ok(question) = Question::of(&query, &self.schema) else {
            return false;
        };
        let filter = &question.filter;
        let mut evaluated = false;
        for attempt in 1.. {
            let (before, _) = self.read(self.asking, None);
            let (by_kernel, asked) = self.read(self.asking, Some(&query));
            let (unfiltered, left) = self.read(self.plain, Some(&query));
            let (after, _) = self.read(self.asking, None);

            let (asked, left) = (asked.unwrap(), left.unwrap());
            assert!(left.in_kernel.is_empty(), "{}@{query}", self.name);
            assert_eq!(&left.in_daemon, filter, "{}@{query}", self.name);
            evaluated = !asked.in_kernel.is_empty();
            let dropped = by_kernel.len() - self.kept(&by_kernel, &asked.in_kernel).len();
            assert_eq!(dropped, 0, "{}@{query}: rows left the kernel", self.name);

            let at_rest: Rows = before.intersection(&after).cloned().collect();
            let expected = self.kept(&at_rest, filter);
            let by_kernel = self.kept(&by_kernel, &asked.in_daemon);
            let by_daemon = self.kept(&unfiltered, &left.in_daemon);
            let missing = [&by_kernel, &by_daemon].map(|rows| expected.difference(rows).count());
            if missing == [0, 0] {
                break;
            }
            assert!(
                attempt < ATTEMPTS,
                "{}@{query}: rows missing from the kernel and the daemon: {missing:?}",
                self.name
            );
        }
        evaluated
    }
}

/// A value as a condition writes it; none if it is absent.
fn written(value: Value<'_>) -> Option<String> {
    Some(match value {
        Value::Absent => return None,
        Value::Unsigned(number) => number.to_string(),
        Value::Signed(number) => number.to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::Float(number) => format!("{number:?}"),
        Value::ShortFloat(number) => format!("{:?}", f64::from(number)),
        Value::Hex(number) => format!("{number:#x}"),
        Value::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Value::Device(major, minor) => format!("{major}:{minor}"),
        Value::Name(name) => name.into(),
        Value::Nameless(number) => number.to_string(),
        Value::Flags(flags) => flags.names().next()?.into(),
        Value::Text(text) => String::from_utf8(text.to_vec()).ok()?,
        Value::Ip(address) => address.to_string(),
    })
    .filter(|text| !text.is_empty())
}

/// The values of all operators for one that is in the table.
fn around(column: &Column, text: &str) -> Vec<Written> {
    let bytes = |text: &str| text.as_bytes().into();
    let mut values = vec![
        Written::Exactly(bytes(text)),
        Written::Between(bytes(text), bytes("")),
        Written::Between(bytes(""), bytes(text)),
        Written::Between(bytes(text), bytes(text)),
    ];
    match column.kind {
        Kind::Inet | Kind::Ipv6 => {
            let blocks = [0, 7, 9, 24, 32].map(|bits| format!("{text}/{bits}"));
            values.extend(blocks.map(|block| Written::Exactly(block.into_bytes().into())));
        }
        _ => {
            let lengths = [1, 2, 8, 9, text.len() - 1, text.len()];
            let prefixes = lengths.into_iter().filter_map(|length| text.get(..length));
            values.extend(prefixes.map(|prefix| Written::BeginsWith(bytes(prefix))));
        }
    }
    values
}

fn kernels() -> (Kernel, Kernel) {
    let plain = Kernel::new().unwrap().evaluating_nothing();
    (Kernel::new().unwrap(), plain)
}

/// Whether the kernel takes the programs' form that answers questions.
fn answers_questions(kernel: &Kernel) -> bool {
    let table = TableId::find(Place::Root, "tasks").unwrap();
    let whole = Contents::Table(Instance {
        table,
        narrowing: Narrowing::Nothing,
    });
    let query = Query::parse(b"pid=1").unwrap();
    let pass = kernel.open(whole, Some(&query), &kernel.own_view());
    !pass.unwrap().asked.unwrap().in_kernel.is_empty()
}

/// Asks a table everything, and checks that the kernel evaluated the conditions.
fn ask_table(kernels: &(Kernel, Kernel), place: Place, name: &str, narrowing: Narrowing) {
    let table = TableId::find(place, name).unwrap();
    if !needs(kernels.0.present(table), &format!("no target for {name}")) {
        return;
    }
    let subject = Subject::of(kernels, Instance { table, narrowing });
    let evaluated = subject.ask_everything();
    let of_summary = place == Place::Summary;
    if answers_questions(&kernels.0) {
        assert_eq!(evaluated > 0, !of_summary, "{}", subject.name);
    }
}

#[test]
fn every_condition_on_tables_of_processes() {
    let kernels = kernels();
    let workload = Workload::start("idle", &[]);
    for name in ["tasks", "processes"] {
        ask_table(&kernels, Place::Root, name, Narrowing::Nothing);
    }
    let own = Narrowing::Process(workload.pid());
    for name in ["tasks", "files", "vmas", "sockets"] {
        ask_table(&kernels, Place::Process, name, own);
    }
}

#[test]
fn every_condition_on_tables_of_sockets_and_routes() {
    let kernels = kernels();
    let connected = [pair("127.0.0.1:0"), pair("[::1]:0")];
    let listening = TcpListener::bind("127.0.0.1:0").unwrap();
    let datagrams = ["127.0.0.1:0", "[::1]:0"].map(|at| UdpSocket::bind(at).unwrap());
    let directory = tempfile::tempdir().unwrap();
    let local = UnixListener::bind(directory.path().join("socket")).unwrap();
    let streams = UnixStream::pair().unwrap();
    for name in ["tcp", "udp", "unix", "netlink", "ipv6_route", "sockets"] {
        ask_table(&kernels, Place::Net, name, Narrowing::Nothing);
    }
    drop((connected, listening, datagrams, local, streams));
}

#[test]
fn every_condition_on_tables_of_the_host() {
    let kernels = kernels();
    for name in ["maps", "progs", "links"] {
        ask_table(&kernels, Place::Bpf, name, Narrowing::Nothing);
    }
    for name in ["ksyms", "slabs", "dmabufs"] {
        ask_table(&kernels, Place::Kernel, name, Narrowing::Nothing);
    }
    for (name, order) in [
        ("cgroup.self", Order::Itself),
        ("cgroup.descendants", Order::Descendants),
        ("cgroup.ancestors", Order::Ancestors),
    ] {
        ask_table(&kernels, Place::Cgroup, name, Narrowing::Cgroup(0, order));
    }
}

#[test]
fn every_condition_on_summaries() {
    let kernels = kernels();
    let summaries = TableId::all().filter(|table| table.table().places.contains(&Place::Summary));
    for summary in summaries {
        assert_eq!(summary.table().need, Need::Nothing);
        let name = summary.table().name;
        ask_table(&kernels, Place::Summary, name, Narrowing::Nothing);
    }
}

#[test]
fn every_condition_on_the_contents_of_maps() {
    let kernels = kernels();
    let elements = map_of(&load(ELEMENTS), "in_hash");
    for n in 0..8_u8 {
        let bytes = |size: u32| (0..size).map(|at| (at as u8).wrapping_mul(7) ^ n).collect();
        let (key, value): (Vec<u8>, Vec<u8>) =
            (bytes(elements.key_size()), bytes(elements.value_size()));
        set(&elements, &key, &value);
    }
    let sockets = plain(MapType::Sockhash, 6, 4, 10);
    let storage = map_of(&load(STORAGE), "notes");
    let (near, far) = pair("127.0.0.1:0");
    for (number, socket) in [(0, &near), (1, &far)] {
        let fd = socket.as_raw_fd().to_ne_bytes();
        set(&sockets, &[1, 2, 3, 4, number, 0xff], &fd);
        let value = vec![number + 3; storage.value_size() as usize];
        set(&storage, &fd, &value);
    }
    for (name, map) in [
        ("elements", id(&elements)),
        ("sockmap", id(&sockets)),
        ("sk_storage", id(&storage)),
    ] {
        ask_table(&kernels, Place::Map, name, Narrowing::Map(map));
    }
}
