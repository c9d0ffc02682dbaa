//! The commands, one module each.

pub(crate) mod check;
pub(crate) mod columns;
pub(crate) mod complete;
pub(crate) mod completions;
pub(crate) mod ctl;
mod describe;
pub(crate) mod explain;
pub(crate) mod load_object;
mod locate;
pub(crate) mod ls;
pub(crate) mod mount;
mod output;
mod reference;
pub(crate) mod tables;
pub(crate) mod targets;
pub(crate) mod top;
