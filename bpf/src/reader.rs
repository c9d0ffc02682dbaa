//! Tells a shared program whom it serves: the map `readers` of `programs/reader.h`.
//!
//! The map is keyed by the reading thread. Each of our threads has an entry of
//! its own while it lives, so no two passes ever share one.

use crate::error::{Error, Result};
use crate::sys;
use libbpf_rs::{MapCore, MapHandle, MapType};
use rustix::thread::gettid;
use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// The map's name in the objects that use it.
pub(crate) const MAP_NAME: &str = "readers";

/// One open's settings; the front of `struct reader`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Settings {
    /// Inode number of the pid namespace to number tasks in; 0 is the initial one.
    pub(crate) pid_namespace: u32,
    /// Only this process, numbered likewise; 0 is all.
    pub(crate) process: u32,
    /// Only what belongs to the net namespace of this inode number; 0 is any.
    pub(crate) net_namespace: u32,
}

/// The map, shared by every program that asks who is reading.
#[derive(Debug)]
pub(crate) struct Readers {
    map: MapHandle,
    value_size: usize,
}

/// This thread's entry, removed when the thread ends.
struct Entry {
    readers: Arc<Readers>,
    settings: Settings,
}

thread_local! {
    static ENTRY: RefCell<Option<Entry>> = const { RefCell::new(None) };
}

impl Readers {
    /// Makes the map as an object declares it, of a kind of hash table.
    pub(crate) fn create(kind: MapType, max_entries: u32, value_size: u32) -> Result<Arc<Readers>> {
        let options = libbpf_sys::bpf_map_create_opts {
            sz: size_of::<libbpf_sys::bpf_map_create_opts>() as libbpf_sys::size_t,
            ..Default::default()
        };
        let map = MapHandle::create(
            kind,
            Some(MAP_NAME),
            size_of::<u32>() as u32,
            value_size,
            max_entries,
            &options,
        )
        .map_err(|error| Error::Reader(io::Error::other(error.to_string())))?;
        Ok(Arc::new(Readers {
            map,
            value_size: value_size as usize,
        }))
    }

    /// The map's descriptor, for objects to share.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }

    /// Makes reads by this thread follow `settings`, until it says otherwise.
    pub(crate) fn set_for_this_thread(self: &Arc<Self>, settings: Settings) -> Result<()> {
        ENTRY.with_borrow_mut(|entry| {
            match entry {
                Some(entry) if Arc::ptr_eq(&entry.readers, self) => {
                    if entry.settings != settings {
                        self.store(settings)?;
                        entry.settings = settings;
                    }
                }
                _ => {
                    self.store(settings)?;
                    *entry = Some(Entry {
                        readers: Arc::clone(self),
                        settings,
                    });
                }
            }
            Ok(())
        })
    }

    fn store(&self, settings: Settings) -> Result<()> {
        let mut value = vec![0; self.value_size];
        let Settings {
            pid_namespace,
            process,
            net_namespace,
        } = settings;
        let fields = [pid_namespace, process, net_namespace];
        for (place, field) in value.chunks_exact_mut(4).zip(fields) {
            place.copy_from_slice(&field.to_ne_bytes());
        }
        sys::map_update(self.map.as_fd(), &this_thread(), &value).map_err(Error::Reader)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // Nothing reads it any more; if it stayed, it would only take room.
        let _ = self.readers.map.delete(&this_thread());
    }
}

fn this_thread() -> [u8; 4] {
    gettid().as_raw_nonzero().get().to_ne_bytes()
}
