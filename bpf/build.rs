//! Compiles every `programs/*.bpf.c` with the headers in `programs/lib`, and lists the objects
//! for `src/load/objects.rs`.

use anyhow::{Context, Result};
use libbpf_cargo::SkeletonBuilder;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

const PROGRAMS: &str = "programs";
const SUFFIX: &str = ".bpf.c";

fn main() -> Result<()> {
    // Cargo then watches every source and header below the directory.
    println!("cargo:rerun-if-changed={PROGRAMS}");
    let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);

    let headers = out.join("include");
    write_libbpf_headers(&headers)?;

    let mut table = String::from("&[\n");
    for name in program_names()? {
        let object = out.join(format!("{name}.bpf.o"));
        SkeletonBuilder::new()
            .source(Path::new(PROGRAMS).join(format!("{name}{SUFFIX}")))
            .obj(&object)
            .clang_args([
                "-Wall".into(),
                "-Wextra".into(),
                "-Werror".into(),
                include(&headers),
            ])
            .build()
            .with_context(|| format!("{PROGRAMS}/{name}{SUFFIX} does not compile"))?;
        writeln!(table, "    ({name:?}, include_bytes!({object:?})),")?;
    }
    table.push(']');
    fs::write(out.join("objects.rs"), table).context("cannot write objects.rs")
}

/// Writes the headers of the libbpf that loads the programs, to be included as `bpf/….h`.
fn write_libbpf_headers(directory: &Path) -> Result<()> {
    let directory = directory.join("bpf");
    fs::create_dir_all(&directory).context("cannot create the directory for libbpf's headers")?;
    for (name, text) in libbpf_sys::API_HEADERS {
        fs::write(directory.join(name), text).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}

fn include(directory: &Path) -> OsString {
    let mut flag = OsString::from("-I");
    flag.push(directory);
    flag
}

fn program_names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(PROGRAMS).context("cannot read bpf/programs")? {
        let file = entry?.file_name();
        if let Some(name) = file.to_str().and_then(|file| file.strip_suffix(SUFFIX)) {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}
