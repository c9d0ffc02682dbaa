//! Sources that tables are compared with, such as /proc and ss(8), and the comparisons.

pub mod columns;
pub mod inet;
pub mod lines;
pub mod maps;
pub mod proc;
pub mod rows;
pub mod socket_columns;
pub mod ss;
pub mod steady;
pub mod system_calls;
pub mod told;
pub mod unix;
