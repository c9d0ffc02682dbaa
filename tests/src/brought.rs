//! Programs as an administrator brings them: compiled by clang, from sources in
//! `tests/programs`, with libbpf's headers and `iterfs/row.h`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A directory to compile programs in.
pub struct Workshop(TempDir);

impl Workshop {
    /// One with the headers laid out.
    pub fn new() -> Workshop {
        let directory = tempfile::Builder::new().prefix("iterfs-objects-").tempdir();
        let workshop = Workshop(directory.expect("a directory"));
        let headers = workshop.path("include/bpf");
        fs::create_dir_all(&headers).expect("a directory of headers");
        for (name, text) in libbpf_sys::API_HEADERS {
            fs::write(headers.join(name), text).expect("a header");
        }
        let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bpf/programs/iterfs/row.h");
        let installed = workshop.path("include/iterfs");
        fs::create_dir_all(&installed).expect("a directory of headers");
        fs::copy(ours, installed.join("row.h")).expect("row.h");
        workshop
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Compiles `tests/programs/<source>.bpf.c` into `<name>.o`.
    pub fn compile(&self, source: &str, name: &str, defines: &[&str]) -> PathBuf {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
        let source = sources.join(format!("{source}.bpf.c"));
        let object = self.path(&format!("{name}.o"));
        let defines = defines.iter().map(|define| format!("-D{define}"));
        self.clang(&source, &object, &defines.collect::<Vec<_>>());
        object
    }

    /// The object of a program that says this word once a pass.
    pub fn word(&self, word: &str) -> PathBuf {
        self.compile("word", word, &[&format!("WORD=\"{word}\"")])
    }

    /// Compiles a file.
    pub fn clang(&self, source: &Path, object: &Path, more: &[String]) {
        let machine = format!("/usr/include/{}-linux-gnu", std::env::consts::ARCH);
        let mut command = Command::new("clang");
        command
            .args(["-g", "-O2", "-target", "bpf", "-Wall"])
            .arg("-I")
            .arg(self.path("include"))
            .args(["-I", &machine])
            .args(more)
            .arg("-c")
            .arg(source)
            .arg("-o")
            .arg(object);
        let output = command.output().expect("clang runs");
        assert!(output.status.success(), "{source:?}: {output:?}");
    }
}

impl Default for Workshop {
    fn default() -> Self {
        Self::new()
    }
}
