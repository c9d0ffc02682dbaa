//! `mount.fuse.iterfs`: what mount(8) runs for `mount -t fuse.iterfs`.

fn main() {}
