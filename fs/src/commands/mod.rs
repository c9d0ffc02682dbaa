//! What each command does.

pub mod check;
pub mod columns;
pub mod generate;
pub mod mount;
pub mod targets;
