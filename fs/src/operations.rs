//! The file operations. They know no FUSE, and reach the kernel only through the
//! [contract].
//!
//! [contract]: iterfs_mapping::contract.

use crate::access::policy::Policy;
use crate::access::quota::AccountId;
use crate::access::requester::{Requester, Sender};
use crate::access::{Access, Viewpoint};
use crate::answer::Answer;
use crate::control::command::MAX_LENGTH;
use crate::control::{Control, ControlFile};
use crate::counts::{AllCounts, Counts};
use crate::error::{Failure, Result};
use crate::handles::{Handle, Handles};
use crate::mount::options::Options;
use crate::scheduler::{Scheduler, Serial};
use crate::stream::{Repeat, Stream, Wake};
use crate::sys;
use crate::tree::Tree;
use crate::tree::listing::{Entry, Listing};
use iterfs_mapping::contract::{Backend, Pass};
use iterfs_mapping::{Contents, Directory, Format, Node, Query, View};
use std::ffi::OsStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

mod asking;
mod explain;
mod names_in_use;
mod repeating;
mod whole;

use asking::Found;
use names_in_use::NamesInUse;
pub(crate) use whole::LookupAnswer;

/// How long the kernel may keep attributes that do not depend on the caller.
const STABLE: Duration = Duration::from_secs(3600);

/// A mounted tree.
pub struct Operations {
    backend: Arc<dyn Backend>,
    control: Arc<Control>,
    counts: Arc<AllCounts>,
    access: Arc<Access>,
    tree: Arc<Tree>,
    handles: Handles,
    scheduler: Arc<Scheduler>,
    /// The control file has its own threads: commands that wait for each other delay no
    /// reader, and no reader delays a command or a report.
    commands: Serial,
    reports: Serial,
    /// Names that ask, and when the kernel is to drop them.
    names: NamesInUse,
    mounted: SystemTime,
}

/// The attributes of a node.
#[derive(Clone, Copy, Debug)]
pub struct Attributes {
    /// The node.
    pub node: Node,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its permission bits.
    pub mode: u16,
    /// The number of its bytes, if it was made whole.
    pub size: Option<u64>,
    /// All its times: the time of the mount, or that at which it was made whole.
    pub time: SystemTime,
    /// How long the kernel may keep the attributes.
    pub lifetime: Duration,
}

impl Operations {
    /// A tree of a backend's tables, shown and protected as the options say. `scheduler`
    /// runs slow operations.
    ///
    /// # Errors
    /// The configuration or the directory of programs is invalid, or the kernel refuses to
    /// start a thread.
    pub fn new(
        backend: Arc<dyn Backend>,
        options: &Options,
        scheduler: Arc<Scheduler>,
    ) -> Result<Operations> {
        let counts = Arc::new(AllCounts::default());
        let access = Arc::new(Access::new(Arc::clone(&backend), options)?);
        let tree = Arc::new(Tree::new(Arc::clone(&backend), Arc::clone(&access)));
        let control = Control::new(
            Arc::clone(&backend),
            Arc::clone(&tree),
            Arc::clone(&access),
            Arc::clone(&counts),
            options,
        )?;
        let names = NamesInUse::watch(tree.questions())?;
        Ok(Operations {
            backend,
            control: Arc::new(control),
            counts,
            access,
            tree,
            handles: Handles::default(),
            scheduler,
            commands: serial("commands")?,
            reports: serial("reports")?,
            names,
            mounted: SystemTime::now(),
        })
    }

    /// Reads the facts about the sender of a request, which waits for its reply: once, for
    /// everything that the request needs.
    pub fn identify(&self, sender: Sender) -> Requester {
        Requester::identify(&*self.backend, sender)
    }

    /// Finds a name in a directory. [`Operations::forget`] takes the lookup back.
    pub fn lookup(&self, requester: &Requester, parent: Node, name: &OsStr) -> Result<Attributes> {
        match self.look_up(requester, parent, name)? {
            Found::Node(node) => Ok(self.describe(node)),
            // Its file takes a while to make: [`Operations::find`]. To rename it is in vain.
            Found::Whole(..) => Err(Failure::Unchangeable),
        }
    }

    fn look_up(&self, requester: &Requester, parent: Node, name: &OsStr) -> Result<Found> {
        let Node::Directory(directory) = parent else {
            return Err(Failure::NotADirectory);
        };
        if let Some((base, parts)) = self.tree.asked(directory, name)? {
            return self.look_up_question(requester, base, name, &parts);
        }
        let node = self.tree.child(directory, name)?;
        let node = node.ok_or(Failure::NotFound)?;
        match self.tree.has(requester, node)? {
            true => Ok(Found::Node(node)),
            false => Err(Failure::NotFound),
        }
    }

    /// The attributes of a node that was looked up before.
    ///
    /// # Errors
    /// [`Failure::NotFound`] or [`Failure::Denied`] if the requester's tree does not have
    /// the node and the requester does not have it open either.
    pub fn attributes(&self, requester: &Requester, node: Node) -> Result<Attributes> {
        self.tree.admit_holder(requester, node)?;
        Ok(self.describe(node))
    }

    /// The attributes of a directory entry, for the caller that listed it.
    pub fn entry_attributes(&self, entry: &Entry) -> Attributes {
        self.describe(entry.node)
    }

    fn describe(&self, node: Node) -> Attributes {
        let Policy { uid, gid, mode } = self.access.attributes(node);
        let question = self.question(node).ok().flatten();
        let contents = question.as_ref().and_then(|asked| asked.contents.as_ref());
        Attributes {
            node,
            uid,
            gid,
            mode,
            size: contents.map(|contents| contents.size()),
            time: contents.map_or(self.mounted, |contents| contents.made),
            lifetime: match is_stable(node) {
                true => STABLE,
                false => Duration::ZERO,
            },
        }
    }

    /// The target of a symbolic link.
    pub fn link_target(&self, requester: &Requester, node: Node) -> Result<String> {
        self.tree.admit(requester, node)?;
        match node {
            Node::NetNamespaceName(inode) => Ok(inode.to_string()),
            _ => Err(Failure::NotALink),
        }
    }

    /// Checks that a requester may ask about the filesystem of a node.
    pub fn statistics(&self, requester: &Requester, node: Node) -> Result<()> {
        self.tree.admit_holder(requester, node)
    }

    /// Calls `forget` with each node whose attributes the kernel may keep, whenever they
    /// may have changed.
    pub fn on_change(&self, forget: impl Fn(Node) + Send + Sync + 'static) {
        self.control.on_reload(Box::new(move || {
            stable_nodes().for_each(&forget);
        }));
    }

    /// Opens a table. [`Operations::read`] takes the number of the handle.
    pub fn open(&self, requester: &Requester, node: Node, wanted: Wanted) -> Result<u64> {
        if let Node::Control(form) = node {
            return self.open_control(requester, form);
        }
        let seat = self.access.seat(requester)?;
        if wanted == Wanted::Write {
            self.tree.admit(requester, node)?;
            // As in /proc, root gets a descriptor on which every write fails.
            return Ok(self.handles.insert(Handle::WriteOnly, seat));
        }
        let question = self.question(node)?;
        if let Some(contents) = question.as_ref().and_then(|asked| asked.contents.as_ref()) {
            return self.open_whole(requester, node, contents, seat);
        }
        let query = question.as_ref().map(|question| &question.query);
        let (pass, format, counts, view) = self.begin_pass(requester, node, query)?;
        let (contents, _) = node.contents().ok_or(Failure::IsADirectory)?;
        let scheduler = Arc::clone(&self.scheduler);
        let account = seat.account();
        let stream = match query.and_then(|query| query.every) {
            None => Stream::new(pass, format, counts, account, scheduler),
            Some(interval) => {
                let open = self.open_again(node, contents, query.cloned(), &view)?;
                let repeat = Repeat { interval, open };
                Stream::repeating(pass, format, counts, account, scheduler, repeat)?
            }
        };
        Ok(self.handles.insert(Handle::Table(Arc::new(stream)), seat))
    }

    /// Starts a pass over a table for a requester. Returns it with the format of the file, the
    /// counts of the table, and the requester's view.
    fn begin_pass(
        &self,
        requester: &Requester,
        node: Node,
        query: Option<&Query>,
    ) -> Result<(Pass, Format, Arc<Counts>, View)> {
        let view = self.reader(requester, node)?;
        let (contents, format) = node.contents().ok_or(Failure::IsADirectory)?;
        let counts = self.counts.of(contents.subject());
        counts.opened();
        let pass = self
            .backend
            .open(contents, query, &view)
            .map_err(Failure::from);
        let pass = pass.inspect_err(|failure| {
            let path = path(node, contents);
            tracing::error!(path, "cannot open the table: {failure}");
            counts.failed(failure);
        })?;
        Ok((pass, format, counts, view))
    }

    /// The view by which a requester reads a file that exists now.
    ///
    /// # Errors
    /// [`Failure::Denied`] and [`Failure::NotFound`].
    fn reader(&self, requester: &Requester, node: Node) -> Result<View> {
        let view = self.access.view(requester, node)?.ok_or(Failure::Denied)?;
        let presence = self.tree.presence(&view, node)?;
        let presence = presence.ok_or(Failure::NotFound)?;
        Ok(View {
            started: presence.process.map(|process| process.started),
            ..view
        })
    }

    fn open_control(&self, requester: &Requester, form: iterfs_mapping::Control) -> Result<u64> {
        self.check_control(requester, form)?;
        let file = ControlFile::new(form);
        let seat = self.access.control_seat(requester)?;
        Ok(self.handles.insert(Handle::Control(Arc::new(file)), seat))
    }

    /// Refuses the control file to everybody but the host's root.
    fn check_control(&self, requester: &Requester, form: iterfs_mapping::Control) -> Result<()> {
        let node = Node::Control(form);
        let view = self.access.view(requester, node)?;
        let presence = self.tree.presence(&view.ok_or(Failure::Denied)?, node)?;
        presence.map(drop).ok_or(Failure::NotFound)
    }

    /// Runs a job that may take a while: on this thread, or on another one if too many
    /// threads are busy with such jobs.
    pub(crate) fn run(&self, requester: &Requester, job: impl FnOnce() + Send + 'static) {
        let account = requester.account();
        match self.scheduler.try_inline(account) {
            Some(_permit) => job(),
            None => self.scheduler.run(account, job),
        }
    }

    /// Reads an open table, now or once it has bytes.
    ///
    /// The kernel does not advance a file's position for the asynchronous reads of
    /// io_uring, so reads at the current position would return the same bytes forever
    /// (fs/fuse/file.c, fuse_direct_IO()). Such a repeated read fails.
    pub fn read(
        &self,
        sender: Sender,
        handle: u64,
        offset: u64,
        size: usize,
        answer: Box<dyn Answer>,
    ) {
        match self.handles.table(handle) {
            Some(stream) if stream.begins_again(offset) && self.reads_asynchronously(sender) => {
                answer.send(Err(Failure::Unmoved));
            }
            Some(stream) => stream.read(offset, size, answer),
            None => match self.handles.whole(handle) {
                Some(contents) => answer.send(Ok(contents.at(offset, size))),
                None => self.read_control(handle, size, answer),
            },
        }
    }

    /// Whether an open file was made whole, so that the kernel may keep its pages.
    pub(crate) fn is_whole(&self, handle: u64) -> bool {
        self.handles.whole(handle).is_some()
    }

    fn reads_asynchronously(&self, Sender { thread, .. }: Sender) -> bool {
        thread != 0 && self.backend.reads_asynchronously(thread)
    }

    /// A report asks the kernel about every program, which takes a while, so another thread
    /// makes it.
    fn read_control(&self, handle: u64, size: usize, answer: Box<dyn Answer>) {
        let Some(file) = self.handles.control(handle) else {
            return answer.send(Err(Failure::BadHandle));
        };
        let control = Arc::clone(&self.control);
        self.reports.run(move || {
            let report = file.read(&control, size);
            answer.send(report.as_deref().map_err(Clone::clone));
        });
    }

    /// Whether a read of an open file would return something now, or fail. If not, `wake` is
    /// called once it may.
    pub(crate) fn poll(&self, handle: u64, wake: Option<Wake>) -> bool {
        match self.handles.table(handle) {
            Some(stream) => stream.poll(wake),
            None => true,
        }
    }

    /// Notes that the reader of an open table no longer waits.
    pub(crate) fn abandoned(&self, handle: u64) {
        if let Some(stream) = self.handles.table(handle) {
            stream.abandoned();
        }
    }

    /// Writes to an open file. The control file accepts a command from any caller who may
    /// open it now, whichever process opened it; every other file refuses the write.
    pub fn write(
        &self,
        requester: &Requester,
        handle: u64,
        offset: u64,
        bytes: &[u8],
        answer: Box<dyn Answer>,
    ) {
        let Some(file) = self.handles.control(handle) else {
            return answer.send(Err(Failure::Unwritable));
        };
        // Check here, while the writer waits and cannot exit, not on the thread that runs
        // commands.
        if let Err(failure) = self.check_control(requester, file.form()) {
            return answer.send(Err(failure));
        }
        let control = Arc::clone(&self.control);
        // One byte beyond the limit shows that the command is too long.
        let bytes = bytes[..bytes.len().min(MAX_LENGTH + 1)].to_vec();
        self.commands.run(move || {
            // A command that has begun is finished, and its writer learns the outcome. If
            // the writer has already gone, the command does not begin.
            if answer.commit() {
                let done = file.write(&control, offset, &bytes);
                answer.send(done.map(|()| &[][..]));
            }
        });
    }

    /// Runs the command `reload` soon. The outcome is logged.
    pub fn reload(&self) {
        let control = Arc::clone(&self.control);
        self.commands.run(move || control.reload_unasked());
    }

    /// Closes a handle of a file or a directory.
    pub fn release(&self, handle: u64) {
        if self.handles.remove(handle) {
            self.scheduler.run(AccountId::HOST_ROOT, sys::trim_heaps);
        }
    }

    /// Opens a directory. [`Operations::list`] takes the number of the handle.
    pub fn open_directory(&self, requester: &Requester, node: Node) -> Result<u64> {
        let Node::Directory(_) = node else {
            return Err(Failure::NotADirectory);
        };
        self.tree.admit(requester, node)?;
        let seat = self.access.seat(requester)?;
        let view = self.access.view(requester, node)?;
        let viewpoint = Viewpoint::of(&view.ok_or(Failure::Denied)?);
        let listing = Listing::new(viewpoint, seat.account());
        Ok(self.handles.insert(Handle::Directory(listing), seat))
    }

    /// The entries of an open directory. The first reading determines them, and a reading
    /// from the start does so again. Every reader sees the entries that the opener sees,
    /// provided that the reader's own tree has the directory at all.
    pub fn list(
        &self,
        requester: &Requester,
        handle: u64,
        node: Node,
        offset: u64,
    ) -> Result<Arc<[Entry]>> {
        let Node::Directory(directory) = node else {
            return Err(Failure::NotADirectory);
        };
        self.tree.admit(requester, node)?;
        let listing = self.handles.listing(handle).ok_or(Failure::BadHandle)?;
        let found = listing.entries();
        if offset > 0
            && let Some(entries) = found
        {
            return Ok(entries);
        }
        let view = self.access.view(requester, node)?;
        match view {
            Some(view) if listing.viewpoint() == Viewpoint::of(&view) => {
                listing.set(self.tree.entries(&view, directory)?)
            }
            // The descriptor was passed on; show its new holder only what the opener has
            // listed.
            _ => found.ok_or(Failure::Denied),
        }
    }
}

/// A table's path, for messages.
fn path(node: Node, contents: Contents) -> String {
    match (node.base(), contents) {
        (Node::File(file), _) => file.path(),
        (_, Contents::User(number)) => format!("user/#{number}"),
        (_, Contents::Table(instance)) => instance.table.documented_path(),
    }
}

fn serial(name: &str) -> Result<Serial> {
    Serial::start(name).map_err(|error| Failure::NoThread(Arc::new(error)))
}

/// Whether a node always exists for everybody, so that the kernel may keep its name and
/// attributes. After a reload, the kernel is told to forget them.
pub(crate) fn is_stable(node: Node) -> bool {
    let directory = match node {
        Node::Directory(directory) => directory,
        Node::File(file) => file.directory,
        // These exist only for some callers, or only for some time.
        Node::User(_) | Node::Asking(_) | Node::Control(_) | Node::NetNamespaceName(_) => {
            return false;
        }
    };
    STABLE_DIRECTORIES.contains(&directory)
}

const STABLE_DIRECTORIES: [Directory; 5] = [
    Directory::Root,
    Directory::Processes,
    Directory::Net,
    Directory::Summary,
    Directory::User,
];

fn stable_nodes() -> impl Iterator<Item = Node> {
    STABLE_DIRECTORIES.into_iter().flat_map(|directory| {
        let files = directory.tables().flat_map(move |table| {
            let files = directory.files_of(table, &Format::ALL);
            files.map(Node::File)
        });
        [Node::Directory(directory)].into_iter().chain(files)
    })
}

/// The access that an open asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wanted {
    /// For reading, or for reading and writing.
    Read,
    /// Only for writing.
    Write,
}
