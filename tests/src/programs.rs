//! The programs under test, as cargo built them beside the tests.

use std::path::{Path, PathBuf};

/// The command `iterfs`.
pub fn iterfs() -> PathBuf {
    built("iterfs")
}

/// The helper that is installed as `mount.fuse.iterfs`.
pub fn mount_helper() -> PathBuf {
    built("mount-fuse-iterfs")
}

fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own file");
    let profile = test.ancestors().find(|path| path.join(name).is_file());
    profile
        .map(|directory: &Path| directory.join(name))
        .unwrap_or_else(|| panic!("{name} is not built; run the tests with: make test"))
}
