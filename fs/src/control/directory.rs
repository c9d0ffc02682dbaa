//! The directory of programs: each object in it is a table in `user`.

use super::command::checked_name;
use crate::error::{Failure, Result};
use iterfs_bpf::programs::Narrowing;
use iterfs_bpf::{ObjectFile, Programs};
use iterfs_mapping::Subject;
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What names of objects end in.
const SUFFIX: &str = ".o";

/// Permission bits that let others than root write.
const WRITABLE: u32 = 0o022;

/// A directory of objects, and what was loaded from it.
pub(super) struct Directory {
    path: PathBuf,
    loaded: BTreeMap<String, SystemTime>,
}

impl Directory {
    pub(super) fn new(path: PathBuf) -> Directory {
        Directory {
            path,
            loaded: BTreeMap::new(),
        }
    }

    /// Whether root alone decides what is in it.
    pub(super) fn check(&self) -> Result<()> {
        let metadata =
            fs::metadata(&self.path).map_err(|error| self.unusable(error.to_string()))?;
        if !metadata.is_dir() {
            return Err(self.unusable("it is not a directory".into()));
        }
        self.check_owner(&self.path, &metadata)
    }

    /// Loads what is new or changed, and unloads what is gone. An object that does
    /// not load leaves the others alone, and what stood under its name stays.
    pub(super) fn reload(&mut self, programs: &dyn Programs) -> Result<String> {
        self.check()?;
        let there = self.objects()?;
        let gone = self.loaded.keys().filter(|name| !there.contains_key(*name));
        let gone: Vec<String> = gone.cloned().collect();
        let mut changed = gone.len();
        for name in gone {
            // Unloaded by hand meanwhile: as it should be.
            let _ = programs.unload(&name);
            self.loaded.remove(&name);
        }
        let mut failure = None;
        for (name, (path, modified)) in there {
            if self.loaded.get(&name) == Some(&modified) {
                continue;
            }
            let object = ObjectFile {
                path,
                program: None,
            };
            let there = programs
                .user_tables()
                .into_iter()
                .find(|table| table.name == name);
            let ours = there.filter(|_| self.loaded.contains_key(&name));
            let result = match ours {
                Some(table) => programs.update(Subject::User(table.number), &object),
                None => programs.load(&name, &object, &Narrowing::Nothing),
            };
            match result {
                Ok(()) => {
                    self.loaded.insert(name, modified);
                    changed += 1;
                }
                Err(error) => {
                    tracing::error!("user/{name}: {error}");
                    failure.get_or_insert(Failure::from(error));
                }
            }
        }
        match failure {
            Some(failure) => Err(failure),
            None => Ok(format!("reloaded: {}", super::counted(changed, "change"))),
        }
    }

    /// The objects by the names of their tables.
    fn objects(&self) -> Result<BTreeMap<String, (PathBuf, SystemTime)>> {
        let mut objects = BTreeMap::new();
        let failed = |error: std::io::Error| self.unusable(error.to_string());
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let file = entry.file_name();
            let Some(stem) = file.to_str().and_then(|name| name.strip_suffix(SUFFIX)) else {
                continue;
            };
            // `x.bpf.o` and `x.o` are both x.
            let stem = stem.strip_suffix(".bpf").unwrap_or(stem);
            let name = checked_name(stem).map_err(Failure::Command)?;
            // Not following a link: it would lead out of root's directory.
            let metadata = entry.path().symlink_metadata().map_err(failed)?;
            if !metadata.is_file() {
                return Err(
                    self.unusable(format!("{} is not a regular file", entry.path().display()))
                );
            }
            self.check_owner(&entry.path(), &metadata)?;
            let modified = metadata.modified().map_err(failed)?;
            objects.insert(name, (entry.path(), modified));
        }
        Ok(objects)
    }

    fn check_owner(&self, path: &Path, metadata: &Metadata) -> Result<()> {
        if metadata.uid() != 0 {
            return Err(self.unusable(format!("{} is not root's: chown root it", path.display())));
        }
        if metadata.mode() & WRITABLE != 0 {
            let path = path.display();
            return Err(self.unusable(format!("others may write to {path}: chmod go-w it")));
        }
        Ok(())
    }

    fn unusable(&self, what: String) -> Failure {
        Failure::ProgramDirectory {
            path: self.path.clone(),
            what,
        }
    }
}
