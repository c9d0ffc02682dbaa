//! A loaded program with its link. The first open of its table makes it, and it is kept
//! afterwards.

pub(crate) mod asking;
pub(crate) mod attachment;
pub(crate) mod link_swap;
pub(crate) mod pinned_question;
pub(crate) mod pins;
pub(crate) mod slot;
pub(crate) mod user_tables;

use crate::load::loader::{self, Loaded, SharedMaps, bad_object};
use crate::load::mode::Mode;
use crate::load::object_process;
use crate::load::probe;
use crate::load::question::Encoded;
use crate::pass::briefing::Briefing;
use crate::pass::group_map::Groups;
use crate::pass::readers::Settings;
use crate::pass::thread_map::ThreadMap;
use crate::program::asking::AskingForm;
use crate::program::attachment::Attachment;
use crate::program::link_swap::LinkSwap;
use crate::sys;
use iterfs_mapping::contract::{self, Form, ObjectFile};
use iterfs_mapping::error::{Error, Result};
use iterfs_mapping::row::Schema;
use iterfs_mapping::{Format, Narrowing, Need, Scope, Subject, layout};
use libbpf_rs::query::LinkInfo;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

/// A program in the kernel, linked to its target.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    fd: OwnedFd,
    /// The link to everything, from which most iterators are made; none if the target needs a
    /// parameter.
    link: Option<Arc<OwnedFd>>,
    /// The part to which that link is attached.
    attachment: Attachment,
    /// The kernel's name for the target.
    target: String,
    schema: Option<Arc<Schema>>,
    readers: Option<Arc<ThreadMap>>,
    questions: Option<Arc<ThreadMap>>,
    /// The file of a user program; none for a built-in program.
    file: Option<PathBuf>,
    /// The same program, loaded to answer questions.
    asking: AskingForm,
}

impl Program {
    /// Loads a built-in program, and links it unless the target needs a parameter.
    pub(crate) fn load(
        name: &'static str,
        elf: &[u8],
        need: Need,
        mode: Mode,
        shared: &SharedMaps,
    ) -> Result<Program> {
        let options = loader::Options { room: None, mode };
        let loaded = loader::load(name, elf, options, shared)?;
        if loaded.schema.is_none() {
            return Err(bad_object(
                name,
                "no struct is marked as the row (ROW in row.h)",
            ));
        }
        match need {
            Need::Nothing => loaded.linked(Attachment::EVERYTHING, None),
            Need::Map(_) | Need::Cgroup(_) => {
                Ok(loaded.with_link(None, Attachment::EVERYTHING, None))
            }
        }
    }

    /// Loads a summary's program and its map of groups, with room for `room` groups.
    pub(crate) fn load_counting(
        name: &'static str,
        elf: &[u8],
        room: Option<u32>,
        shared: &SharedMaps,
    ) -> Result<(Program, Groups)> {
        let options = loader::Options {
            room,
            ..loader::Options::default()
        };
        let mut loaded = loader::load(name, elf, options, shared)?;
        let groups = loaded.groups.take();
        let groups = groups.ok_or_else(|| bad_object(name, "it declares no map of groups"))?;
        Ok((loaded.linked(Attachment::EVERYTHING, None)?, groups))
    }

    /// Loads a user program, and attaches it to the part that its walk is narrowed to.
    pub(crate) fn of_user(
        file: &ObjectFile,
        to: Attachment,
        shared: &SharedMaps,
    ) -> Result<Program> {
        let loaded = object_process::load(file, to.map(), shared)?;
        check_narrowing(&loaded.target, to.narrowing())?;
        check_parameter(&loaded.target, to.narrowing(), file)?;
        loaded.linked(to, Some(file.path.clone()))
    }

    /// Replaces this program in its link and in the pinned links by another: a user program, or
    /// the built-in one. The kernel checks less when it replaces a link's program than when it
    /// attaches one. Each program is therefore first attached on trial to the same part as the
    /// link, or to `part` if there is no link. If any program is refused, nothing changes.
    pub(crate) fn replaced(
        &self,
        loaded: Loaded,
        file: Option<PathBuf>,
        part: &Attachment,
        pinned: &[PinnedProgram],
    ) -> Result<Program> {
        if loaded.target != self.target {
            return Err(Error::OtherTarget {
                needed: self.target.clone(),
                found: loaded.target,
            });
        }
        let own = match self.link {
            Some(_) => &self.attachment,
            None => part,
        };
        link_swap::try_program(&loaded.name, loaded.fd.as_fd(), own)?;
        for pin in pinned {
            link_swap::try_program(&loaded.name, pin.program_or(&loaded.fd), &pin.attachment)?;
        }
        let mut swap = LinkSwap::default();
        if let Some(link) = &self.link {
            swap.put(&loaded.name, link.as_fd(), loaded.fd.as_fd())?;
        }
        for pin in pinned {
            swap.put(&loaded.name, pin.link.as_fd(), pin.program_or(&loaded.fd))?;
        }
        swap.keep();
        Ok(loaded.with_link(self.link.clone(), self.attachment.clone(), file))
    }

    /// Whether this is a built-in program.
    pub(crate) fn is_built_in(&self) -> bool {
        self.file.is_none()
    }

    /// The kernel's facts about the program.
    pub(crate) fn describe(
        &self,
        table: Subject,
        name: Option<String>,
    ) -> Result<contract::Loaded> {
        let failed = |cause| Error::Attach {
            object: self.name.clone(),
            cause,
        };
        let info = sys::program_info(self.fd.as_fd()).map_err(failed)?;
        let link = self
            .link
            .as_ref()
            .map(|link| LinkInfo::from_fd(link.as_fd()));
        Ok(contract::Loaded {
            table,
            name,
            target: self.target.clone(),
            object: self.file.clone(),
            schema: self.schema.clone(),
            program: info.id,
            tag: info.tag,
            link: link.and_then(Result::ok).map(|link| link.id),
        })
    }

    /// The shape of its rows; none if the program prints text itself.
    pub(crate) fn schema(&self) -> Option<&Arc<Schema>> {
        self.schema.as_ref()
    }

    /// The part to which its link is attached.
    pub(crate) fn attachment(&self) -> &Attachment {
        &self.attachment
    }

    /// The name of its target.
    pub(crate) fn target(&self) -> &str {
        &self.target
    }

    /// The form of the rows of a user program. A program that does not look up its reader shows
    /// tasks as the host sees them, and so it is shown only to the host.
    pub(crate) fn form(&self) -> Form {
        let scope = match layout::scope_of(&self.target) {
            Some(Scope::NetNamespace) => Scope::NetNamespace,
            Some(Scope::PidNamespace | Scope::PidAndNetNamespace) if self.readers.is_some() => {
                Scope::PidNamespace
            }
            _ => Scope::Host,
        };
        let formats: &[Format] = match self.schema {
            Some(_) => &Format::ALL,
            None => &[Format::Text],
        };
        Form { formats, scope }
    }

    /// Whether the program looks up its reader.
    pub(crate) fn looks_up_readers(&self) -> bool {
        self.readers.is_some()
    }

    /// Those of these settings and this question that the program looks up.
    pub(crate) fn briefing(&self, settings: Settings, question: Option<&Arc<Encoded>>) -> Briefing {
        let readers = self.readers.as_ref().map(Arc::clone);
        let questions = self.questions.as_ref().map(Arc::clone);
        Briefing {
            reader: readers.map(|readers| (readers, settings)),
            question: questions.zip(question.map(Arc::clone)),
        }
    }

    /// The form of this program that answers questions, which `load` loads when it is first
    /// needed; none if the kernel refuses that form.
    pub(crate) fn asking(&self, load: impl FnOnce() -> Result<Program>) -> Option<Arc<Program>> {
        self.asking.get(load)
    }

    /// The link, to be pinned and read as text.
    pub(crate) fn link_to_pin(&self) -> Result<OwnedFd> {
        let text = |what| Error::NoText(self.name.clone(), what);
        if self.schema.is_some() {
            return Err(text("its program writes records, not text"));
        }
        if let Narrowing::EachCgroup(_) = self.attachment.narrowing() {
            return Err(text("the daemon walks each cgroup by itself"));
        }
        let link = self.link.as_ref().ok_or_else(|| text("it has no link"))?;
        link.try_clone().map_err(|cause| Error::Attach {
            object: self.name.clone(),
            cause,
        })
    }

    /// A new link to this part, to be pinned and read as text.
    pub(crate) fn link_as_text(&self, narrowing: Narrowing) -> Result<OwnedFd> {
        let text = |what| Error::NoText(self.name.clone(), what);
        if self.schema.is_some() {
            return Err(text("its program writes records, not text"));
        }
        if let Narrowing::NetNamespace(_) = narrowing {
            return Err(text("a pin shows the net namespace of its reader"));
        }
        self.link(&Attachment::to(narrowing)?)
    }

    /// Makes an iterator. Its pass begins with the first read.
    pub(crate) fn iterator(&self, to: &Attachment) -> Result<OwnedFd> {
        match &self.link {
            Some(link) if to.is_everything() => sys::iterator_create(link.as_fd()),
            // The iterator holds a reference to the link, so the link can be closed.
            _ => sys::iterator_create(self.link(to)?.as_fd()),
        }
        .map_err(Error::Pass)
    }

    /// Makes a separate link, for iterators over one part.
    pub(crate) fn link(&self, to: &Attachment) -> Result<OwnedFd> {
        attach(&self.name, self.fd.as_fd(), to)
    }
}

/// A pinned link of a table, the part to which it is attached, and its new program: the table's
/// program if `program` is none.
pub(crate) struct PinnedProgram {
    pub(crate) link: OwnedFd,
    pub(crate) attachment: Attachment,
    pub(crate) program: Option<OwnedFd>,
}

impl PinnedProgram {
    fn program_or<'b>(&'b self, of_table: &'b OwnedFd) -> BorrowedFd<'b> {
        self.program.as_ref().unwrap_or(of_table).as_fd()
    }
}

impl Loaded {
    /// Whether the program writes records, for the daemon to format.
    pub(crate) fn writes_records(&self) -> bool {
        self.schema.is_some()
    }

    fn linked(self, to: Attachment, file: Option<PathBuf>) -> Result<Program> {
        let link = attach(&self.name, self.fd.as_fd(), &to)?;
        Ok(self.with_link(Some(Arc::new(link)), to, file))
    }

    fn with_link(
        self,
        link: Option<Arc<OwnedFd>>,
        attachment: Attachment,
        file: Option<PathBuf>,
    ) -> Program {
        let Loaded {
            name,
            fd,
            target,
            schema,
            readers,
            questions,
            groups: _,
        } = self;
        Program {
            name,
            fd,
            link,
            attachment,
            target,
            schema,
            readers,
            questions,
            file,
            asking: AskingForm::default(),
        }
    }
}

/// Links a program to a part of its target.
pub(crate) fn attach(name: &str, program: BorrowedFd<'_>, to: &Attachment) -> Result<OwnedFd> {
    let of_tasks = match to.narrowing() {
        Narrowing::Process(_) => Some("a process"),
        Narrowing::Thread(_) => Some("a thread"),
        _ => None,
    };
    if let Some(what) = of_tasks
        && !probe::narrows_tasks()
    {
        return Err(Error::NoTaskNarrowing(what));
    }
    sys::link_create(program, to).map_err(|cause| Error::Attach {
        object: name.into(),
        cause,
    })
}

/// Checks that a target supports this narrowing. The kernel does not: it takes the parameter of
/// another target for its own, or ignores it (include/uapi/linux/bpf.h, union
/// bpf_iter_link_info).
fn check_narrowing(target: &str, to: Narrowing) -> Result<()> {
    let (what, targets): (_, &[&str]) = match to {
        Narrowing::Nothing => return Ok(()),
        Narrowing::NetNamespace(_) => ("a net namespace", &[]),
        Narrowing::Process(_) => ("a process", &["task", "task_file", "task_vma"]),
        Narrowing::Thread(_) => ("a thread", &["task", "task_file", "task_vma"]),
        Narrowing::Map(_) => ("a map", &["bpf_map_elem", "bpf_sk_storage_map", "sockmap"]),
        Narrowing::Cgroup(..) | Narrowing::EachCgroup(_) => ("a cgroup", &["cgroup"]),
    };
    match targets.contains(&target) {
        true => Ok(()),
        false => Err(Error::Narrowing(target.into(), what)),
    }
}

/// Checks that a target that walks one of many objects has its parameter. The kernel gives the
/// same error for many mistakes (EBADF without a map, EINVAL without an order).
fn check_parameter(target: &str, to: Narrowing, file: &ObjectFile) -> Result<()> {
    let (parameter, example) = match (target, to) {
        ("bpf_map_elem" | "bpf_sk_storage_map" | "sockmap", Narrowing::Nothing) => {
            ("map=ID, the id of a map as bpf/maps shows it", "map=12")
        }
        ("cgroup", Narrowing::Nothing) => (
            "cgroup=PATH, a path from the root of the cgroups",
            "cgroup=/system.slice",
        ),
        _ => return Ok(()),
    };
    let words = ["load".into(), "NAME".into(), file.name()];
    let words = words.into_iter().chain(file.program.clone());
    let words: Vec<_> = words.chain([example.into()]).collect();
    Err(Error::ParameterMissing {
        target: target.into(),
        parameter,
        example: words.join(" "),
    })
}
