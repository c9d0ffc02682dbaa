//! The request to a process that loads an object, and its reply.

use iterfs_mapping::contract::ObjectFile;
use iterfs_mapping::error::Error;
use iterfs_mapping::layout;
use iterfs_mapping::row::Schema;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Names the object to load. The descriptors with it are the map of readers and, optionally, a
/// map that replaces one of the object's own.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Request {
    path: Vec<u8>,
    program: Option<String>,
    /// Whether the request comes with such a map.
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

/// The outcome. The descriptor with it is that of the program.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Reply {
    Loaded(Description),
    Refused(Refusal),
}

/// The facts about a program that the daemon needs.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Description {
    /// The target that the program walks.
    pub(super) target: String,
    /// The shape of its rows; none if the program prints text itself.
    pub(super) schema: Option<Schema>,
    /// Whether the program looks its reader up in the map of readers.
    pub(super) reads_readers: bool,
}

/// The variants of [`Error`] with which loading an object can fail.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Refusal {
    Object(String),
    File(OsError),
    NoProgram {
        program: String,
        there: Vec<String>,
    },
    /// The kernel has no target of this name.
    NoTarget(String),
    Kernel {
        error: OsError,
        log: String,
        full: String,
    },
}

/// The serializable form of [`io::Error`].
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct OsError {
    errno: Option<i32>,
    text: String,
}

impl Reply {
    /// Converts the reply to a result of this library.
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
            Refusal::NoTarget(name) => match layout::targets().find(|target| target.name == name) {
                Some(target) => Error::NoTarget(target),
                None => Error::BadObject {
                    object,
                    what: format!("this kernel has no iterator for {name}"),
                },
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
            Error::NoTarget(target) => Refusal::NoTarget(target.name.into()),
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
