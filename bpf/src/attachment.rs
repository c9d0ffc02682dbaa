//! The target of a link and how it is narrowed, kept for as long as the link: a
//! replacement is attached there on trial before it is put into the link.

use crate::error::{Error, Result};
use crate::sys::{self, LinkTo};
use iterfs_mapping::{Order, Parameter};
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// [`LinkTo`], owned.
#[derive(Clone, Debug, Default)]
pub(crate) enum Attachment {
    /// Everything that the target walks.
    #[default]
    Everything,
    /// One process, as the daemon's pid namespace numbers it.
    Process(u32),
    /// One thread, likewise.
    Thread(u32),
    /// The entries of a map.
    Map(Arc<OwnedFd>),
    /// From a cgroup, by its id (0: the root), this way.
    Cgroup(u64, Order),
    /// A cgroup and all below it, each with a walk of its own. The link is attached to
    /// the first of them, and no iterator is made of it.
    EachCgroup(u64),
}

impl Attachment {
    /// The map of an id.
    ///
    /// # Errors
    /// [`Error::NoMap`], [`Error::Map`].
    pub(crate) fn to_map(id: u32) -> Result<Attachment> {
        let map = sys::map_by_id(id).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::NoMap(id),
            _ => Error::Map(error),
        })?;
        Ok(Attachment::Map(Arc::new(map)))
    }

    /// The attachment of a link to part of a table. A net namespace is no part: the
    /// namespace in which an iterator is created decides.
    ///
    /// # Errors
    /// [`Error::NoMap`], [`Error::Map`].
    pub(crate) fn to_part(parameter: Parameter) -> Result<Attachment> {
        Ok(match parameter {
            Parameter::None | Parameter::NetNamespace(_) => Attachment::Everything,
            Parameter::Process(process) => Attachment::Process(process),
            Parameter::Cgroup(id, order) => Attachment::Cgroup(id, order),
            Parameter::Map(id) => Attachment::to_map(id)?,
        })
    }

    /// The same for a system call.
    pub(crate) fn target(&self) -> LinkTo<'_> {
        match self {
            Attachment::Everything => LinkTo::Everything,
            Attachment::Process(process) => LinkTo::Process(*process),
            Attachment::Thread(thread) => LinkTo::Thread(*thread),
            Attachment::Map(map) => LinkTo::Map(map.as_fd()),
            Attachment::Cgroup(id, order) => LinkTo::Cgroup(*id, *order),
            Attachment::EachCgroup(id) => LinkTo::Cgroup(*id, Order::Itself),
        }
    }

    /// The map, if it is one.
    pub(crate) fn map(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Attachment::Map(map) => Some(map.as_fd()),
            _ => None,
        }
    }
}
