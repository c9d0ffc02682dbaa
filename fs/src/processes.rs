//! The processes that a caller sees: what `pid/` lists.

use crate::error::Result;
use iterfs_bpf::record::Records;
use iterfs_bpf::schema::{Column, Record, Value};
use iterfs_bpf::{Caller, Progress, Tables};
use iterfs_mapping::{Instance, Parameter, Place, TableId};

/// The table that has a row a process, and the column that numbers them.
const TABLE: &str = "processes";
const COLUMN: &str = "pid";

/// More than the kernel hands out at once.
const BUFFER: usize = 64 * 1024;

/// The ids of every process the caller sees, in the order the kernel walks them.
pub(crate) fn list(tables: &dyn Tables, caller: &Caller) -> Result<Vec<u32>> {
    pass(tables, caller, Parameter::None)
}

/// Whether the caller sees a process of this id.
pub(crate) fn exists(tables: &dyn Tables, caller: &Caller, pid: u32) -> Result<bool> {
    Ok(!pass(tables, caller, Parameter::Process(pid))?.is_empty())
}

fn pass(tables: &dyn Tables, caller: &Caller, parameter: Parameter) -> Result<Vec<u32>> {
    let Some(table) = TableId::find(Place::Root, TABLE) else {
        return Ok(Vec::new());
    };
    let mut pass = tables.open(Instance { table, parameter }, caller)?;
    let schema = pass.schema;
    let Some(column) = schema.columns.iter().find(|column| column.name == COLUMN) else {
        return Ok(Vec::new());
    };
    let mut pids = Vec::new();
    let mut buffer = vec![0; BUFFER];
    let mut kept = 0;
    loop {
        match pass.source.read(&mut buffer[kept..])? {
            Progress::End => return Ok(pids),
            Progress::Nothing => {}
            Progress::Bytes(bytes) => {
                let end = kept + bytes;
                let mut records = Records::new(&schema, &buffer[..end]);
                pids.extend((&mut records).filter_map(|record| pid(column, record)));
                kept = records.rest().len();
                buffer.copy_within(end - kept..end, 0);
            }
        }
    }
}

fn pid(column: &Column, record: Record<'_>) -> Option<u32> {
    match column.value(record) {
        Value::Unsigned(pid) => u32::try_from(pid).ok(),
        _ => None,
    }
}
