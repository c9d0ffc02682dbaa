//! Reading a file to its end, in this process or by a command.

use super::cost::{Cost, Meter};
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::process::{Command, Stdio};

/// The size of cat's reads.
pub const PIECE: usize = 128 * 1024;

/// Reads to the end as cat does; returns how many bytes and calls there were. A
/// pinned iterator may ask to be read again (EAGAIN).
///
/// # Errors
/// The file's.
pub fn drain(mut file: impl Read, buffer: &mut [u8]) -> Result<(u64, u64)> {
    let (mut bytes, mut reads) = (0, 0);
    loop {
        reads += 1;
        match file.read(buffer) {
            Ok(0) => return Ok((bytes, reads)),
            Ok(some) => bytes += some as u64,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The rows of a text table, its header left out.
///
/// # Errors
/// The file's.
pub fn rows(path: &Path) -> Result<u64> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; PIECE];
    let mut lines = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(lines - 1),
            bytes => {
                lines += buffer[..bytes]
                    .iter()
                    .filter(|&&byte| byte == b'\n')
                    .count() as u64
            }
        }
    }
}

/// Has a command run to its end, its output thrown away.
///
/// # Errors
/// If it cannot start or fails.
pub fn command(meter: Meter, program: &str, arguments: &[&str]) -> Result<Cost> {
    meter.measure(|| {
        let status = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .with_context(|| format!("{program} does not start"))?;
        ensure!(status.success(), "{program}: {status}");
        Ok(())
    })
}

/// Has cat read a file.
///
/// # Errors
/// If it fails.
pub fn cat(meter: Meter, path: &Path) -> Result<Cost> {
    let path = path.to_str().context("a path in UTF-8")?;
    command(meter, "cat", &[path])
}
