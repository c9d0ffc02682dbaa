//! The argv that mount(8) gives its helpers: `SPEC DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS]
//! [-t TYPE]` (mount(8), EXTERNAL HELPERS). It is parsed into a [`Request`], which yields the
//! argv of `iterfs`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// The option of `iterfs mount` that corresponds to the flag `-s`.
const SLOPPY: &str = "sloppy";

/// A request of mount(8).
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Request {
    /// The source that the mount table shows.
    pub(crate) source: OsString,
    /// The directory to mount on.
    pub(crate) directory: OsString,
    /// `-o`: the options, as given.
    pub(crate) options: OsString,
    /// `-N`: a file that refers to the mount namespace to mount in.
    pub(crate) namespace: Option<PathBuf>,
    /// `-s`: ignore unknown options.
    pub(crate) sloppy: bool,
    /// `-f`: do everything except the mount.
    pub(crate) fake: bool,
    /// `-v`: print the command that is executed.
    pub(crate) verbose: bool,
}

/// Arguments that mount(8) never gives.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum ArgvError {
    /// Too few or too many operands.
    #[error("give a source and a directory: mount.fuse.iterfs SPEC DIR [-sfnv] [-N NS] [-o OPTS]")]
    Operands,
    /// A flag that mount(8) does not pass to helpers.
    #[error("unknown flag '-{}'; a mount helper takes -s -f -n -v -N -o -t", *.0 as char)]
    Flag(u8),
    /// A flag without its value.
    #[error("'-{}' needs a value", *.0 as char)]
    Value(u8),
    /// A source with a comma, which would end the option that passes it on.
    #[error("the source '{}' contains a comma, which separates options; use a source without one", .0.display())]
    Comma(OsString),
}

impl Request {
    /// Parses the arguments after the program's name. Flags may come before, between or
    /// after the operands.
    ///
    /// # Errors
    /// The first argument that mount(8) never gives.
    pub(crate) fn parse(
        arguments: impl IntoIterator<Item = OsString>,
    ) -> Result<Request, ArgvError> {
        let mut request = Request::default();
        let mut operands = Vec::new();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            match argument.as_bytes() {
                b"--" => operands.extend(arguments.by_ref()),
                [b'-', flags @ ..] if !flags.is_empty() => request.take(flags, &mut arguments)?,
                _ => operands.push(argument),
            }
        }
        let [source, directory] =
            <[OsString; 2]>::try_from(operands).map_err(|_| ArgvError::Operands)?;
        if source.as_bytes().contains(&b',') {
            return Err(ArgvError::Comma(source));
        }
        Ok(Request {
            source,
            directory,
            ..request
        })
    }

    /// Applies a cluster of flags such as `nv`, of which the last may take a value.
    fn take(
        &mut self,
        flags: &[u8],
        following: &mut impl Iterator<Item = OsString>,
    ) -> Result<(), ArgvError> {
        for (index, &flag) in flags.iter().enumerate() {
            match flag {
                b's' => self.sloppy = true,
                b'f' => self.fake = true,
                b'v' => self.verbose = true,
                // No mtab is written anyway.
                b'n' => {}
                b'N' | b'o' | b't' => {
                    let value = match &flags[index + 1..] {
                        [] => following.next().ok_or(ArgvError::Value(flag))?,
                        attached => OsString::from_vec(attached.to_vec()),
                    };
                    self.take_value(flag, value);
                    return Ok(());
                }
                _ => return Err(ArgvError::Flag(flag)),
            }
        }
        Ok(())
    }

    fn take_value(&mut self, flag: u8, value: OsString) {
        match flag {
            b'N' => self.namespace = Some(namespace(value)),
            b'o' => append(&mut self.options, &value),
            // The type: this helper serves only one.
            _ => {}
        }
    }

    /// The arguments that make `iterfs` mount as asked.
    pub(crate) fn daemon_arguments(&self) -> Vec<OsString> {
        let mut arguments = vec![OsString::from("mount")];
        if let Some(namespace) = &self.namespace {
            arguments.extend(["-N".into(), namespace.into()]);
        }
        // The source goes first, so that an fsname= among the options overrides it.
        let mut options = OsString::new();
        if !self.source.is_empty() {
            options.push("fsname=");
            options.push(&self.source);
        }
        if self.sloppy {
            append(&mut options, OsStr::new(SLOPPY));
        }
        append(&mut options, &self.options);
        if !options.is_empty() {
            arguments.extend(["-o".into(), options]);
        }
        arguments.extend(["--".into(), self.directory.clone()]);
        arguments
    }
}

/// `-N` takes a process id or a file, as it does in mount(8) itself.
fn namespace(value: OsString) -> PathBuf {
    let digits = !value.is_empty() && value.as_bytes().iter().all(u8::is_ascii_digit);
    if digits {
        PathBuf::from(format!("/proc/{}/ns/mnt", value.display()))
    } else {
        value.into()
    }
}

fn append(list: &mut OsString, more: &OsStr) {
    if !list.is_empty() && !more.is_empty() {
        list.push(",");
    }
    list.push(more);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(arguments: &[&str]) -> Result<Request, ArgvError> {
        Request::parse(arguments.iter().map(OsString::from))
    }

    fn daemon(arguments: &[&str]) -> Vec<String> {
        let arguments = parse(arguments).unwrap().daemon_arguments();
        arguments
            .into_iter()
            .map(|argument| argument.into_string().unwrap())
            .collect()
    }

    #[test]
    fn what_mount_gives_becomes_what_iterfs_takes() {
        assert_eq!(
            daemon(&["iterfs", "/mnt", "-n", "-o", "rw,gid=adm"]),
            ["mount", "-o", "fsname=iterfs,rw,gid=adm", "--", "/mnt"]
        );
        assert_eq!(
            daemon(&["iterfs", "/mnt", "-N", "17", "-t", "fuse.iterfs"]),
            [
                "mount",
                "-N",
                "/proc/17/ns/mnt",
                "-o",
                "fsname=iterfs",
                "--",
                "/mnt"
            ]
        );
        assert_eq!(
            daemon(&["-sv", "-orw", "--", "none", "-dir"]),
            ["mount", "-o", "fsname=none,sloppy,rw", "--", "-dir"]
        );
        assert_eq!(daemon(&["", "/mnt"]), ["mount", "--", "/mnt"]);
    }

    #[test]
    fn flags_are_told_apart() {
        let request = parse(&["a", "b", "-fv", "-N/run/ns", "-o", "ro", "-o", "x-y"]).unwrap();
        let expected = Request {
            source: "a".into(),
            directory: "b".into(),
            options: "ro,x-y".into(),
            namespace: Some("/run/ns".into()),
            sloppy: false,
            fake: true,
            verbose: true,
        };
        assert_eq!(request, expected);
    }

    #[test]
    fn what_mount_would_not_give_is_refused() {
        assert_eq!(parse(&[]), Err(ArgvError::Operands));
        assert_eq!(parse(&["a"]), Err(ArgvError::Operands));
        assert_eq!(parse(&["a", "b", "c"]), Err(ArgvError::Operands));
        assert_eq!(parse(&["a", "b", "-nx"]), Err(ArgvError::Flag(b'x')));
        assert_eq!(parse(&["a", "b", "-o"]), Err(ArgvError::Value(b'o')));
        assert_eq!(parse(&["a", "b", "-nN"]), Err(ArgvError::Value(b'N')));
        let comma = parse(&["iterfs,mode=0444", "b"]).unwrap_err();
        assert_eq!(comma, ArgvError::Comma("iterfs,mode=0444".into()));
        assert!(!comma.to_string().contains('\n'));
    }

    /// The argv that mount(8) makes of a request.
    fn mount_argv(request: &Request) -> Vec<OsString> {
        let mut argv = vec![
            "--".into(),
            request.source.clone(),
            request.directory.clone(),
        ];
        let flags = [
            (request.sloppy, "-s"),
            (request.fake, "-f"),
            (request.verbose, "-v"),
        ];
        let set = flags
            .iter()
            .filter(|(set, _)| *set)
            .map(|(_, flag)| OsString::from(*flag));
        let mut before: Vec<_> = set.collect();
        if let Some(namespace) = &request.namespace {
            before.extend(["-N".into(), namespace.into()]);
        }
        if !request.options.is_empty() {
            before.extend(["-o".into(), request.options.clone()]);
        }
        before.append(&mut argv);
        before
    }

    prop_compose! {
        fn requests()(
            source in "[^,]{0,12}",
            directory in any::<Vec<u8>>(),
            options in "\\PC{0,20}",
            namespace in proptest::option::of("/[a-z0-9/]{0,12}"),
            flags: [bool; 3],
        ) -> Request {
            Request {
                source: source.into(),
                directory: OsString::from_vec(directory),
                options: options.into(),
                namespace: namespace.map(PathBuf::from),
                sloppy: flags[0],
                fake: flags[1],
                verbose: flags[2],
            }
        }
    }

    proptest! {
        #[test]
        fn every_request_survives_mounts_argv(request in requests()) {
            prop_assert_eq!(Request::parse(mount_argv(&request)), Ok(request));
        }

        #[test]
        fn no_source_adds_an_option(source in "\\PC{0,20}", options in "[a-z=,]{0,20}") {
            let argv = [source.clone(), "/mnt".into(), "-o".into(), options.clone()];
            let Ok(request) = Request::parse(["--".to_owned()].iter().chain(&argv[..2]).map(OsString::from)) else {
                prop_assert!(source.contains(','));
                return Ok(());
            };
            let arguments = Request { options: options.clone().into(), ..request }.daemon_arguments();
            let list = arguments.iter().skip_while(|a| *a != "-o").nth(1);
            let words = |text: &str| text.split(',').filter(|word| !word.is_empty()).count();
            let given = list.map_or(0, |list| words(&list.to_string_lossy()));
            prop_assert_eq!(given, words(&options) + usize::from(!source.is_empty()));
        }

        #[test]
        fn any_arguments_are_taken_or_refused(arguments in proptest::collection::vec(any::<Vec<u8>>(), 0..6)) {
            let _ = Request::parse(arguments.into_iter().map(OsString::from_vec));
        }
    }
}
