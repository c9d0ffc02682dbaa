//! The attachment of a link, kept for as long as the link: before a replacement is put into the
//! link, it is attached to the same part on trial.

use crate::sys;
use iterfs_mapping::Narrowing;
use iterfs_mapping::error::{Error, Result};
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// A part of a target. For a map's entries, it includes the map.
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

    /// A part of a target. Opens the map if the part is a map's entries.
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

    /// The entries of the open map with this id.
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

    /// The map, if the part is a map's entries.
    pub(crate) fn map(&self) -> Option<BorrowedFd<'_>> {
        self.map.as_ref().map(|map| map.as_fd())
    }

    /// Whether a link to everything also serves this part. A net namespace is not a part of a
    /// target: it depends on the namespace in which an iterator is made.
    pub(crate) fn is_everything(&self) -> bool {
        matches!(
            self.narrowing,
            Narrowing::Nothing | Narrowing::NetNamespace(_)
        )
    }
}
