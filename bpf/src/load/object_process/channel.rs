//! Exchanges one message with descriptors in each direction over a stream socket.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown, recvmsg, sendmsg, shutdown,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// The longest message, in bytes; more than any schema and log need.
const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// The most descriptors that a message may carry.
const MAX_DESCRIPTORS: usize = 2;

/// One end of the channel.
pub(super) struct Channel(UnixStream);

impl Channel {
    pub(super) fn new(stream: UnixStream) -> Channel {
        Channel(stream)
    }

    /// Sends a message, which is the last one in this direction.
    pub(super) fn send(
        &self,
        message: &impl Serialize,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<()> {
        let bytes = serde_json::to_vec(message)?;
        let mut rest = &bytes[..];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors))
        {
            return Err(ErrorKind::InvalidInput.into());
        }
        while !rest.is_empty() {
            let sent = sendmsg(
                self.0.as_fd(),
                &[IoSlice::new(rest)],
                &mut ancillary,
                SendFlags::NOSIGNAL,
            );
            match sent {
                // The descriptors travel with the first byte.
                Ok(sent) => {
                    rest = &rest[sent..];
                    ancillary.clear();
                }
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(shutdown(&self.0, Shutdown::Write)?)
    }

    /// Receives the other end's whole message.
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] at the deadline, [`ErrorKind::InvalidData`] if the bytes are not
    /// a message.
    pub(super) fn receive<M: DeserializeOwned>(
        &self,
        deadline: Option<Instant>,
    ) -> io::Result<(M, Vec<OwnedFd>)> {
        let mut bytes = Vec::new();
        let mut descriptors = Vec::new();
        let mut piece = vec![0; 64 * 1024];
        loop {
            if let Some(deadline) = deadline {
                let left = deadline.saturating_duration_since(Instant::now());
                if left == Duration::ZERO {
                    return Err(ErrorKind::TimedOut.into());
                }
                self.0.set_read_timeout(Some(left))?;
            }
            let mut space =
                [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
            let mut ancillary = RecvAncillaryBuffer::new(&mut space);
            let received = recvmsg(
                self.0.as_fd(),
                &mut [IoSliceMut::new(&mut piece)],
                &mut ancillary,
                RecvFlags::CMSG_CLOEXEC,
            );
            let length = match received {
                Ok(received) => received.bytes,
                Err(Errno::INTR | Errno::AGAIN) => continue,
                Err(errno) => return Err(errno.into()),
            };
            for message in ancillary.drain() {
                if let RecvAncillaryMessage::ScmRights(passed) = message {
                    descriptors.extend(passed);
                }
            }
            if length == 0 {
                return Ok((serde_json::from_slice(&bytes)?, descriptors));
            }
            bytes.extend_from_slice(&piece[..length]);
            if bytes.len() > MAX_MESSAGE {
                return Err(ErrorKind::InvalidData.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn pair() -> (Channel, Channel) {
        let (one, other) = UnixStream::pair().unwrap();
        (Channel::new(one), Channel::new(other))
    }

    #[test]
    fn a_message_arrives_with_its_descriptors() {
        let (one, other) = pair();
        let text = "x".repeat(3 * 1024 * 1024);
        let null = std::fs::File::open("/dev/null").unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| one.send(&text, &[null.as_fd(), null.as_fd()]).unwrap());
            let (received, descriptors) = other.receive::<String>(None).unwrap();
            assert!(received == text, "{} bytes", received.len());
            assert_eq!(descriptors.len(), 2);
        });
    }

    #[test]
    fn an_end_without_a_message_is_an_error() {
        let (one, other) = pair();
        drop(one);
        let error = other.receive::<String>(None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_silent_end_is_waited_for_until_the_deadline() {
        let (_one, other) = pair();
        let deadline = Instant::now() + Duration::from_millis(20);
        let error = other.receive::<String>(Some(deadline)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(Instant::now() >= deadline);
    }

    #[test]
    fn a_message_without_end_is_an_error() {
        let (mut one, other) = pair();
        std::thread::scope(|scope| {
            // This write fails when the other end closes the channel in the middle.
            scope.spawn(move || one.0.write_all(&vec![b' '; 2 * MAX_MESSAGE]));
            let error = other.receive::<String>(None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
            drop(other);
        });
    }
}
