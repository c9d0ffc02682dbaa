//! The fake machine's side of the contract.

use super::{Fake, HOST_NET, HOST_USER, Loading, Object, Running, schema};
use iterfs_mapping::caller::INITIAL_PID_NAMESPACE;
use iterfs_mapping::contract::{
    Callers, Cgroups, Form, Held, Loaded, Map, NetNamespaces, ObjectFile, Pass, Pin, PinnedLink,
    Pins, Process, Processes, Programs, Progress, Source, Tables, UserTable,
};
use iterfs_mapping::{
    Caller, Contents, Error, Instance, Narrowing, Query, Result, Schema, Subject, TableId, Tenant,
    User, View,
};
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Records that wait to be read, or bytes of text.
struct Bytes(Vec<u8>);

impl Source for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Progress> {
        let length = self.0.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.0[..length]);
        self.0.drain(..length);
        Ok(match length {
            0 => Progress::End,
            length => Progress::Bytes(length),
        })
    }
}

impl Tables for Fake {
    fn present(&self, table: TableId) -> bool {
        !self.state().lacking.contains(table.table().target.name)
    }

    fn form(&self, table: TableId) -> Form {
        match self.updated(Subject::Table(table)) {
            Some(object) => object.form(),
            None => Form::of_layout(table.table().scope),
        }
    }

    fn user_tables(&self) -> Vec<UserTable> {
        let loaded = self.state().user.clone();
        let table = |(name, program): (String, Loading)| UserTable {
            name,
            number: program.number,
            form: program.object.form(),
        };
        loaded.into_iter().map(table).collect()
    }

    fn schema(&self, contents: Contents, _: &View) -> Result<Option<Arc<Schema>>> {
        let prints = match contents {
            Contents::Table(_) => self.updated(contents.subject()).is_some_and(Object::prints),
            Contents::User(number) => self.user_program(number)?.object.prints(),
        };
        Ok((!prints).then(|| Arc::new(schema())))
    }

    fn open(&self, contents: Contents, query: Option<&Query>, view: &View) -> Result<Pass> {
        if let Some(errno) = self.state().broken.take() {
            return Err(Error::Pass(io::Error::from_raw_os_error(errno)));
        }
        let (form, narrowing, prints) = match contents {
            Contents::Table(Instance { table, narrowing }) => {
                if !self.present(table) {
                    return Err(Error::NoTarget(table.table().target));
                }
                let object = self.updated(Subject::Table(table));
                let prints = object.is_some_and(Object::prints);
                (self.form(table), narrowing, prints)
            }
            Contents::User(number) => {
                let program = self.user_program(number)?;
                let object = self.updated(contents.subject()).unwrap_or(program.object);
                (object.form(), program.narrowing, object.prints())
            }
        };
        let rows = self.rows(narrowing, view, form.scope);
        let bytes = match prints {
            true => b"printed by the program\n".to_vec(),
            false => rows
                .into_iter()
                .flat_map(|(pid, uid)| [pid.to_ne_bytes(), uid.to_ne_bytes()].concat())
                .collect(),
        };
        let pass = Pass {
            schema: (!prints).then(|| Arc::new(schema())),
            source: Box::new(Bytes(bytes)),
            rest: Vec::new(),
            waits_for_processes: false,
            asked: None,
        };
        pass.answering(query)
    }
}

/// A caller that a test may end.
struct HeldCaller {
    gone: Arc<Mutex<HashSet<u32>>>,
    thread: u32,
}

impl Held for HeldCaller {
    fn is_there(&self) -> bool {
        !self.gone.lock().contains(&self.thread)
    }
}

impl Callers for Fake {
    fn daemon(&self) -> Caller {
        Caller {
            thread: None,
            pid_namespace: INITIAL_PID_NAMESPACE,
            net_namespace: HOST_NET,
            user_namespace: HOST_USER,
            is_on_host: true,
        }
    }

    fn identify(&self, thread: u32) -> Result<Caller> {
        self.identified.fetch_add(1, Ordering::Relaxed);
        let known = self.state().callers.get(&thread).cloned();
        let unknown = || Error::Caller(io::ErrorKind::PermissionDenied.into());
        Ok(known.ok_or_else(unknown)?.caller)
    }

    fn hold(&self, caller: &Caller) -> Result<Box<dyn Held>> {
        self.identify(caller.thread.unwrap_or_default())?;
        Ok(Box::new(HeldCaller {
            gone: Arc::clone(&self.gone),
            thread: caller.thread.unwrap_or_default(),
        }))
    }

    fn tenant(&self, caller: &Caller, uid: u32) -> Result<Tenant> {
        let container = (!caller.is_on_host).then_some(caller.pid_namespace);
        Ok(Tenant { uid, container })
    }

    fn user(&self, caller: &Caller) -> Result<User> {
        let state = self.state();
        let known = caller.thread.and_then(|thread| state.callers.get(&thread));
        Ok(known.map(|known| known.user).unwrap_or_default())
    }

    fn groups(&self, caller: &Caller) -> Result<Vec<u32>> {
        let state = self.state();
        let known = caller.thread.and_then(|thread| state.callers.get(&thread));
        Ok(known.map(|known| known.groups.clone()).unwrap_or_default())
    }

    fn has_open(&self, caller: &Caller, inode: u64) -> Result<bool> {
        let thread = caller.thread.unwrap_or_default();
        Ok(self.state().open.contains(&(thread, inode)))
    }

    fn reads_asynchronously(&self, thread: u32) -> bool {
        self.state().asynchronous.contains(&thread)
    }
}

impl Processes for Fake {
    fn processes(&self, view: &View) -> Result<Vec<Process>> {
        let seen = self.seen(view).into_iter();
        let process = |process: Running| Process {
            pid: process.inner,
            started: process.started,
            slots: 64,
        };
        Ok(seen.map(process).collect())
    }

    fn process(&self, view: &View, pid: u32) -> Result<Option<Process>> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        let seen = self.processes(view)?;
        Ok(seen.into_iter().find(|process| process.pid == pid))
    }

    fn maps(&self) -> Result<Vec<Map>> {
        self.passes_over_maps.fetch_add(1, Ordering::Relaxed);
        Ok(self.state().maps.clone())
    }
}

impl NetNamespaces for Fake {
    fn net_namespaces(&self) -> Result<BTreeSet<u32>> {
        Ok(self.state().net_namespaces.clone())
    }

    fn net_namespace_names(&self) -> Result<Vec<(OsString, u32)>> {
        Ok(self.state().net_names.clone())
    }

    fn net_namespace_exists(&self, inode: u32) -> Result<bool> {
        let state = self.state();
        let is_named = state.net_names.iter().any(|(_, named)| *named == inode);
        Ok(is_named || state.net_namespaces.contains(&inode))
    }
}

impl Cgroups for Fake {
    fn cgroups_below(&self, id: u64) -> Result<Vec<(OsString, u64)>> {
        let state = self.state();
        let below = state
            .cgroups
            .iter()
            .filter(|(_, (parent, _))| *parent == id);
        Ok(below.map(|(id, (_, name))| (name.clone(), *id)).collect())
    }

    fn cgroup_below(&self, id: u64, name: &OsStr) -> Result<Option<u64>> {
        let below = self.cgroups_below(id)?;
        let found = below.into_iter().find(|(own, _)| own == name);
        Ok(found.map(|(_, id)| id))
    }

    fn cgroup_exists(&self, id: u64) -> Result<bool> {
        Ok(id == 0 || self.state().cgroups.contains_key(&id))
    }
}

impl Programs for Fake {
    fn load(&self, name: &str, object: &ObjectFile, narrowing: Narrowing) -> Result<()> {
        let object = self.object(object)?;
        let mut state = self.state();
        if state.user.contains_key(name) {
            return Err(Error::NameTaken(name.into()));
        }
        state.last_user += 1;
        let number = state.last_user;
        let program = Loading {
            number,
            object,
            narrowing,
        };
        state.user.insert(name.into(), program);
        Ok(())
    }

    fn unload(&self, name: &str) -> Result<()> {
        let removed = self.state().user.remove(name);
        removed
            .map(drop)
            .ok_or_else(|| Error::NoUserTable(name.into()))
    }

    fn update(&self, contents: Contents, file: &ObjectFile, pinned: &[PinnedLink]) -> Result<()> {
        let object = self.object(file)?;
        let needed = match contents {
            Contents::Table(instance) => instance.table.table().target.name,
            Contents::User(number) => self.user_program(number)?.object.target(),
        };
        if object.target() != needed {
            return Err(Error::OtherTarget {
                needed: needed.into(),
                found: object.target().into(),
            });
        }
        if !object.prints() && !pinned.is_empty() {
            return Err(Error::Pinned(file.name()));
        }
        self.state().updated.insert(contents.subject(), object);
        Ok(())
    }

    fn restore(&self, instance: Instance, _: &[PinnedLink]) -> Result<()> {
        let subject = Subject::Table(instance.table);
        self.state().updated.remove(&subject);
        Ok(())
    }

    fn loaded(&self) -> Vec<Loaded> {
        let state = self.state();
        let loaded = state.user.iter().map(|(name, program)| Loaded {
            table: Subject::User(program.number),
            name: Some(name.clone()),
            target: program.object.target().into(),
            object: Some("/object.o".into()),
            schema: (!program.object.prints()).then(|| Arc::new(schema())),
            program: 100 + program.number,
            tag: [0; 8],
            link: Some(200 + program.number),
        });
        loaded.collect()
    }
}

impl Pins for Fake {
    fn pin_path(&self, name: &str) -> PathBuf {
        PathBuf::from("/bpffs").join(name)
    }

    fn pin(
        &self,
        contents: Contents,
        _: Option<&iterfs_mapping::Query>,
        name: &str,
    ) -> Result<PathBuf> {
        let path = self.pin_path(name);
        let failed = |errno| Error::Pin {
            path: path.clone(),
            cause: io::Error::from_raw_os_error(errno),
        };
        if name.contains('.') {
            return Err(failed(libc::EPERM));
        }
        if let Contents::User(number) = contents
            && !self.user_program(number)?.object.prints()
        {
            let why = "its program writes records, not text";
            return Err(Error::NoText("user".into(), why));
        }
        let mut state = self.state();
        if state.pins.contains_key(name) {
            return Err(failed(libc::EEXIST));
        }
        state.pins.insert(name.into(), contents);
        Ok(path)
    }

    fn unpin(&self, name: &str) -> Result<()> {
        let removed = self.state().pins.remove(name);
        let path = self.pin_path(name);
        let cause = io::Error::from_raw_os_error(libc::ENOENT);
        removed.map(drop).ok_or(Error::Pin { path, cause })
    }

    fn pins(&self) -> Result<Vec<Pin>> {
        let state = self.state();
        let pins = state.pins.iter().enumerate();
        let pin = |(at, (name, contents)): (usize, (&String, &Contents))| {
            let (target, program_name, narrowing, link) = match contents {
                Contents::Table(instance) => {
                    let table = instance.table.table();
                    let name: String = format!("dump_{}", table.object).chars().take(15).collect();
                    (
                        table.target.name,
                        name,
                        Some(instance.narrowing),
                        300 + at as u32,
                    )
                }
                Contents::User(number) => ("task", "user".into(), None, 200 + number),
            };
            Pin {
                name: name.clone(),
                link,
                program: 1,
                program_name,
                tag: [0; 8],
                target: target.into(),
                narrowing,
            }
        };
        Ok(pins.map(pin).collect())
    }
}
