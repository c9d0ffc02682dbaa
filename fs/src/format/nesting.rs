//! Objects and lists within a JSON object, laid out once for all rows.
//!
//! A row's values come in one order, so what stands between two never changes:
//! `{"key":{"pid":`, `,"cpu":`, `},"value":[`, and `]}` at the end.

use super::spelling::string;
use iterfs_bpf::schema::{Column, Step};

/// The values laid out so far.
#[derive(Default)]
pub(super) struct Nesting {
    /// The path of the last.
    path: Vec<Step>,
}

impl Nesting {
    /// What stands between the last value and that of `column`.
    pub(super) fn before(&mut self, column: &Column) -> Box<[u8]> {
        let path = match column.path.is_empty() {
            true => vec![Step::Member(column.name.as_str().into())],
            false => column.path.clone(),
        };
        let mut between = Vec::new();
        // A value lies in the containers of its path's steps, each but the first
        // the value of the step before.
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
                string(&mut between, name);
                between.push(b':');
            }
        }
        self.path = path;
        between.into_boxed_slice()
    }

    /// What stands after the last value.
    pub(super) fn end(self) -> Box<[u8]> {
        let mut end = Vec::new();
        close(self.path.get(1..).unwrap_or_default(), &mut end);
        end.push(b'}');
        end.into_boxed_slice()
    }
}

/// Closes the containers of these steps, the innermost first.
fn close(steps: &[Step], out: &mut Vec<u8>) {
    out.extend(steps.iter().rev().map(|step| brackets(step).1));
}

fn brackets(step: &Step) -> (u8, u8) {
    match step {
        Step::Member(_) => (b'{', b'}'),
        Step::Element(_) => (b'[', b']'),
    }
}
