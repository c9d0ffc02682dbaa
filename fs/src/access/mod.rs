//! Decides who may see and read what, for one caller at a time.
//!
//! [`policy`] holds the rules, and [`config`] reads them. A [`requester`] is the caller of
//! one request. [`quota`] bounds how much [`memory`] and how many [`descriptors`] each
//! account takes.

pub mod config;
pub(crate) mod descriptors;
pub mod memory;
pub mod policy;
pub mod quota;
pub mod requester;

use self::descriptors::Descriptors;
use self::memory::Memory;
use self::policy::{Others, Policies, Policy, Rights};
use self::quota::{Accounts, NameCharge, Seat};
use self::requester::Requester;
use crate::error::{Failure, Result};
use crate::mount::options::Options;
use iterfs_mapping::contract::Backend;
use iterfs_mapping::{Directory, File, Format, Node, Scope, User, View};
use parking_lot::RwLock;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use std::sync::Arc;
use std::time::Duration;

/// How long an open at its user's quota waits for the kernel to report a close: close(2)
/// returns before the kernel does so.
const PATIENCE: Duration = Duration::from_millis(100);

/// With fewer open handles than this, there is no need to check how many descriptors are
/// left.
const FEW_HANDLES: usize = 16;

/// The caller's view from which a directory is read; it decides which names the directory
/// shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Viewpoint {
    own: Option<User>,
    pid_namespace: u32,
    is_on_host: bool,
}

impl Viewpoint {
    pub(crate) fn of(view: &View) -> Viewpoint {
        Viewpoint {
            own: view.own,
            pid_namespace: view.caller.pid_namespace,
            is_on_host: view.caller.is_on_host,
        }
    }
}

/// Decides what each requester may see.
pub(crate) struct Access {
    backend: Arc<dyn Backend>,
    options: Options,
    policies: RwLock<Arc<Policies>>,
    accounts: Accounts,
    descriptors: Descriptors,
}

impl Access {
    /// Access by the mount's options, and by the configuration if there is one.
    ///
    /// # Errors
    /// The configuration is invalid.
    pub(crate) fn new(backend: Arc<dyn Backend>, options: &Options) -> Result<Access> {
        let policies = config::policies(options)?;
        Ok(Access {
            backend,
            options: options.clone(),
            policies: RwLock::new(Arc::new(policies)),
            accounts: Accounts::new(capacity(), Memory::new(options.memory)),
            descriptors: Descriptors::new().map_err(Failure::NoDescriptors)?,
        })
    }

    /// Reads the configuration again. If it is invalid, the previous settings stay in
    /// force.
    pub(crate) fn reload(&self) -> Result<()> {
        let policies = config::policies(&self.options)?;
        *self.policies.write() = Arc::new(policies);
        Ok(())
    }

    fn policies(&self) -> Arc<Policies> {
        Arc::clone(&self.policies.read())
    }

    /// Takes a seat for one more open table or directory.
    ///
    /// # Errors
    /// [`Failure::TooManyOpen`] past the user's quota, [`Failure::NoDescriptors`] if the
    /// remaining descriptors are reserved for others.
    pub(crate) fn seat(&self, requester: &Requester) -> Result<Seat> {
        let may_be_short = self.accounts.handles() >= FEW_HANDLES;
        if may_be_short && !self.descriptors.are_left_for(requester.account()) {
            return Err(Failure::NoDescriptors(Errno::NFILE));
        }
        self.control_seat(requester)
    }

    /// Takes a seat for the control file, which needs no descriptor.
    ///
    /// # Errors
    /// [`Failure::TooManyOpen`] past the user's quota.
    pub(crate) fn control_seat(&self, requester: &Requester) -> Result<Seat> {
        let quota = self.policies().quota();
        let seat = self.accounts.open(requester.account(), quota, PATIENCE);
        seat.ok_or(Failure::TooManyOpen)
    }

    /// Charges a requester for one more name that asks, which takes this many bytes.
    ///
    /// # Errors
    /// [`Failure::TooManyNames`] and [`Failure::TooMuchKept`] past the user's quota.
    pub(crate) fn charge_name(&self, requester: &Requester, bytes: usize) -> Result<NameCharge> {
        let quota = self.policies().quota();
        self.accounts.charge_name(requester.account(), quota, bytes)
    }

    /// Owner, group and mode, as `stat` shows them.
    pub(crate) fn attributes(&self, node: Node) -> Policy {
        let policies = self.policies();
        match node.base() {
            Node::Directory(_) => policies.of_directories(),
            Node::NetNamespaceName(_) => Policy {
                mode: 0o777,
                ..policies.of_directories()
            },
            Node::Control(form) => Policy::for_control(form),
            Node::User(_) | Node::Asking(_) => self.policy(&policies, node),
            Node::File(file) => {
                let policy = self.policy(&policies, node);
                match policies.others() == Others::Own && self.shows_own(file) {
                    // Everybody may open the file; the open decides which rows it shows.
                    true => Policy {
                        mode: policy.mode | 0o444,
                        ..policy
                    },
                    false => policy,
                }
            }
        }
    }

    /// How much of a file or directory a requester may see; `None` if nothing.
    ///
    /// # Errors
    /// [`Failure::Tables`] if the caller cannot be identified.
    pub(crate) fn view(&self, requester: &Requester, node: Node) -> Result<Option<View>> {
        let view = View {
            addresses: requester.uid() == 0,
            ..View::of(requester.caller()?)
        };
        let policies = self.policies();
        let rights = match node {
            Node::Directory(directory) => self.rights_in(&policies, requester, directory),
            Node::File(_)
            | Node::User(_)
            | Node::Asking(_)
            | Node::Control(_)
            | Node::NetNamespaceName(_) => self.rights(&policies, requester, node),
        };
        match rights {
            Rights::All => Ok(Some(view)),
            Rights::None => Ok(None),
            Rights::Own => {
                let user = requester.user(&*self.backend)?;
                // Real uid 0 with another effective uid: root acts for another user, so
                // show nothing.
                Ok((user.uid != 0).then_some(View {
                    own: Some(user),
                    ..view
                }))
            }
        }
    }

    fn policy(&self, policies: &Policies, node: Node) -> Policy {
        match node {
            Node::File(file) => policies.of_file(file),
            Node::Asking(asking) => self.policy(policies, asking.base.into()),
            Node::User(file) => {
                let tables = self.backend.user_tables();
                let found = tables.iter().find(|table| table.number == file.table);
                policies.of_user_table(found.map_or("", |table| &table.name))
            }
            Node::Control(form) => Policy::for_control(form),
            Node::Directory(_) | Node::NetNamespaceName(_) => policies.of_directories(),
        }
    }

    fn rights(&self, policies: &Policies, requester: &Requester, node: Node) -> Rights {
        if self.may_read(self.policy(policies, node), requester) {
            return Rights::All;
        }
        match node.base() {
            Node::File(file) if policies.others() == Others::Own && self.shows_own(file) => {
                Rights::Own
            }
            Node::File(_)
            | Node::User(_)
            | Node::Asking(_)
            | Node::Directory(_)
            | Node::Control(_)
            | Node::NetNamespaceName(_) => Rights::None,
        }
    }

    fn may_read(&self, policy: Policy, requester: &Requester) -> bool {
        policy.may_read(requester.uid(), |gid| {
            requester.is_in_group(&*self.backend, gid)
        })
    }

    /// The most that a requester may see of any file below a directory.
    fn rights_in(
        &self,
        policies: &Policies,
        requester: &Requester,
        directory: Directory,
    ) -> Rights {
        let below: &[Directory] = match directory {
            // Everybody may enter these directories.
            Directory::Root | Directory::User => return Rights::All,
            Directory::Processes => &[Directory::Process(1)],
            Directory::NetNamespaces => &[Directory::NetNamespace(1)],
            Directory::Maps => &[Directory::Map(1)],
            Directory::Bpf => &[Directory::Bpf, Directory::Map(1)],
            Directory::Process(_)
            | Directory::Net
            | Directory::NetNamespace(_)
            | Directory::Map(_)
            | Directory::Cgroup(_)
            | Directory::Kernel
            | Directory::Summary => &[directory],
        };
        let files = below.iter().flat_map(|directory| {
            let files = |table| directory.files_of(table, &[Format::Text]);
            directory.tables().flat_map(files).collect::<Vec<File>>()
        });
        let all = files.map(|file| self.rights(policies, requester, Node::File(file)));
        all.max().unwrap_or(Rights::None)
    }

    /// Whether the program of a file can show a user only their own processes. Net
    /// namespaces belong to no user.
    fn shows_own(&self, file: File) -> bool {
        let form = self.backend.form(file.table);
        matches!(form.scope, Scope::PidNamespace | Scope::PidAndNetNamespace)
            && !matches!(file.directory, Directory::NetNamespace(_))
    }
}

/// Maximum number of handles that all users other than root may have open together. Each
/// takes a descriptor of this process, which reserves some for itself and for root.
fn capacity() -> u64 {
    let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    descriptors / 4 * 3
}
