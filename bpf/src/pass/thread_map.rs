//! Maps in which a shared program finds what the reading thread was told: the settings of the
//! reader, and its question.
//!
//! The key is the id of the reading thread. Each thread of the daemon has its own entry while
//! it lives, so no two passes share one.

use crate::load::libbpf_error::os_error;
use iterfs_mapping::error::{Error, Result};
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType};
use rustix::thread::gettid;
use std::cell::RefCell;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// The size of the keys, which are thread ids.
pub(crate) const KEY_SIZE: u32 = size_of::<u32>() as u32;

/// A map, shared by all programs that look in it.
#[derive(Debug)]
pub(crate) struct ThreadMap {
    name: &'static str,
    map: MapHandle,
    value_size: usize,
}

/// The entry of this thread in a map, which is removed when the thread ends.
struct Entry {
    map: Arc<ThreadMap>,
    value: Vec<u8>,
}

thread_local! {
    /// One entry for each name of a map.
    static ENTRIES: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

impl ThreadMap {
    /// Creates the map as an object declares it; `kind` is a kind of hash table.
    pub(crate) fn create(
        kind: MapType,
        name: &'static str,
        max_entries: u32,
        value_size: u32,
    ) -> Result<Arc<ThreadMap>> {
        let options = libbpf_sys::bpf_map_create_opts {
            sz: size_of::<libbpf_sys::bpf_map_create_opts>() as libbpf_sys::size_t,
            ..Default::default()
        };
        let map = MapHandle::create(
            kind,
            Some(name),
            KEY_SIZE,
            value_size,
            max_entries,
            &options,
        )
        .map_err(|error| Error::Reader(os_error(&error)))?;
        Ok(Arc::new(ThreadMap {
            name,
            map,
            value_size: value_size as usize,
        }))
    }

    /// The map's descriptor, for objects to share.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }

    /// Stores the front of the value that applies to all further reads by this thread, unless it
    /// is there already. `changes` tells that programs change the value.
    pub(crate) fn set_for_this_thread(self: &Arc<Self>, value: &[u8], changes: bool) -> Result<()> {
        ENTRIES.with_borrow_mut(|entries| {
            let at = entries.iter().position(|it| it.map.name == self.name);
            if let Some(entry) = at.map(|at| &mut entries[at])
                && Arc::ptr_eq(&entry.map, self)
            {
                if changes || entry.value != value {
                    self.store(value)?;
                    value.clone_into(&mut entry.value);
                }
                return Ok(());
            }
            self.store(value)?;
            let entry = Entry {
                map: Arc::clone(self),
                value: value.to_vec(),
            };
            match at {
                Some(at) => entries[at] = entry,
                None => entries.push(entry),
            }
            Ok(())
        })
    }

    fn store(&self, front: &[u8]) -> Result<()> {
        let mut value = vec![0; self.value_size];
        value[..front.len()].copy_from_slice(front);
        self.map
            .update(&this_thread(), &value, MapFlags::ANY)
            .map_err(|error| Error::Reader(os_error(&error)))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // No program reads the entry any more; if removing it fails, it only takes up room.
        let _ = self.map.map.delete(&this_thread());
    }
}

fn this_thread() -> [u8; 4] {
    gettid().as_raw_nonzero().get().to_ne_bytes()
}
