//! Pinned links in text mode.

use iterfs_tests::Mount;
use iterfs_tests::pins::Pins;

#[test]
fn try_all() {
    let mount = Mount::new();
    let pins = Pins::new();
    for table in [
        "kernel/slabs", "kernel/dmabufs", "bpf/links", "bpf/maps", "bpf/progs", "net/netlink", "net/ipv6_route", "net/udp", "net/tcp",
        "net/unix", "tasks", "processes", "files", "vmas", "net/sockets", "kernel/ksyms",
    ] {
        eprintln!("== {table}");
        let start = std::time::Instant::now();
        let text = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pins.text(table)));
        eprintln!("{:?}", start.elapsed());
        let Ok(text) = text else { continue };
        let text = String::from_utf8_lossy(&text);
        let own = mount.text(table);
        if text != own {
            eprintln!("{} lines, {} lines", text.lines().count(), own.lines().count());
            for (a, b) in text.lines().zip(own.lines()).filter(|(a, b)| a != b).take(3) {
                eprintln!("< {a}\n> {b}");
            }
        }
    }
}
