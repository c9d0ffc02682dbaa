//! Where a path of the command line lies: in which mount, and where below it.

use anyhow::{Context, Result, bail};
use iterfs_fs::mount::table::directories_of_iterfs;
use iterfs_mapping::query::ASKS;
use std::path::{Component, Path, PathBuf, absolute};

/// A path, and the mounts that it may belong to.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Place {
    /// The mount that the path lies in or, if it only names a table, every mount.
    pub(super) mounts: Vec<PathBuf>,
    /// Whether the path lies in a mount, rather than only naming a table.
    pub(super) inside: bool,
    /// The path from the root of the mount, without redundant slashes.
    pub(super) below: String,
}

/// Finds out where a path lies. A relative path that is not below a mount names a table of any
/// mount, such as `net/tcp`.
///
/// # Errors
/// An absolute path below no mount.
pub(super) fn locate(path: &Path) -> Result<Place> {
    let mounts = directories_of_iterfs().unwrap_or_default();
    let whole = absolute(path).context("cannot use the path")?;
    let place = below_a_mount(&whole, &mounts).or_else(|| below_a_mount(&resolved(path)?, &mounts));
    match place {
        Some((mount, below)) => Ok(Place {
            mounts: vec![mount],
            inside: true,
            below,
        }),
        None if path.is_absolute() => bail!(
            "{} is not below a mounted iterfs; give a path below one, such as net/tcp",
            path.display()
        ),
        None => Ok(Place {
            below: plain(path),
            mounts,
            inside: false,
        }),
    }
}

impl Place {
    /// The first mount that has the directory of this path.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn mount(&self) -> Result<&Path> {
        let mut mounts = self.mounts.iter();
        let Some(first) = self.mounts.first() else {
            bail!("no iterfs is mounted; mount one with: iterfs mount DIRECTORY")
        };
        let found = mounts.find(|mount| mount.join(self.directory()).is_dir());
        Ok(found.unwrap_or(first))
    }

    /// The directory of the path, from the root of the mount.
    pub(super) fn directory(&self) -> &str {
        match self.below.rsplit_once('/') {
            Some((directory, _)) => directory,
            None => "",
        }
    }

    /// The last name of the path.
    pub(super) fn name(&self) -> &str {
        match self.below.rsplit_once('/') {
            Some((_, name)) => name,
            None => &self.below,
        }
    }
}

/// A path without the terms of a name that asks.
pub(super) fn without_terms(path: &str) -> &str {
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    match path[name..].find(char::from(ASKS)) {
        Some(at) => &path[..name + at],
        None => path,
    }
}

/// The innermost mount on a path, and the part of the path below it.
fn below_a_mount(path: &Path, mounts: &[PathBuf]) -> Option<(PathBuf, String)> {
    let below = |mount: &PathBuf| Some((mount.clone(), plain(path.strip_prefix(mount).ok()?)));
    let places = mounts.iter().filter_map(below);
    places.max_by_key(|(mount, _)| mount.as_os_str().len())
}

/// A path without symbolic links. The last name need not exist.
fn resolved(path: &Path) -> Option<PathBuf> {
    let of_directory = || {
        let (directory, name) = (path.parent()?, path.file_name()?);
        let directory = match directory.as_os_str().is_empty() {
            true => Path::new("."),
            false => directory,
        };
        Some(directory.canonicalize().ok()?.join(name))
    };
    path.canonicalize().ok().or_else(of_directory)
}

/// A path as text, without parts such as `.` that have no meaning.
fn plain(path: &Path) -> String {
    let names = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_string_lossy()),
        _ => None,
    });
    names.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        let mounts = ["/mnt".into(), "/mnt/a".into()];
        let found = |path: &str| below_a_mount(Path::new(path), &mounts);
        let inner = Some(("/mnt/a".into(), "net/tcp@pid=1".into()));
        assert_eq!(found("/mnt/a/net//tcp@pid=1"), inner);
        assert_eq!(found("/mnt/b"), Some(("/mnt".into(), "b".into())));
        assert_eq!(found("/tmp"), None);
        assert_eq!(plain(Path::new("./net//tcp/")), "net/tcp");
        let place = |below: &str| Place {
            mounts: Vec::new(),
            inside: false,
            below: below.into(),
        };
        assert_eq!(place("a/b/c").directory(), "a/b");
        assert_eq!(place("a/b/c").name(), "c");
        assert_eq!(place("c").directory(), "");
    }

    #[test]
    fn terms_are_left_out() {
        assert_eq!(without_terms("net/tcp@state=LISTEN,uid"), "net/tcp");
        assert_eq!(without_terms("user@host/x"), "user@host/x");
        assert_eq!(without_terms("tasks"), "tasks");
    }
}
