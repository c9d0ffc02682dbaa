//! Selects rows of a pass: the first ones that its conditions keep, or those with the largest
//! values of a column; and puts the time of the pass before each row.
//!
//! All of them are sources of records made of other sources, so whoever reads the pass need not
//! know them. A [`Walk`](walk::Walk) yields whole records. Each read takes a bounded time.

mod first;
mod output;
mod rank;
mod stamp;
mod top;
mod walk;

use crate::access::quota::Account;
use first::First;
use iterfs_mapping::contract::{Pass, Source};
pub(crate) use stamp::stamp;
use std::sync::Arc;
use std::time::Duration;
use top::Top;
use walk::Walk;

/// How long a read goes on while no row is selected.
const STEP: Duration = Duration::from_millis(5);

/// The pass with only the rows that its question selects. Rows that must be held meanwhile are
/// charged to an account.
pub(crate) fn select(mut pass: Pass, account: &Arc<Account>) -> Pass {
    let (Some(schema), Some(asked)) = (&pass.schema, &mut pass.asked) else {
        return pass;
    };
    let (first, top) = (asked.question.first, asked.question.top.clone());
    if first.is_none() && top.is_none() {
        return pass;
    }
    // A row counts only if the conditions keep it, so they are evaluated here.
    let filter = Arc::new(std::mem::take(&mut asked.in_daemon));
    let mut sources = std::mem::take(&mut pass.rest);
    sources.insert(0, pass.source);
    let walks = sources
        .into_iter()
        .map(|source| Walk::new(source, Arc::clone(schema), Arc::clone(&filter)));
    let mut selected: Vec<Box<dyn Source>> = match (top, first) {
        (Some(top), _) => Top::of_parts(walks.collect(), &top, account),
        (None, first) => vec![Box::new(First::new(walks, first.unwrap_or(u64::MAX)))],
    };
    Pass {
        source: selected.remove(0),
        rest: selected,
        ..pass
    }
}

#[cfg(test)]
mod tests;
