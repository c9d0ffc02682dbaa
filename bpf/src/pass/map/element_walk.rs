//! Reads elements that are longer than an iterator's buffer, with bpf(2).

use super::sys;
use iterfs_mapping::contract::{Progress, Source};
use iterfs_mapping::error::{Error, Result};
use libbpf_sys::bpf_map_info;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// A walk from key to key.
pub(super) struct ElementWalk {
    map: OwnedFd,
    /// The previous key; none at first.
    before: Option<Vec<u8>>,
    /// The element that is being handed out: its key, then its value.
    element: Vec<u8>,
    key_size: usize,
    /// The number of bytes of the element already handed out.
    given: usize,
    /// The most keys that may follow. If the previous key was deleted, a hash table starts
    /// again from its first key, so nothing else would end the walk.
    left: u32,
}

impl ElementWalk {
    /// A walk over a map whose elements have this many bytes.
    pub(super) fn new(map: OwnedFd, info: &bpf_map_info, bytes: usize) -> ElementWalk {
        ElementWalk {
            map,
            before: None,
            element: vec![0; bytes],
            key_size: info.key_size as usize,
            given: bytes,
            left: info.max_entries,
        }
    }

    /// Moves to the next element, if there is one.
    fn next(&mut self) -> io::Result<Progress> {
        let (key, value) = self.element.split_at_mut(self.key_size);
        let map = self.map.as_fd();
        if self.left == 0 || !sys::next_key(map, self.before.as_deref(), key)? {
            return Ok(Progress::End);
        }
        self.left -= 1;
        self.before.get_or_insert_default().clear();
        self.before.get_or_insert_default().extend_from_slice(key);
        if sys::lookup(map, key, value)? {
            self.given = 0;
        }
        // If the lookup fails, the element was deleted meanwhile.
        Ok(Progress::Nothing)
    }
}

impl Source for ElementWalk {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Progress> {
        if self.given == self.element.len() {
            let progress = self.next().map_err(Error::Pass)?;
            if self.given == self.element.len() {
                return Ok(progress);
            }
        }
        let rest = &self.element[self.given..];
        let bytes = rest.len().min(buffer.len());
        buffer[..bytes].copy_from_slice(&rest[..bytes]);
        self.given += bytes;
        Ok(Progress::Bytes(bytes))
    }
}
