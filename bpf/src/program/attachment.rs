//! What a link is attached to, kept for as long as the link: a replacement is attached
//! there on trial before it is put into the link.

use crate::sys;
use iterfs_mapping::Narrowing;
use iterfs_mapping::error::{Error, Result};
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// A part of a target, and the map where that is one's entries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attachment {
    narrowing: Narrowing,
    map: Option<Arc<OwnedFd>>,
}

impl Attachment {
    /// Everything that a target walks.
    pub(crate) const EVERYTHING: Attachment = Attachment {
        narrowing: Narrowing::Nothing,
        map: None,
    };

    /// A part of a target; opens the map if it is one's entries.
    ///
    /// # Errors
    /// [`Error::NoMap`], [`Error::Map`].
    pub(crate) fn to(narrowing: Narrowing) -> Result<Attachment> {
        let map = match narrowing {
            Narrowing::Map(id) => {
                Some(Arc::new(sys::map_by_id(id).map_err(
                    |error| match error.kind() {
                        ErrorKind::NotFound => Error::NoMap(id),
                        _ => Error::Map(error),
                    },
                )?))
            }
            Narrowing::Nothing
            | Narrowing::Process(_)
            | Narrowing::Thread(_)
            | Narrowing::NetNamespace(_)
            | Narrowing::Cgroup(..)
            | Narrowing::EachCgroup(_) => None,
        };
        Ok(Attachment { narrowing, map })
    }

    /// The entries of a map with this id that is open already.
    pub(crate) fn to_map(id: u32, map: OwnedFd) -> Attachment {
        Attachment {
            narrowing: Narrowing::Map(id),
            map: Some(Arc::new(map)),
        }
    }

    /// The part.
    pub(crate) fn narrowing(&self) -> Narrowing {
        self.narrowing
    }

    /// The map, if it is the entries of one.
    pub(crate) fn map(&self) -> Option<BorrowedFd<'_>> {
        self.map.as_ref().map(|map| map.as_fd())
    }

    /// Whether a link to everything serves it. A net namespace is no part of a target: the
    /// one in which an iterator is made decides.
    pub(crate) fn is_everything(&self) -> bool {
        matches!(
            self.narrowing,
            Narrowing::Nothing | Narrowing::NetNamespace(_)
        )
    }
}
