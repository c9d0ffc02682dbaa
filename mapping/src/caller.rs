//! The caller of a request, as plain facts.
//!
//! They are taken once, when a request arrives, and then handed down. The caller waits for the
//! reply meanwhile, so it cannot exit ([`crate::contract::Callers`]).

/// The inode number of the initial pid namespace (include/uapi/linux/nsfs.h,
/// PID_NS_INIT_INO; the number is older than its name there).
pub const INITIAL_PID_NAMESPACE: u32 = 0xEFFF_FFFC;

/// A calling thread, and the namespaces that decide what it sees.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Caller {
    /// The thread id in the daemon's pid namespace; none for the daemon itself.
    pub thread: Option<u32>,
    /// The inode number of its pid namespace.
    pub pid_namespace: u32,
    /// The inode number of its net namespace.
    pub net_namespace: u32,
    /// The inode number of its user namespace.
    pub user_namespace: u32,
    /// Whether the caller is on the host: in the initial pid namespace and in the daemon's user
    /// namespace. Root inside a container is not.
    pub is_on_host: bool,
}

impl Caller {
    /// Whether the caller and the daemon number processes alike.
    pub const fn is_in_initial_pid_namespace(&self) -> bool {
        self.pid_namespace == INITIAL_PID_NAMESPACE
    }
}

/// A user, by ids in the initial user namespace, and its rights over other processes.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct User {
    /// Real user id.
    pub uid: u32,
    /// Real group id.
    pub gid: u32,
    /// Effective user id: the owner of a user namespace may look into it.
    pub effective: u32,
    /// Effective capabilities, one per bit (capability.h), in its user namespace.
    pub capabilities: u64,
    /// The inode number of its user namespace.
    pub user_namespace: u32,
    /// The user who made that namespace. The kernel may give the inode number to another
    /// namespace once this one is gone; the owner tells them apart, because a user may look
    /// into all of its own.
    pub namespace_owner: u32,
}

/// The holder of a quota: a user, on the host or within a container.
///
/// A user cannot get a second quota by making namespaces. Of nested namespaces only the
/// outermost counts, and a namespace that a user can make without root counts as that user,
/// whoever is in it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Tenant {
    /// The user, as the initial user namespace numbers it.
    pub uid: u32,
    /// The inode number of the namespace that forms the container; none on the host.
    pub container: Option<u32>,
}

/// The part of a table that a reader sees.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct View {
    /// The caller whose namespaces are shown.
    pub caller: Caller,
    /// If set, only this user's own processes are shown.
    pub own: Option<User>,
    /// For a walk narrowed to one process: the start time of that process, in nanoseconds since
    /// boot. It keeps a later process with the same number from being shown.
    pub started: Option<u64>,
    /// Whether the table's kernel addresses are shown.
    pub addresses: bool,
}

impl View {
    /// The view of everything in the caller's namespaces.
    pub const fn of(caller: Caller) -> View {
        View {
            caller,
            own: None,
            started: None,
            addresses: true,
        }
    }
}
