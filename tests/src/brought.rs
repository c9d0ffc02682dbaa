//! Programs as an administrator brings them: compiled by clang, from sources in
//! `tests/programs`, with libbpf's headers and `iterfs/row.h`.

use crate::clang;
use std::fs;
use std::path::{Path, PathBuf};
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
        let defines: Vec<_> = defines.iter().map(|define| format!("-D{define}")).collect();
        self.clang(&source, &object, &[sources], &defines);
        object
    }

    /// The object of a program that says this word once a pass.
    pub fn word(&self, word: &str) -> PathBuf {
        self.compile("word", word, &[&format!("WORD=\"{word}\"")])
    }

    /// Compiles a file, with these flags and those directories of headers beside
    /// libbpf's and ours.
    pub fn clang(&self, source: &Path, object: &Path, headers: &[PathBuf], flags: &[String]) {
        let machine = format!("/usr/include/{}-linux-gnu", std::env::consts::ARCH);
        let mut all = vec!["-Wall".to_owned(), format!("-idirafter{machine}")];
        all.extend_from_slice(flags);
        let mut directories = vec![self.path("include")];
        directories.extend_from_slice(headers);
        clang::compile(source, object, &directories, &all);
    }
}

impl Default for Workshop {
    fn default() -> Self {
        Self::new()
    }
}
