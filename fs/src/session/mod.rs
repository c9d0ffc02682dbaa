//! The conversation with the kernel, from its first request to the unmount.
//!
//! fuser negotiates the protocol (INIT), encodes the flags and sends notifications. The
//! loop after that is our own, because fuser 0.18 answers INTERRUPT with ENOSYS: the kernel
//! then never sends another INTERRUPT, and a reader cannot be killed before its read is
//! answered. A few threads take requests from the [`device`]. Each request is parsed once
//! ([`request`]) and gets one reply ([`reply`]), unless its caller gives up first
//! ([`interrupts`]).

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
pub(crate) use request::{Forgotten, Operation, Read, Request, Slow};
use rustix::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// Threads that take requests from the kernel.
const WORKERS: usize = 4;

/// How many of these slow requests may occupy at once; the rest stay free to serve.
pub const MAX_INLINE: usize = WORKERS - 2;

/// The largest read or write that the kernel may send as one request, in bytes.
const MAX_REQUEST: usize = 1024 * 1024;

/// Room for a request's headers besides the bytes to write; fuse_dev_do_read() requires
/// this much (fs/fuse/dev.c).
const HEADERS: usize = 4096;

/// RELEASE is a background request. The kernel holds back those beyond a limit while it
/// keeps sending other requests, so under busy readers thousands of closed handles wait
/// (the limit is 16 in fuser; 7588 handles waited with 100 readers). Without a limit they
/// arrive in their turn.
const MAX_BACKGROUND: u16 = u16::MAX;

/// How long requests in progress may delay the end after an unmount.
const GRACE: Duration = Duration::from_millis(500);

/// Serves requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Answers a request, now or later. This runs on a thread that takes requests, so it
    /// must not wait long.
    fn handle(self: Arc<Self>, request: Request, reply: Reply);

    /// Notes that the kernel takes back lookups of an inode.
    fn forgotten(&self, forgotten: Forgotten);

    /// Notes that the reader of an open file was interrupted and no longer waits.
    fn abandoned(&self, handle: u64);
}

/// How a mount ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// It was unmounted, or `umount -f` aborted its connection; then the mount may still
    /// exist.
    Unmounted,
    /// Its connection was aborted through fusectl. The mount still exists, but it is dead.
    Aborted,
}

/// State that the threads of a session share.
#[derive(Debug)]
struct Connection {
    device: Device,
    interrupts: Interrupts,
}

/// A mount that answers requests.
pub struct Session {
    connection: Arc<Connection>,
    notifier: Notifier,
    kernel_minor: u32,
    ends: Receiver<Result<End>>,
}

/// The reason why a session cannot begin, or ends early.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The process has no descriptor left for the device.
    #[error("cannot duplicate the descriptor of /dev/fuse: {0}")]
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
    /// The device failed.
    #[error("cannot read /dev/fuse: {0}")]
    Device(io::Errno),
    /// The kernel sent bytes that do not form a request.
    #[error("the kernel sent {0} bytes that are not a FUSE request")]
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

/// Starts the threads that take requests, and the one that answers interrupted requests.
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
    /// The notifier that tells the kernel about changes.
    pub fn notifier(&self) -> Notifier {
        self.notifier.clone()
    }

    /// The minor version of the protocol that the kernel speaks.
    pub fn kernel_minor(&self) -> u32 {
        self.kernel_minor
    }

    /// Serves until the mount is unmounted or aborted, and returns how it ended.
    ///
    /// # Errors
    /// The device failed.
    pub fn run(self) -> Result<End> {
        let first = self.ends.recv().map_err(|_| SessionError::NoThread)?;
        // The other threads notice too, unless the kernel keeps one waiting.
        for _ in 1..WORKERS {
            if self.ends.recv_timeout(GRACE).is_err() {
                break;
            }
        }
        self.connection.interrupts.end();
        first
    }
}

/// The settings that fuser negotiates with the kernel, and the kernel's minor version.
struct Greeting(Arc<AtomicU32>);

impl Filesystem for Greeting {
    fn init(&mut self, _: &fuser::Request, config: &mut KernelConfig) -> std::io::Result<()> {
        self.0.store(config.kernel_abi().1, Ordering::Relaxed);
        // The maximum size of reads follows that of writes.
        let _ = config.set_max_write(MAX_REQUEST as u32);
        let _ = config.set_max_background(MAX_BACKGROUND);
        // Looking up a process costs a pass, so `ls pid` asks only for names, and `ls -l
        // pid` for names and attributes at once.
        let _ = config
            .add_capabilities(InitFlags::FUSE_DO_READDIRPLUS | InitFlags::FUSE_READDIRPLUS_AUTO);
        let _ = config.add_capabilities(InitFlags::FUSE_PARALLEL_DIROPS);
        // With this flag, each asynchronous read gets one reply. Without it, the kernel
        // turns the read into one that does not advance the position, and after a short one
        // io_uring reads the same bytes again (fs/fuse/file.c, fuse_direct_IO()).
        let _ = config.add_capabilities(InitFlags::FUSE_ASYNC_DIO);
        // With this flag, an abort can be told from an unmount.
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
                // The receiver is gone once the process ends.
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
                // The kernel expects no reply, and would not find the request of one.
                Operation::Forget { inodes } => {
                    inodes
                        .iter()
                        .for_each(|forgotten| self.handler.forgotten(*forgotten));
                    continue;
                }
                Operation::Interrupt { unique: of } => {
                    // This thread read the INTERRUPT before the request that it refers to
                    // was noted. The EAGAIN makes the kernel send it again, unless the
                    // request has been answered.
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

/// A thread that cannot leave a net namespace panics and so ends. Another thread takes its
/// place, so that the number of threads stays the same.
impl<H: Handler> Drop for Worker<H> {
    fn drop(&mut self) {
        if thread::panicking()
            && let Err(error) = Worker::start(&self.connection, &self.handler, &self.end)
        {
            tracing::error!("cannot replace a thread that ended: {error}");
        }
    }
}

#[cfg(test)]
mod tests;
