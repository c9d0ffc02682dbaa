//! The conversation with the kernel, from its first request to the unmount.
//!
//! fuser shakes hands (INIT), knows the flags and sends notifications. The loop behind
//! that is our own, for fuser 0.18 answers INTERRUPT with ENOSYS: the kernel then never
//! sends another, and a reader cannot be killed before its read is answered. A few threads
//! take requests from the [`device`]; each request is parsed once ([`request`]) and owes
//! one answer ([`reply`]), unless its caller gives up first ([`interrupts`]).

mod abi;
mod device;
mod interrupts;
mod reply;
mod request;

use crate::mount::Mountpoint;
use device::Device;
use fuser::{Config, Errno, Filesystem, InitFlags, KernelConfig, Notifier, SessionACL};
use interrupts::Interrupts;
pub(crate) use reply::{Entries, Reply};
pub(crate) use request::{Operation, Read, Request, Slow};
use rustix::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// Threads that take requests from the kernel.
const WORKERS: usize = 4;

/// Of these, how many may be kept by one request at once, so that some are left to serve.
pub const MAX_INLINE: usize = WORKERS - 2;

/// The largest read or write the kernel may send as one request, in bytes.
const MAX_REQUEST: usize = 1024 * 1024;

/// Room for a request's headers, beside the bytes to write (fs/fuse/dev.c,
/// fuse_dev_do_read() demands that much).
const HEADERS: usize = 4096;

/// RELEASE is a background request. The kernel holds back those beyond a limit while it
/// goes on sending others, so that under busy readers thousands of closed handles wait
/// (16 in fuser; 7588 waited for 100 readers). Without a limit they come in their turn.
const MAX_BACKGROUND: u16 = u16::MAX;

/// How long requests in progress may hold up the end after an unmount.
const GRACE: Duration = Duration::from_millis(500);

/// Serves requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Answers a request, now or later. A thread that takes requests runs it, so it must
    /// not wait long.
    fn handle(self: Arc<Self>, request: Request, reply: Reply);

    /// The kernel no longer holds an inode. It may be about to hold it again.
    fn forgotten(&self, inode: u64);

    /// The reader of an open file was interrupted and waits no longer.
    fn abandoned(&self, handle: u64);
}

/// How a mount ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// It was unmounted, or `umount -f` aborted its connection: the mount may be left.
    Unmounted,
    /// Its connection was aborted through fusectl. The mount is left, and dead.
    Aborted,
}

/// What the threads of a session share.
#[derive(Debug)]
struct Connection {
    device: Device,
    interrupts: Interrupts,
}

/// A mount that answers.
pub struct Session {
    connection: Arc<Connection>,
    notifier: Notifier,
    kernel_minor: u32,
    ends: Receiver<Result<End>>,
}

/// Why a session does not begin, or breaks.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// No descriptor is left for the device.
    #[error("the descriptor of /dev/fuse cannot be duplicated: {0}")]
    Descriptor(std::io::Error),
    /// The first exchange with the kernel failed.
    #[error("the kernel did not accept the mount: {0}")]
    Greeting(std::io::Error),
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}; raise the limit of processes (pids.max, ulimit -u)")]
    Thread(std::io::Error),
    /// All threads that serve have ended.
    #[error("no thread is left to serve the mount")]
    NoThread,
    /// The device broke.
    #[error("cannot read /dev/fuse: {0}")]
    Device(io::Errno),
    /// The kernel sent something that is no request.
    #[error("the kernel sent {0} bytes that are no FUSE request")]
    NoRequest(usize),
}

/// The result of serving.
type Result<T> = std::result::Result<T, SessionError>;

/// Answers the kernel's first request and starts the threads that serve the others.
///
/// # Errors
/// [`SessionError`]. Nothing stays mounted then.
pub(crate) fn begin(
    fuse: OwnedFd,
    handler: &Arc<impl Handler>,
    mountpoint: &Mountpoint,
) -> Result<Session> {
    start(fuse, handler).inspect_err(|_| mountpoint.unmount())
}

fn start(fuse: OwnedFd, handler: &Arc<impl Handler>) -> Result<Session> {
    let device = fuse.try_clone().map_err(SessionError::Descriptor)?;
    let mut config = Config::default();
    config.acl = SessionACL::All;
    let minor = Arc::new(AtomicU32::new(0));
    let greeting = Greeting(Arc::clone(&minor));
    let greeted = fuser::Session::from_fd(greeting, fuse, SessionACL::All, config)
        .map_err(SessionError::Greeting)?;
    let connection = Arc::new(Connection {
        device: Device::new(device),
        interrupts: Interrupts::default(),
    });
    let (end, ends) = channel();
    start_threads(&connection, handler, &end).map_err(SessionError::Thread)?;
    Ok(Session {
        connection,
        notifier: greeted.notifier(),
        kernel_minor: minor.load(Ordering::Relaxed),
        ends,
    })
}

/// Starts the threads that take requests, and the one for those that are given up.
fn start_threads(
    connection: &Arc<Connection>,
    handler: &Arc<impl Handler>,
    end: &Sender<Result<End>>,
) -> std::io::Result<()> {
    for _ in 0..WORKERS {
        Worker::start(connection, handler, end)?;
    }
    let (connection, handler) = (Arc::clone(connection), Arc::clone(handler));
    thread::Builder::new()
        .name("interrupts".into())
        .spawn(move || {
            let interrupts = &connection.interrupts;
            interrupts.serve(&connection.device, |handle| handler.abandoned(handle));
        })
        .map(drop)
}

impl Session {
    /// Tells the kernel what has changed.
    pub fn notifier(&self) -> Notifier {
        self.notifier.clone()
    }

    /// The minor version of the protocol that the kernel speaks.
    pub fn kernel_minor(&self) -> u32 {
        self.kernel_minor
    }

    /// Serves until the mount is taken off, and says how that came about.
    ///
    /// # Errors
    /// If the device breaks.
    pub fn run(self) -> Result<End> {
        let first = self.ends.recv().map_err(|_| SessionError::NoThread)?;
        // The others learn of it as well, unless the kernel keeps one waiting.
        for _ in 1..WORKERS {
            if self.ends.recv_timeout(GRACE).is_err() {
                break;
            }
        }
        self.connection.interrupts.end();
        first
    }
}

/// What fuser needs to know to shake hands, and the kernel's minor version.
struct Greeting(Arc<AtomicU32>);

impl Filesystem for Greeting {
    fn init(&mut self, _: &fuser::Request, config: &mut KernelConfig) -> std::io::Result<()> {
        self.0.store(config.kernel_abi().1, Ordering::Relaxed);
        // The size of reads follows that of writes.
        let _ = config.set_max_write(MAX_REQUEST as u32);
        let _ = config.set_max_background(MAX_BACKGROUND);
        // Looking a process up costs a pass, so `ls pid` asks for names alone and
        // `ls -l pid` for both at once.
        let _ = config
            .add_capabilities(InitFlags::FUSE_DO_READDIRPLUS | InitFlags::FUSE_READDIRPLUS_AUTO);
        let _ = config.add_capabilities(InitFlags::FUSE_PARALLEL_DIROPS);
        // An asynchronous read is answered once. Otherwise the kernel makes it a read that
        // moves no position, and io_uring goes on after a short one with the same bytes
        // again (fs/fuse/file.c, fuse_direct_IO()).
        let _ = config.add_capabilities(InitFlags::FUSE_ASYNC_DIO);
        // Tells an abort from an unmount.
        let _ = config.add_capabilities(InitFlags::FUSE_ABORT_ERROR);
        Ok(())
    }
}

/// A thread that takes requests.
struct Worker<H: Handler> {
    connection: Arc<Connection>,
    handler: Arc<H>,
    end: Sender<Result<End>>,
}

impl<H: Handler> Worker<H> {
    fn start(
        connection: &Arc<Connection>,
        handler: &Arc<H>,
        end: &Sender<Result<End>>,
    ) -> std::io::Result<()> {
        let worker = Worker {
            connection: Arc::clone(connection),
            handler: Arc::clone(handler),
            end: end.clone(),
        };
        thread::Builder::new()
            .name("requests".into())
            .spawn(move || {
                let ended = worker.serve();
                // Nobody listens once the process ends.
                let _ = worker.end.send(ended);
            })
            .map(drop)
    }

    fn serve(&self) -> Result<End> {
        let Connection { device, interrupts } = &*self.connection;
        let mut buffer = vec![0; HEADERS + MAX_REQUEST];
        loop {
            let length = match device.receive(&mut buffer) {
                Ok(length) => length,
                Err(io::Errno::NODEV) => return Ok(End::Unmounted),
                Err(io::Errno::CONNABORTED) => return Ok(End::Aborted),
                Err(errno) => return Err(SessionError::Device(errno)),
            };
            let request =
                Request::parse(&buffer[..length]).ok_or(SessionError::NoRequest(length))?;
            let unique = request.unique;
            let is_interruptible = request.is_interruptible();
            if is_interruptible {
                interrupts.begin(unique, request.handle_being_read());
            }
            match request.operation {
                // No answer is expected, and none would find its request.
                Operation::Forget { inodes } => {
                    inodes
                        .iter()
                        .for_each(|inode| self.handler.forgotten(*inode));
                    continue;
                }
                Operation::Interrupt { unique: of } => {
                    // Read before the request that it is about was noted: it comes again.
                    // The kernel drops it if that has been answered.
                    if !interrupts.interrupt(of) {
                        device.answer(unique, Err(Errno::EAGAIN));
                    }
                    continue;
                }
                _ => {}
            }
            let reply = Reply::new(Arc::clone(&self.connection), unique, is_interruptible);
            Arc::clone(&self.handler).handle(request, reply);
        }
    }
}

/// A thread may have to end: one that cannot leave a net namespace panics. Another takes
/// its place, so that as many as ever serve.
impl<H: Handler> Drop for Worker<H> {
    fn drop(&mut self) {
        if thread::panicking()
            && let Err(error) = Worker::start(&self.connection, &self.handler, &self.end)
        {
            tracing::error!("a thread that ended cannot be replaced: {error}");
        }
    }
}

#[cfg(test)]
mod tests;
