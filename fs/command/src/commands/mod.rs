//! The commands, one module each.

pub(crate) mod check;
pub(crate) mod columns;
pub(crate) mod completions;
pub(crate) mod ctl;
pub(crate) mod load_object;
pub(crate) mod mount;
mod output;
mod reference;
pub(crate) mod tables;
pub(crate) mod targets;
