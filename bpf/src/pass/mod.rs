//! Passes over tables. [`iterator`] has the only loop that reads an iterator; all other passes
//! are made of iterators.

pub(crate) mod briefing;
pub(crate) mod cgroup_position;
pub(crate) mod cgroup_walk;
pub(crate) mod each_cgroup;
pub(crate) mod group_map;
pub(crate) mod iterator;
pub(crate) mod iterators;
pub(crate) mod map;
pub(crate) mod process_chain;
pub(crate) mod readers;
pub(crate) mod split;
pub(crate) mod summary;
pub(crate) mod summary_pool;
pub(crate) mod thread_map;
