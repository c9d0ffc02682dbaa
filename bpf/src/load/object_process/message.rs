//! What the daemon asks a process that loads an object, and what it answers.

use iterfs_mapping::contract::ObjectFile;
use iterfs_mapping::error::Error;
use iterfs_mapping::row::Schema;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Which object to load. The descriptors with it are the map of readers and, if there is
/// one, the map to be put in place of one of the object's own.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Request {
    path: Vec<u8>,
    program: Option<String>,
    /// Whether there is such a map.
    pub(super) has_map: bool,
}

impl Request {
    pub(super) fn new(file: &ObjectFile, has_map: bool) -> Request {
        Request {
            path: file.path.as_os_str().as_bytes().to_vec(),
            program: file.program.clone(),
            has_map,
        }
    }

    pub(super) fn file(self) -> ObjectFile {
        ObjectFile {
            path: OsString::from_vec(self.path).into(),
            program: self.program,
        }
    }
}

/// The outcome. The descriptor with it is the program's.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Reply {
    Loaded(Description),
    Refused(Refusal),
}

/// What the daemon must know of a program.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Description {
    /// What it walks.
    pub(super) target: String,
    /// The shape of its rows; none if it prints text itself.
    pub(super) schema: Option<Schema>,
    /// Whether it asks for its reader, in the map of readers.
    pub(super) reads_readers: bool,
}

/// [`Error`], as far as loading an object fails with it.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Refusal {
    Object(String),
    File(OsError),
    NoProgram {
        program: String,
        there: Vec<String>,
    },
    Kernel {
        error: OsError,
        log: String,
        full: String,
    },
}

/// [`io::Error`].
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct OsError {
    errno: Option<i32>,
    text: String,
}

impl Reply {
    /// The same as a result of ours.
    pub(super) fn into_result(self, file: &ObjectFile) -> Result<Description, Error> {
        let refusal = match self {
            Reply::Loaded(description) => return Ok(description),
            Reply::Refused(refusal) => refusal,
        };
        let object = file.name();
        Err(match refusal {
            Refusal::Object(what) => Error::BadObject { object, what },
            Refusal::File(error) => Error::ObjectFile {
                path: file.path.clone(),
                cause: error.into(),
            },
            Refusal::NoProgram { program, there } => Error::NoProgram {
                object,
                program,
                there,
            },
            Refusal::Kernel { error, log, full } => Error::Load {
                object,
                cause: error.into(),
                log,
                full,
            },
        })
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Refusal {
        match error {
            Error::BadObject { what, .. } => Refusal::Object(what),
            Error::ObjectFile { cause, .. } => Refusal::File(cause.into()),
            Error::NoProgram { program, there, .. } => Refusal::NoProgram { program, there },
            Error::Load {
                cause, log, full, ..
            } => Refusal::Kernel {
                error: cause.into(),
                log,
                full,
            },
            other => Refusal::Object(other.to_string()),
        }
    }
}

impl From<io::Error> for OsError {
    fn from(error: io::Error) -> OsError {
        OsError {
            errno: error.raw_os_error(),
            text: error.to_string(),
        }
    }
}

impl From<OsError> for io::Error {
    fn from(OsError { errno, text }: OsError) -> io::Error {
        match errno {
            Some(errno) => io::Error::from_raw_os_error(errno),
            None => io::Error::other(text),
        }
    }
}
