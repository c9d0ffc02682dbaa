//! What each command does.

pub mod check;
pub mod columns;
pub mod completions;
pub mod ctl;
pub mod load_object;
pub mod mount;
mod output;
mod reference;
pub mod tables;
pub mod targets;
