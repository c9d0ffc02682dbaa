//! Replaces the program of several links: of all, or of none.

use crate::load::libbpf_error::os_error;
use crate::program::attach;
use crate::program::attachment::Attachment;
use crate::sys;
use iterfs_mapping::Narrowing;
use iterfs_mapping::error::{Error, Result};
use libbpf_rs::Program;
use libbpf_rs::query::LinkInfo;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Links whose program was replaced. When dropped without [`LinkSwap::keep`], each gets its old
/// program back.
#[derive(Debug, Default)]
pub(crate) struct LinkSwap<'a> {
    before: Vec<(BorrowedFd<'a>, OwnedFd)>,
}

impl<'a> LinkSwap<'a> {
    /// Puts `program`, from the object `name`, into another link.
    ///
    /// # Errors
    /// The kernel's error.
    pub(crate) fn put(
        &mut self,
        name: &str,
        link: BorrowedFd<'a>,
        program: BorrowedFd<'_>,
    ) -> Result<()> {
        let before = program_of(link)?;
        sys::link_update(link, program).map_err(|cause| Error::Attach {
            object: name.into(),
            cause,
        })?;
        self.before.push((link, before));
        Ok(())
    }

    /// Makes the replacements permanent.
    pub(crate) fn keep(mut self) {
        self.before.clear();
    }
}

impl Drop for LinkSwap<'_> {
    fn drop(&mut self) {
        for (link, before) in self.before.drain(..).rev() {
            if let Err(error) = sys::link_update(link, before.as_fd()) {
                tracing::error!("cannot restore the program of a link: {error}");
            }
        }
    }
}

/// Attaches a program, from the object `name`, on trial. BPF_LINK_CREATE checks whether the
/// target may run sleepable programs, and whether the program stays within a map's key and
/// value; BPF_LINK_UPDATE does not (kernel/bpf/bpf_iter.c, bpf_iter_link_attach(),
/// bpf_iter_link_replace()).
///
/// # Errors
/// The kernel's error.
pub(crate) fn try_program(name: &str, program: BorrowedFd<'_>, to: &Attachment) -> Result<()> {
    let tried = attach(name, program, to);
    match (tried, to.narrowing()) {
        // A link outlives its cgroup. The checks do not depend on the cgroup, so the root
        // serves as well.
        (Err(Error::Attach { cause, .. }), Narrowing::Cgroup(_, order))
            if cause.kind() == io::ErrorKind::NotFound =>
        {
            let root = Attachment::to(Narrowing::Cgroup(0, order))?;
            attach(name, program, &root).map(drop)
        }
        (tried, _) => tried.map(drop),
    }
}

/// The program of a link.
///
/// # Errors
/// The kernel's error.
pub(crate) fn program_of(link: BorrowedFd<'_>) -> Result<OwnedFd> {
    let failed = |cause| Error::Attach {
        object: "a pinned link".into(),
        cause,
    };
    let info = LinkInfo::from_fd(link);
    let info = info.map_err(|error| failed(os_error(&error)))?;
    Program::fd_from_id(info.prog_id).map_err(|error| failed(os_error(&error)))
}
