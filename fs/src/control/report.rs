//! The report that a newly opened control file returns.

use super::{Control, Refusal};
use crate::counts::Counted;
use crate::error::{Failure, Result};
use iterfs_mapping::Schema;
use iterfs_mapping::contract::Loaded;
use iterfs_mapping::{Subject, TableId};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::sync::Arc;

/// One table or one pin.
struct Line {
    path: String,
    target: String,
    program: Option<u32>,
    tag: Option<[u8; 8]>,
    link: Option<u32>,
    pin: Option<String>,
    /// For a user program, the file that it was loaded from; `rows` describes its columns.
    object: Option<String>,
    rows: Option<Arc<Schema>>,
    /// `None` for a pin: its readers do not go through the daemon.
    counted: Option<Counted>,
}

const HEADER: [&str; 10] = [
    "path", "target", "program", "tag", "link", "pin", "opens", "rows", "bytes", "error",
];

/// The report in columns. Lines that begin with `#` show the mount's options and the
/// details of failures.
pub(super) fn text(control: &Control) -> Result<Vec<u8>> {
    let lines = lines(control)?;
    let mut table = vec![HEADER.map(String::from)];
    table.extend(lines.iter().map(Line::fields));
    let mut widths = [0; HEADER.len()];
    for row in &table {
        for (width, field) in widths.iter_mut().zip(row) {
            *width = field.len().max(*width);
        }
    }
    let mut text = String::new();
    for row in &table {
        let mut line = String::new();
        for (field, width) in row.iter().zip(widths) {
            // Writing to a string cannot fail.
            let _ = write!(line, "{field:width$} ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let _ = writeln!(text, "# options: {}", one_line(&control.options));
    for line in &lines {
        if let Some(failure) = line.failure() {
            let failure = one_line(&failure.to_string());
            let _ = writeln!(text, "# {}: {failure}", escaped(&line.path));
        }
    }
    for failure in refused(control) {
        let line = one_line(&failure.to_string());
        let _ = writeln!(text, "# programs: {}: {line}", failure.errno_name());
    }
    if let Some(Refusal { command, failure }) = &*control.last_failure.lock() {
        let _ = writeln!(text, "# last command: {}", command.escape_debug());
        for line in self::failure(failure).lines() {
            let _ = writeln!(text, "# {line}");
        }
    }
    Ok(text.into_bytes())
}

/// The report as one JSON object.
pub(super) fn json(control: &Control) -> Result<Vec<u8>> {
    let lines: Vec<_> = lines(control)?.iter().map(Line::json).collect();
    let refusal = control.last_failure.lock().as_ref().map(|refusal| {
        let mut told = of_failure(&refusal.failure);
        told["command"] = refusal.command.clone().into();
        told
    });
    let refused: Vec<_> = refused(control).iter().map(of_failure).collect();
    let report = json!({
        "options": control.options,
        "tables": lines,
        "refused": refused,
        "last_failure": refusal,
    });
    let mut bytes = report.to_string().into_bytes();
    bytes.push(b'\n');
    Ok(bytes)
}

fn of_failure(failure: &Failure) -> Value {
    json!({
        "error": failure.errno_name(),
        "message": failure.to_string(),
        "log": failure.verifier_log(),
    })
}

/// The failures of objects in the directory of programs, one by one.
fn refused(control: &Control) -> Vec<Failure> {
    match control.refused.lock().clone() {
        Some(Failure::Several(failures)) => failures,
        failure => failure.into_iter().collect(),
    }
}

/// The outcome of a failed command: one line, and below it the verifier's log.
pub(super) fn failure(failure: &Failure) -> String {
    let log = failure.verifier_log().unwrap_or_default();
    let line = one_line(&failure.to_string());
    format!("{}: {line}\n{log}", failure.errno_name())
}

/// Escapes a path or a word, so that it fits into one line whatever it contains.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_control() {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    line
}

fn lines(control: &Control) -> Result<Vec<Line>> {
    let loaded = control.backend.loaded();
    let of_table = |id: TableId| {
        let program = loaded
            .iter()
            .find(|loaded| loaded.table == Subject::Table(id));
        let counted = control.counts.counted(Subject::Table(id));
        Line::of_program(
            id.documented_path(),
            id.table().target.name,
            program,
            counted,
        )
    };
    let here = TableId::all().filter(|id| control.backend.present(*id));
    let mut lines: Vec<_> = here.map(of_table).collect();
    for program in &loaded {
        if let Some(name) = &program.name {
            let counted = control.counts.counted(program.table);
            let path = format!("user/{name}");
            lines.push(Line::of_program(
                path,
                &program.target,
                Some(program),
                counted,
            ));
        }
    }
    for (pin, shown) in control.pinning.list()? {
        lines.push(Line {
            path: shown.map_or_else(|| "-".into(), |shown| shown.path),
            pin: Some(control.backend.pin_path(&pin.name).display().to_string()),
            target: pin.target,
            program: Some(pin.program),
            tag: Some(pin.tag),
            link: Some(pin.link),
            object: None,
            rows: None,
            counted: None,
        });
    }
    Ok(lines)
}

impl Line {
    fn of_program(path: String, target: &str, program: Option<&Loaded>, counted: Counted) -> Line {
        let user = program.filter(|program| program.object.is_some());
        Line {
            path,
            target: target.into(),
            program: program.map(|program| program.program),
            tag: program.map(|program| program.tag),
            link: program.and_then(|program| program.link),
            pin: None,
            object: user.and_then(|user| Some(user.object.as_ref()?.display().to_string())),
            rows: user.and_then(|user| user.schema.clone()),
            counted: Some(counted),
        }
    }

    fn failure(&self) -> Option<&Failure> {
        self.counted.as_ref()?.failure.as_ref()
    }

    fn fields(&self) -> [String; HEADER.len()] {
        let dash = || String::from("-");
        let number = |number: Option<u32>| number.map_or_else(dash, |n| n.to_string());
        let count = |of: fn(&Counted) -> u64| match &self.counted {
            Some(counted) => of(counted).to_string(),
            None => dash(),
        };
        [
            escaped(&self.path),
            self.target.clone(),
            number(self.program),
            self.tag.map_or_else(dash, hexadecimal),
            number(self.link),
            self.pin.as_deref().map_or_else(dash, escaped),
            count(|counted| counted.opens),
            count(|counted| counted.rows),
            count(|counted| counted.bytes),
            self.failure().map_or_else(dash, Failure::errno_name),
        ]
    }

    fn json(&self) -> Value {
        let count = |of: fn(&Counted) -> u64| self.counted.as_ref().map(of);
        json!({
            "path": self.path,
            "target": self.target,
            "program": self.program,
            "tag": self.tag.map(hexadecimal),
            "link": self.link,
            "pin": self.pin,
            "object": self.object,
            "row": self.rows.as_ref().map(|rows| &rows.row),
            "columns": self.rows.as_deref().map(columns),
            "opens": count(|counted| counted.opens),
            "rows": count(|counted| counted.rows),
            "bytes": count(|counted| counted.bytes),
            "error": self.failure().map(Failure::errno_name),
            "message": self.failure().map(ToString::to_string),
        })
    }
}

/// A program's columns, as `iterfs columns` describes them.
fn columns(rows: &Schema) -> Vec<Value> {
    let columns = rows.columns.iter();
    let described = columns.map(|column| {
        json!({
            "name": column.name,
            "meaning": column.doc,
            "kind": column.kind.describe(),
            "role": column.role,
            "on_request": column.on_request,
        })
    });
    described.collect()
}

fn hexadecimal(tag: [u8; 8]) -> String {
    tag.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A path as one word, as the tables write it.
fn escaped(path: &str) -> String {
    let mut word = Vec::new();
    crate::format::word(&mut word, path.as_bytes());
    String::from_utf8_lossy(&word).into_owned()
}
