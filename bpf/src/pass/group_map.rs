//! The map in which a summary's program counts: `groups` of `programs/lib/groups.h`.
//!
//! Each value in it is a row of the table, with the key columns first.

use crate::load::loader::refused_object;
use crate::sys;
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::row::Schema;
use libbpf_rs::{Map, MapCore, MapHandle};
use std::os::fd::AsFd;

/// The map's name in the objects of summaries.
pub(crate) const MAP_NAME: &str = "groups";

/// The number of groups requested at first, and at most.
const BATCH: usize = 512;
const LARGEST_BATCH: usize = 8192;

/// The map of groups of one program.
#[derive(Debug)]
pub(crate) struct Groups {
    map: MapHandle,
    key_size: usize,
    row_size: usize,
}

/// The progress of taking the groups out of a map.
#[derive(Debug)]
pub(crate) struct Cursor {
    next: Option<u32>,
    batch: usize,
    keys: Vec<u8>,
}

impl Default for Cursor {
    fn default() -> Cursor {
        Cursor {
            next: None,
            batch: BATCH,
            keys: Vec::new(),
        }
    }
}

impl Cursor {
    /// Whether no groups were taken yet.
    pub(crate) fn is_start(&self) -> bool {
        self.next.is_none()
    }
}

impl Groups {
    /// The map of a loaded object whose rows have this schema.
    pub(crate) fn of(object: &str, map: &Map<'_>, schema: &Schema) -> Result<Groups> {
        let bad = |what: String| Error::BadObject {
            object: object.into(),
            what,
        };
        let map = MapHandle::try_from(map).map_err(|error| refused_object(object, &error))?;
        let row_size = map.value_size() as usize;
        if row_size != schema.fixed_size || schema.tail_length.is_some() {
            return Err(bad(format!("the values of {MAP_NAME} are not its rows")));
        }
        Ok(Groups {
            key_size: map.key_size() as usize,
            row_size,
            map,
        })
    }

    /// The most groups that the map can hold.
    pub(crate) fn room(&self) -> u32 {
        self.map.max_entries()
    }

    /// Moves some groups out of the map and appends them to `rows`. Returns whether more may
    /// follow.
    pub(crate) fn take(&self, cursor: &mut Cursor, rows: &mut Vec<u8>) -> Result<bool> {
        let before = rows.len();
        loop {
            cursor.keys.resize(cursor.batch * self.key_size, 0);
            rows.resize(before + cursor.batch * self.row_size, 0);
            let taken = sys::map_take(
                self.map.as_fd(),
                cursor.next,
                &mut cursor.keys,
                self.key_size,
                &mut rows[before..],
                self.row_size,
            );
            let taken = match taken {
                Ok(taken) => taken,
                // One bucket holds more groups than were requested.
                Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => {
                    cursor.batch *= 2;
                    continue;
                }
                Err(error) => return Err(Error::Pass(error)),
            };
            rows.truncate(before + taken.count * self.row_size);
            cursor.batch = cursor.batch.max((2 * cursor.batch).min(LARGEST_BATCH));
            cursor.next = taken.next;
            return Ok(taken.next.is_some());
        }
    }

    /// Removes all groups from the map.
    pub(crate) fn clear(&self) -> Result<()> {
        let mut cursor = Cursor::default();
        let mut rows = Vec::new();
        while self.take(&mut cursor, &mut rows)? {
            rows.clear();
        }
        Ok(())
    }
}
