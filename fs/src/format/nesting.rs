//! Objects and lists within a JSON object, laid out once for all rows.
//!
//! The values of a row always come in the same order, so the bytes between two of them
//! never change: `{"key":{"pid":`, `,"cpu":`, `},"value":[`, and `]}` at the end.

use super::values::json_string;
use iterfs_mapping::row::{Column, Step};

/// The values that were laid out so far.
#[derive(Default)]
pub(super) struct Nesting {
    /// The path of the last value.
    path: Vec<Step>,
}

impl Nesting {
    /// The bytes between the last value and that of `column`.
    pub(super) fn before(&mut self, column: &Column) -> Box<[u8]> {
        let path = match column.path.is_empty() {
            true => vec![Step::Member(column.name.as_str().into())],
            false => column.path.clone(),
        };
        let mut between = Vec::new();
        // Each step of a path but the last leads into a container. Two values share the
        // containers of the steps that their paths begin with.
        let shared = match self.path.is_empty() {
            true => 0,
            false => {
                let same = |(one, other): &(&Step, &Step)| one == other;
                let steps = self.path.iter().zip(&path).take_while(same).count();
                steps.min(self.path.len() - 1).min(path.len() - 1)
            }
        };
        if self.path.is_empty() {
            between.push(b'{');
        } else {
            close(&self.path[shared + 1..], &mut between);
            between.push(b',');
        }
        for (depth, step) in path.iter().enumerate().skip(shared) {
            if depth > shared {
                between.push(brackets(step).0);
            }
            if let Step::Member(name) = step {
                json_string(&mut between, name);
                between.push(b':');
            }
        }
        self.path = path;
        between.into_boxed_slice()
    }

    /// The bytes after the last value.
    pub(super) fn end(self) -> Box<[u8]> {
        let mut end = Vec::new();
        close(self.path.get(1..).unwrap_or_default(), &mut end);
        end.push(b'}');
        end.into_boxed_slice()
    }
}

/// Closes the containers of some steps, the innermost first.
fn close(steps: &[Step], out: &mut Vec<u8>) {
    out.extend(steps.iter().rev().map(|step| brackets(step).1));
}

/// The brackets of the container that a step lies in.
fn brackets(step: &Step) -> (u8, u8) {
    match step {
        Step::Member(_) => (b'{', b'}'),
        Step::Element(_) => (b'[', b']'),
    }
}
