//! Pins that ask: a pinned link whose program has a question of its own.

use crate::load::libbpf_error::os_error;
use crate::load::question::{Encoded, MAP_NAME};
use crate::program::link_swap::program_of;
use crate::sys;
use iterfs_mapping::error::{Error, Result};
use libbpf_rs::{MapInfo, MapType};
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};

/// Whether the program of a pinned link answers a question: whether it has the map with one.
///
/// # Errors
/// The kernel's error.
pub(crate) fn asks(link: BorrowedFd<'_>) -> Result<bool> {
    let failed = |cause| Error::Attach {
        object: "a pinned link".into(),
        cause,
    };
    let program = program_of(link)?;
    for id in sys::maps_of_program(program.as_fd()).map_err(failed)? {
        let map = match sys::map_by_id(id) {
            // The program was replaced meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            map => map.map_err(failed)?,
        };
        let info = MapInfo::new(map.as_fd()).map_err(|error| failed(os_error(&error)))?;
        if info.map_type() == MapType::Array
            && info.info.value_size as usize == size_of::<Encoded>()
            && info.name().is_ok_and(|name| name == MAP_NAME)
        {
            return Ok(true);
        }
    }
    Ok(false)
}
