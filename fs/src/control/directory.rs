//! The directory of programs: each object in it is a table in `user`.

use super::command::checked_name;
use super::pinning::Pinning;
use crate::error::{Failure, Result, os_errno};
use crate::trusted;
use fuser::Errno;
use iterfs_mapping::contract::{Backend, ObjectFile};
use iterfs_mapping::{Contents, Narrowing};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The suffix of an object's name.
const SUFFIX: &str = ".o";

/// A directory of objects, and the tables loaded from it.
pub(super) struct Directory {
    path: PathBuf,
    loaded: BTreeMap<String, Origin>,
}

/// A loaded table, and the state of the object's file when it was loaded.
struct Origin {
    table: u32,
    stamp: Stamp,
}

/// Distinguishes two states of a file: inode number and time of change.
type Stamp = (u64, i64, i64);

/// An object in the directory.
struct Object {
    name: String,
    path: PathBuf,
    stamp: Stamp,
}

impl Directory {
    pub(super) fn new(path: PathBuf) -> Directory {
        Directory {
            path,
            loaded: BTreeMap::new(),
        }
    }

    /// Checks that only root can change the content of the directory.
    pub(super) fn check(&self) -> Result<()> {
        let metadata = fs::metadata(&self.path).map_err(|error| self.unreadable(&error))?;
        if !metadata.is_dir() {
            return Err(self.unusable("it is not a directory".into()));
        }
        self.check_owner(&self.path, &metadata)
    }

    /// Makes `user` show the objects in the directory: loads those that are new or changed,
    /// and unloads those that are gone. If an object cannot be loaded, the others still
    /// are, and its table stays as it was.
    ///
    /// # Errors
    /// The failures of all objects.
    pub(super) fn reload(&mut self, backend: &dyn Backend, pinning: &Pinning) -> Result<String> {
        self.check()?;
        let mut failures = Vec::new();
        let mut changed = 0;
        let mut there = BTreeMap::new();
        for object in self.objects()? {
            let taken = object.and_then(|object| match there.entry(object.name.clone()) {
                Entry::Vacant(place) => {
                    place.insert(object);
                    Ok(())
                }
                Entry::Occupied(_) => Err(self.unusable(format!(
                    "two objects claim the name user/{}; rename one, such as {}",
                    object.name,
                    object.path.display()
                ))),
            });
            note(&mut failures, taken);
        }
        let standing: Vec<_> = backend.user_tables().into_iter().collect();
        let stands = |name: &str, table: u32| {
            let mut standing = standing.iter();
            standing.any(|standing| standing.number == table && standing.name == name)
        };
        // An object whose table was unloaded by hand since the last reload is loaded again.
        self.loaded
            .retain(|name, origin| stands(name, origin.table));
        for name in self.gone(&there)? {
            note(&mut failures, backend.unload(&name).map_err(Failure::from));
            self.loaded.remove(&name);
            changed += 1;
        }
        for Object { name, path, stamp } in there.into_values() {
            let loaded = self.loaded.get(&name);
            if loaded.is_some_and(|origin| origin.stamp == stamp) {
                continue;
            }
            let object = ObjectFile {
                path,
                program: None,
            };
            let done = match loaded {
                Some(origin) => pinning
                    .update(Contents::User(origin.table), &object)
                    .map(|_| Some(origin.table)),
                None => backend
                    .load(&name, &object, Narrowing::Nothing)
                    .map_err(Failure::from)
                    .map(|()| number(backend, &name)),
            };
            if let Some(Some(table)) = note(&mut failures, done) {
                self.loaded.insert(name, Origin { table, stamp });
                changed += 1;
            }
        }
        match Failure::all(failures) {
            Some(failure) => Err(failure),
            None => Ok(format!("reloaded: {}", super::counted(changed, "change"))),
        }
    }

    /// The tables whose object no longer exists, valid or not.
    fn gone(&self, there: &BTreeMap<String, Object>) -> Result<Vec<String>> {
        let mut files = Vec::new();
        for file in fs::read_dir(&self.path).map_err(|error| self.unreadable(&error))? {
            let file = file.map_err(|error| self.unreadable(&error))?;
            files.extend(stem(&file.file_name()).map(str::to_owned));
        }
        let names = self.loaded.keys();
        let gone = names.filter(|name| !there.contains_key(*name) && !files.contains(name));
        Ok(gone.cloned().collect())
    }

    /// The objects in the directory; for an invalid one, the reason.
    fn objects(&self) -> Result<Vec<Result<Object>>> {
        let failed = |error| self.unreadable(&error);
        let mut objects = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if let Some(stem) = stem(&entry.file_name()) {
                objects.push(self.object(stem, entry.path()));
            }
        }
        Ok(objects)
    }

    fn object(&self, stem: &str, path: PathBuf) -> Result<Object> {
        let name = checked_name(stem).map_err(Failure::Command)?;
        // Do not follow symbolic links: they may lead out of root's directory.
        let metadata = path
            .symlink_metadata()
            .map_err(|error| self.unreadable(&error))?;
        if !metadata.is_file() {
            return Err(self.unusable(format!("{} is not a regular file", path.display())));
        }
        self.check_owner(&path, &metadata)?;
        let stamp = (metadata.ino(), metadata.ctime(), metadata.ctime_nsec());
        Ok(Object { name, path, stamp })
    }

    fn check_owner(&self, path: &Path, metadata: &Metadata) -> Result<()> {
        if trusted::is_owned_by_another(metadata) {
            return Err(self.unusable(format!(
                "{} does not belong to root; run: chown root",
                path.display()
            )));
        }
        if trusted::is_writable_by_others(metadata) {
            let path = path.display();
            return Err(self.unusable(format!(
                "users other than root may write to {path}; run: chmod go-w"
            )));
        }
        Ok(())
    }

    fn unusable(&self, what: String) -> Failure {
        Failure::ProgramDirectory {
            path: self.path.clone(),
            what,
            errno: Errno::EPERM,
        }
    }

    fn unreadable(&self, error: &io::Error) -> Failure {
        Failure::ProgramDirectory {
            path: self.path.clone(),
            what: error.to_string(),
            errno: os_errno(error),
        }
    }
}

/// The name of the table for an object's file: `x` for both `x.bpf.o` and `x.o`.
fn stem(file: &OsStr) -> Option<&str> {
    let stem = file.to_str()?.strip_suffix(SUFFIX)?;
    Some(stem.strip_suffix(".bpf").unwrap_or(stem))
}

fn number(backend: &dyn Backend, name: &str) -> Option<u32> {
    let mut tables = backend.user_tables().into_iter();
    Some(tables.find(|table| table.name == name)?.number)
}

/// Logs a failure and keeps it.
fn note<T>(failures: &mut Vec<Failure>, done: Result<T>) -> Option<T> {
    done.map_err(|failure| {
        tracing::error!("{failure}");
        failures.push(failure);
    })
    .ok()
}
