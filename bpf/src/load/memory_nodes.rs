//! The number of possible memory nodes, for programs that walk per-node structures of the
//! kernel.

use libbpf_rs::OpenObject;
use std::path::Path;
use std::{fs, io};

/// The constant, which has its own section in `programs/slabs.bpf.c`.
const SECTION: &str = ".rodata.nodes";

/// The directory in which the kernel lists the possible nodes
/// (Documentation/ABI/stable/sysfs-devices-node).
const DIRECTORY: &str = "/sys/devices/system";

/// Stores the number in an object that has the constant.
pub(crate) fn tell(object: &mut OpenObject) {
    for mut map in object.maps_mut() {
        if map.name() == SECTION
            && let Some(value) = map
                .initial_value_mut()
                .and_then(|value| value.get_mut(..size_of::<u32>()))
        {
            value.copy_from_slice(&node_ids(Path::new(DIRECTORY)).to_ne_bytes());
        }
    }
}

/// The kernel's `nr_node_ids`: the highest possible id plus one. 0 if sysfs cannot be read; the
/// columns that depend on it are then absent.
fn node_ids(directory: &Path) -> u32 {
    match fs::read_to_string(directory.join("node/possible")) {
        Ok(list) => after_last(&list).unwrap_or(0),
        // Without CONFIG_NUMA there is one node and no list.
        Err(error) if error.kind() == io::ErrorKind::NotFound && directory.exists() => 1,
        Err(error) => {
            tracing::warn!(%error, "cannot list memory nodes: kernel/slabs counts no slabs");
            0
        }
    }
}

/// The last number of a sorted list such as `0-3,8`, plus one.
fn after_last(list: &str) -> Option<u32> {
    let last = list.trim().rsplit([',', '-']).next()?;
    last.parse::<u32>().ok()?.checked_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_nodes_follows_from_the_highest_id() {
        assert_eq!(after_last("0\n"), Some(1));
        assert_eq!(after_last("0-3\n"), Some(4));
        assert_eq!(after_last("0,2-3,8\n"), Some(9));
        assert_eq!(after_last(""), None);
    }

    #[test]
    fn a_kernel_without_nodes_has_one() {
        assert_eq!(node_ids(Path::new("/sys/devices/system/cpu")), 1);
        assert_eq!(node_ids(Path::new("/nowhere")), 0);
    }
}
