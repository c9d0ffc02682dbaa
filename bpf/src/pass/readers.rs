//! Tells a shared program whom it serves: the map `readers` of `programs/lib/reader.h`.
//!
//! The map is keyed by the reading thread. Each of our threads has an entry of
//! its own while it lives, so no two passes ever share one.

use crate::load::libbpf_error::os_error;
use iterfs_mapping::View;
use iterfs_mapping::error::{Error, Result};
use libbpf_rs::{MapCore, MapFlags, MapHandle, MapType};
use rustix::thread::gettid;
use std::cell::RefCell;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use zerocopy::{Immutable, IntoBytes};

/// The map's name in the objects that use it.
pub(crate) const MAP_NAME: &str = "readers";

/// The size of its keys, thread ids.
pub(crate) const KEY_SIZE: u32 = size_of::<u32>() as u32;

/// One open's settings; the front of `struct reader`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct Settings {
    /// Inode number of the pid namespace to number tasks in; 0 is the initial one.
    pub(crate) pid_namespace: u32,
    /// Only this process, numbered likewise; 0 is all.
    pub(crate) process: u32,
    /// Only what belongs to the net namespace of this inode number; 0 is any.
    pub(crate) net_namespace: u32,
    /// The reader's real user, where its own processes alone are shown.
    pub(crate) uid: u32,
    /// The group that goes with it.
    pub(crate) gid: u32,
    /// Whether the reader's own processes alone are shown.
    pub(crate) own: u16,
    /// Whether kernel addresses are kept from the reader.
    pub(crate) hides_addresses: u16,
    /// Bytes that a row holds of a map's key.
    pub(crate) key_size: u32,
    /// And of its value, all processors' included.
    pub(crate) value_size: u32,
    /// Only a process that started then, in nanoseconds since boot; 0 is any.
    pub(crate) started: u64,
    /// The reader's effective capabilities, in its user namespace.
    pub(crate) capabilities: u64,
    /// The inode number of that.
    pub(crate) user_namespace: u32,
    /// The user who made it.
    pub(crate) namespace_owner: u32,
    /// The reader's effective user.
    pub(crate) effective: u32,
    /// Keeps the next member aligned.
    pub(crate) unused: u32,
    /// Which part of a walk over cgroups.
    pub(crate) walk: Walk,
}

impl Settings {
    /// What a reader may see.
    pub(crate) fn of(view: &View) -> Settings {
        let own = view.own.unwrap_or_default();
        Settings {
            uid: own.uid,
            gid: own.gid,
            effective: own.effective,
            capabilities: own.capabilities,
            user_namespace: own.user_namespace,
            namespace_owner: own.namespace_owner,
            own: u16::from(view.own.is_some()),
            hides_addresses: u16::from(!view.addresses),
            started: view.started.unwrap_or_default(),
            ..Settings::default()
        }
    }

    /// Whether a program that does not ask for them would show too much.
    pub(crate) fn is_needed(&self) -> bool {
        self.own != 0
    }
}

/// What a walk over cgroups shows; the front of `struct cgroup_walk`. The program
/// counts in it, so it is stored before each walk.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Immutable, IntoBytes)]
#[repr(C)]
pub(crate) struct Walk {
    /// What follows this cgroup; 0 is the beginning.
    pub(crate) at: u64,
    /// Nothing below `at` up to this id.
    pub(crate) after: u64,
    /// Only what is nearer to the root than this; 0 is all.
    pub(crate) above: u32,
    /// Bytes of rows that there is room for.
    pub(crate) budget: u32,
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
            KEY_SIZE,
            value_size,
            max_entries,
            &options,
        )
        .map_err(|error| Error::Reader(os_error(&error)))?;
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
                    if entry.settings != settings || settings.walk != Walk::default() {
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
        let settings = settings.as_bytes();
        value[..settings.len()].copy_from_slice(settings);
        self.map
            .update(&this_thread(), &value, MapFlags::ANY)
            .map_err(|error| Error::Reader(os_error(&error)))
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
