//! The measurements of `make bench`.
//!
//! [`groups`] has the rows of the tables in docs/PERFORMANCE.md: each starts a
//! workload, and has two sides run in turn ([`pairs`]): ours, and a peer's
//! ([`peers`]: pinned iterators; [`walk`]: a walk of /proc; commands). What a run
//! costs is in [`cost`], what comes of many in [`report`]; [`document`] and
//! [`plot`] write that down, and what criterion found beside it ([`formats`]).

pub mod cost;
pub mod document;
mod formats;
pub mod groups;
pub mod machine;
pub mod pairs;
pub mod peers;
pub mod plot;
mod quiet;
pub mod reader;
pub mod report;
mod run;
pub mod spread;
mod sys;
pub mod walk;

pub use run::Run;
pub use sys::count_calls;
