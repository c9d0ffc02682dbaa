//! Examines the machine: callers, namespaces, cgroups, and inventories of processes and maps.

pub(crate) mod callers;
pub(crate) mod cgroups;
pub(crate) mod held;
pub(crate) mod inventory;
pub(crate) mod namespaces;
pub(crate) mod net_entry;
pub(crate) mod net_namespaces;
