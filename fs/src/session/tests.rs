//! Tests of the loop over a socket pair in place of /dev/fuse: without the kernel or root.

use super::abi::{InHeader, InterruptIn, OutHeader, ReadIn, opcode};
use super::*;
use parking_lot::Mutex;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;
use zerocopy::{FromBytes, IntoBytes};

/// Longer than any reply takes, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(20);

/// A session, the kernel's end of it, and the requests that its handler has received.
struct Played {
    kernel: OwnedFd,
    requests: Receiver<(Request, Reply)>,
    handler: Arc<Recorder>,
    ends: Receiver<Result<End>>,
    connection: Arc<Connection>,
}

/// Hands requests to the test, or panics once.
struct Recorder {
    requests: Sender<(Request, Reply)>,
    panics: AtomicBool,
    abandoned: Mutex<Vec<u64>>,
}

impl Handler for Recorder {
    #[allow(clippy::panic)] // As a thread does that cannot leave a net namespace.
    fn handle(self: Arc<Self>, request: Request, reply: Reply) {
        if self.panics.swap(false, Ordering::SeqCst) {
            panic!("this test makes the handler panic");
        }
        self.requests.send((request, reply)).unwrap();
    }

    fn forgotten(&self, _: Forgotten) {}

    fn abandoned(&self, handle: u64) {
        self.abandoned.lock().push(handle);
    }
}

impl Played {
    fn begin() -> Played {
        let (kernel, ours) = socketpair(
            AddressFamily::UNIX,
            SocketType::SEQPACKET,
            SocketFlags::CLOEXEC,
            None,
        )
        .unwrap();
        let connection = Arc::new(Connection {
            device: Device::new(ours),
            interrupts: Interrupts::default(),
        });
        let (send, requests) = channel();
        let handler = Arc::new(Recorder {
            requests: send,
            panics: AtomicBool::new(false),
            abandoned: Mutex::default(),
        });
        let (end, ends) = channel();
        start_threads(&connection, &handler, &end).unwrap();
        Played {
            kernel,
            requests,
            handler,
            ends,
            connection,
        }
    }

    fn ask(&self, unique: u64, opcode: u32, body: &[u8]) {
        let header = InHeader {
            len: (size_of::<InHeader>() + body.len()) as u32,
            opcode,
            unique,
            nodeid: 1,
            uid: 0,
            gid: 0,
            pid: 1,
            total_extlen: 0,
            padding: 0,
        };
        io::write(&self.kernel, &[header.as_bytes(), body].concat()).unwrap();
    }

    fn interrupt(&self, unique: u64) {
        let body = InterruptIn { unique };
        // The kernel sets the lowest bit in the number of an INTERRUPT.
        self.ask(unique | 1, opcode::INTERRUPT, body.as_bytes());
    }

    fn read(&self, unique: u64, handle: u64) {
        let body = ReadIn {
            fh: handle,
            offset: 0,
            size: 4096,
            read_flags: 0,
            lock_owner: 0,
            flags: 0,
            padding: 0,
        };
        self.ask(unique, opcode::READ, body.as_bytes());
    }

    /// The next request that the handler receives.
    fn request(&self) -> (Request, Reply) {
        self.requests.recv_timeout(PATIENCE).unwrap()
    }

    /// The number and errno of the next reply.
    fn answer(&self) -> (u64, i32) {
        let mut buffer = [0; 256];
        let length = io::read(&self.kernel, &mut buffer).unwrap();
        let (header, _) = OutHeader::read_from_prefix(&buffer[..length]).unwrap();
        assert_eq!(header.len as usize, length);
        (header.unique, -header.error)
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        self.connection.interrupts.end();
    }
}

#[test]
fn an_interrupted_request_is_answered_once_while_it_is_worked_on() {
    let played = Played::begin();
    played.ask(10, opcode::LOOKUP, b"slow\0");
    let (request, reply) = played.request();
    assert_eq!(request.unique, 10);
    assert!(!reply.is_abandoned());
    let before = Instant::now();
    played.interrupt(10);
    assert_eq!(played.answer(), (10, Errno::EINTR.code()));
    assert!(before.elapsed() >= Duration::from_millis(50));
    assert!(reply.is_abandoned());
    reply.done();

    // The next reply belongs to the next request.
    played.ask(12, opcode::STATFS, &[]);
    played.request().1.done();
    assert_eq!(played.answer(), (12, 0));
}

#[test]
fn an_abandoned_open_is_reported_as_abandoned() {
    let played = Played::begin();
    played.ask(10, opcode::OPEN, &[0; 8]);
    let (_, reply) = played.request();
    played.interrupt(10);
    assert_eq!(played.answer(), (10, Errno::EINTR.code()));
    assert!(!reply.opened(1, fuser::FopenFlags::empty()));

    played.ask(12, opcode::OPEN, &[0; 8]);
    assert!(played.request().1.opened(2, fuser::FopenFlags::empty()));
    assert_eq!(played.answer(), (12, 0));
}

#[test]
fn an_answer_in_time_reaches_the_caller() {
    let played = Played::begin();
    played.read(10, 3);
    let (_, reply) = played.request();
    played.interrupt(10);
    reply.done();
    assert_eq!(played.answer(), (10, 0));
    assert!(played.handler.abandoned.lock().is_empty());
}

#[test]
fn the_handle_of_an_abandoned_read_is_reported() {
    let played = Played::begin();
    played.read(10, 3);
    let (_, reply) = played.request();
    played.interrupt(10);
    assert_eq!(played.answer(), (10, Errno::EINTR.code()));
    let deadline = Instant::now() + PATIENCE;
    while played.handler.abandoned.lock().is_empty() {
        assert!(Instant::now() < deadline);
        thread::yield_now();
    }
    assert_eq!(*played.handler.abandoned.lock(), [3]);
    drop(reply);
}

#[test]
fn an_interrupt_that_comes_too_early_is_sent_again() {
    let played = Played::begin();
    played.interrupt(10);
    assert_eq!(played.answer(), (11, Errno::EAGAIN.code()));
}

#[test]
fn a_committed_request_is_not_given_up() {
    let played = Played::begin();
    played.ask(10, opcode::WRITE, &[0; 40]);
    let (_, reply) = played.request();
    assert!(reply.commit());
    played.interrupt(10);
    thread::sleep(Duration::from_millis(100));
    assert!(!reply.is_abandoned());
    reply.written(0);
    assert_eq!(played.answer(), (10, 0));
}

#[test]
fn a_dropped_reply_is_an_error() {
    let played = Played::begin();
    played.ask(10, opcode::LOOKUP, b"lost\0");
    drop(played.request());
    assert_eq!(played.answer(), (10, Errno::EIO.code()));
}

#[test]
fn threads_that_end_are_replaced() {
    let played = Played::begin();
    for unique in (10..).step_by(2).take(3 * WORKERS) {
        played.handler.panics.store(true, Ordering::SeqCst);
        played.ask(unique, opcode::STATFS, &[]);
        assert_eq!(played.answer(), (unique, Errno::EIO.code()));
    }
    played.ask(8, opcode::STATFS, &[]);
    played.request().1.done();
    assert_eq!(played.answer(), (8, 0));
}

#[test]
fn bytes_that_are_not_a_request_end_the_session() {
    let played = Played::begin();
    io::write(&played.kernel, b"no request").unwrap();
    assert!(played.ends.recv_timeout(PATIENCE).unwrap().is_err());
}
