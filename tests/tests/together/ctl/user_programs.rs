//! User programs: loaded, shown in `user/`, unloaded.
//! Promises of the kernel's own tests of iterators (tools/testing/selftests/bpf,
//! prog_tests/bpf_iter.c) are promises of `user/` as well.

use iterfs_tests::errno::errno_of;
use iterfs_tests::fixtures::netns::run;
use iterfs_tests::fixtures::workload::{Cgroup, Workload};
use iterfs_tests::fixtures::workshop::Workshop;
use iterfs_tests::mount::control::Control;
use iterfs_tests::mount::pins::Pins;
use iterfs_tests::not_here::{
    needs_function, needs_narrowed_tasks, needs_storage_by_programs, needs_table,
};
use iterfs_tests::{Mount, oracles::proc};
use nix::libc;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;

/// Loads one program of an object under its own name, and returns the text that it prints.
fn loaded(control: &Control, object: &Path, program: &str, parameters: &str) -> String {
    load(control, object, program, parameters);
    control.mount().text(&format!("user/{program}"))
}

fn load(control: &Control, object: &Path, program: &str, parameters: &str) {
    let object = object.display();
    let told = control.command(&format!("load {program} {object} {program} {parameters}\n"));
    assert_eq!(told, format!("loaded user/{program}\n"));
}

#[test]
fn text_passes_through_and_is_the_only_format() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let object = workshop.compile("word", "w", &["WORD=\"a\\tb  c \\\\ \""]);
    control.command(&format!("load some-word_1 {}", object.display()));
    let mount = control.mount();
    assert_eq!(mount.text("user/some-word_1"), "a\tb  c \\ \n");
    let names: Vec<_> = fs::read_dir(mount.path("user")).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    for other in ["json", "jsonl", "csv"] {
        assert!(!mount.path(&format!("user/some-word_1.{other}")).exists());
    }
    control.command("unload some-word_1");
    assert_eq!(fs::read_dir(mount.path("user")).unwrap().count(), 0);
    let error = File::open(mount.path("user/some-word_1")).unwrap_err();
    assert_eq!(errno_of(&error), libc::ENOENT);
}

#[test]
fn a_column_on_request_is_shown_to_who_asks_for_it() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let object = workshop.compile("rows", "requested", &["SIZE=ON_REQUEST"]);
    load(&control, &object, "sample", "");
    let json = |name: &str| -> Value {
        serde_json::from_slice(&control.mount().read(&format!("user/{name}.json"))).unwrap()
    };
    let plain = json("sample");
    assert_eq!(plain[0]["word"], "a word");
    assert!(plain[0].get("size").is_none(), "{plain}");
    let mut asked = json("sample@+size");
    assert_eq!(asked[0]["size"], 4096);
    asked[0].as_object_mut().unwrap().remove("size");
    assert_eq!(asked, plain);
    assert_eq!(json("sample@size=4K,word"), json!([{"word": "a word"}]));
    assert_eq!(json("sample@size!=4K"), json!([]));
}

#[test]
fn a_program_with_a_row_struct_has_all_formats() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let object = workshop.compile("rows", "rows", &[]);
    load(&control, &object, "sample", "");
    let mount = control.mount();
    let expected = json!({
        "number": 42, "negative": -3, "color": "green", "letters": ["a", "b"],
        "size": 4096, "mask": "0x1f", "none": null, "word": "a word", "path": "/x y\n",
    });
    let array: Value = serde_json::from_slice(&mount.read("user/sample.json")).unwrap();
    assert_eq!(array, json!([expected]));
    let line: Value = serde_json::from_slice(&mount.read("user/sample.jsonl")).unwrap();
    assert_eq!(line, expected);
    let text = mount.text("user/sample");
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    let header = "number negative color letters size mask none word path";
    assert_eq!(lines[0], header.split(' ').collect::<Vec<_>>());
    let row = "42 -3 green a|b 4096 0x1f - a\\040word /x\\040y\\012";
    assert_eq!(lines[1..], [row.split(' ').collect::<Vec<_>>()]);
    let csv = mount.text("user/sample.csv");
    let mut csv = csv::Reader::from_reader(csv.as_bytes());
    let record = csv.records().next().unwrap().unwrap();
    let fields: Vec<_> = record.iter().collect();
    assert_eq!(fields[..3], ["42", "-3", "green"]);
    assert_eq!(fields[6..], ["", "a word", "/x y\n"]);
}

/// `ABSENT` where no value can mean it is refused, not ignored.
#[test]
fn absent_on_a_type_that_cannot_be_absent_is_refused() {
    let (control, workshop) = (Control::new(), Workshop::new());
    for (name, member, expected) in [
        ("text", "char column[8]", "column cannot have ABSENT(0)"),
        ("inet", "inet_t column", "column cannot have ABSENT(0)"),
        ("part", "struct part column", "column cannot have ABSENT(0)"),
        (
            "tail",
            "tail_length_t column",
            "column cannot have ABSENT(0)",
        ),
    ] {
        let define = format!("COLUMN={member} ABSENT(0)");
        let object = workshop.compile("absent", name, &[&define]);
        let command = format!("load x {}", object.display());
        let told = control.refused(&command, libc::ENOEXEC);
        assert!(told.contains(expected), "{member}: {told}");
    }
    for (name, value, expected) in [
        (
            "large",
            "300",
            "ABSENT(300) of column does not fit into 8 bits",
        ),
        (
            "word",
            "NONE",
            "ABSENT(NONE) of column is not a decimal number",
        ),
    ] {
        let define = format!("COLUMN=__u8 column ABSENT({value})");
        let object = workshop.compile("absent", name, &[&define]);
        let command = format!("load x {}", object.display());
        let told = control.refused(&command, libc::ENOEXEC);
        assert!(told.contains(expected), "{value}: {told}");
    }
    let object = workshop.compile("absent", "good", &["COLUMN=__u8 column ABSENT(-1)"]);
    control.command(&format!("load good {}", object.display()));
    let rows: Value = serde_json::from_slice(&control.mount().read("user/good.json")).unwrap();
    assert_eq!(rows, json!([{"column": null}]));
}

/// One object with several programs, a sleepable one, a map and globals.
#[test]
fn programs_of_one_object_share_its_maps_and_globals() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let object = workshop.compile("tasks", "tasks", &[]);
    let own = std::process::id();
    let parameters = match needs_narrowed_tasks() {
        true => format!("tid={own}"),
        false => String::new(),
    };
    load(&control, &object, "thread_ids", &parameters);
    for pass in 0..3 {
        // The map counts visits; the global, the passes that are over.
        let text = control.mount().text("user/thread_ids");
        let line = format!("{own} {own} {} {pass}\n", pass + 1);
        match parameters.as_str() {
            "" => assert!(text.contains(&format!("\n{line}")), "{line}: {text}"),
            _ => assert_eq!(text, line),
        }
    }
    let told = control.refused(&format!("load x {}", object.display()), libc::ENOEXEC);
    assert!(told.contains("thread_ids, descriptors, cgroups"), "{told}");
    let command = format!("load x {} nothing", object.display());
    let told = control.refused(&command, libc::ENOENT);
    assert!(told.contains("no program 'nothing'"), "{told}");
    // Only programs with valid names are offered.
    let odd = workshop.compile("odd", "odd", &[]);
    let told = control.refused(&format!("load x {}", odd.display()), libc::ENOEXEC);
    assert!(told.contains("name one of huge, "), "{told}");
    assert!(!told.contains("no_iterator"), "{told}");
    let command = format!("load x {} no_iterator", odd.display());
    let told = control.refused(&command, libc::ENOEXEC);
    assert!(
        told.contains("no_iterator is not an iterator program"),
        "{told}"
    );
    let command = format!("load x {} nothing", odd.display());
    let told = control.refused(&command, libc::ENOENT);
    assert!(!told.contains("no_iterator"), "{told}");
}

/// The message names the parameter that the target needs, with an example that works.
#[test]
fn a_missing_parameter_is_named() {
    let (control, workshop) = with_bpffs();
    let numbers = workshop.compile("numbers", "numbers", &[]);
    let storage = workshop.compile("storage", "storage", &[]);
    let tasks = workshop.compile("tasks", "tasks", &[]);
    let mut cases = vec![
        (&numbers, "elements", "map=ID"),
        (&numbers, "", "map=ID"),
        (&storage, "show", "map=ID"),
    ];
    let walks_cgroups = needs_table(control.mount(), "cgroup/cgroup.self");
    if walks_cgroups {
        cases.push((&tasks, "cgroups", "cgroup=PATH"));
    }
    for (object, program, needed) in cases {
        let command = format!("load x {} {program}", object.display());
        let told = control.refused(&command, libc::EINVAL);
        assert!(told.contains(needed), "{told}");
        let example = format!("for example: load NAME {} {program}", object.display());
        assert!(told.contains(example.trim_end()), "{told}");
    }
    let numbers = numbers.display();
    let told = control.refused(&format!("load x {numbers} map=4294967295"), libc::ENOENT);
    assert!(told.contains("no BPF map 4294967295"), "{told}");
    let command = format!("load x {} cgroups cgroup=/no/such", tasks.display());
    let told = control.refused(&command, libc::ENOENT);
    assert!(told.contains("no cgroup /no/such"), "{told}");
    if !walks_cgroups {
        let command = format!("load x {} cgroups", tasks.display());
        let told = control.refused(&command, libc::ENOENT);
        assert!(told.contains("no iterator for cgroup;"), "{told}");
    }
    assert_eq!(
        fs::read_dir(control.mount().path("user")).unwrap().count(),
        0
    );
}

#[test]
fn a_walk_is_narrowed_by_what_the_line_says() {
    let (control, workshop) = with_bpffs();
    let object = workshop.compile("tasks", "tasks", &[]);
    let workload = Workload::start("threads", &[]);
    let threads = proc::numbers(&proc::process(workload.pid()).join("task"));
    let narrowed = [
        ("process", format!("pid={}", workload.pid()), threads),
        (
            "thread",
            format!("tid={}", workload.pid()),
            vec![workload.pid()],
        ),
    ];
    let narrows = needs_narrowed_tasks();
    for (what, parameter, expected) in narrowed {
        if !narrows {
            // The kernel would ignore the parameter, or misunderstand it.
            let command = format!("load x {} thread_ids {parameter}", object.display());
            let told = control.refused(&command, libc::EOPNOTSUPP);
            assert!(
                told.contains(&format!("cannot narrow a walk to a {what};")),
                "{told}"
            );
            continue;
        }
        let text = loaded(&control, &object, "thread_ids", &parameter);
        let tids = text.lines().map(|line| line.split(' ').nth(1).unwrap());
        let mut shown: Vec<u32> = tids.map(|tid| tid.parse().unwrap()).collect();
        shown.sort_unstable();
        assert_eq!(shown, expected, "{parameter}");
        control.command("unload thread_ids");
    }

    let group = Cgroup::new();
    let id = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
    let outer = group.path().parent().unwrap();
    let below_root = outer.strip_prefix(proc::cgroup_root()).unwrap();
    let below_root = below_root.display();
    let expected = [
        ("self", vec![id(outer)]),
        ("descendants", vec![id(outer), id(group.path())]),
        ("ancestors", vec![id(outer), id(&proc::cgroup_root())]),
    ];
    let walks_cgroups = needs_table(control.mount(), "cgroup/cgroup.self");
    for (order, ids) in expected {
        if !walks_cgroups {
            break;
        }
        let parameters = format!("cgroup=/{below_root} order={order}");
        let text = loaded(&control, &object, "cgroups", &parameters);
        let ids: String = ids.iter().map(|id| format!("{id}\n")).collect();
        assert_eq!(text, ids, "{order}");
        control.command("unload cgroups");
    }
    let no_group = format!("load x {} cgroups cgroup=/no/such", object.display());
    control.refused(&no_group, libc::ENOENT);
    let no_map = format!("load x {} cgroups map=4294967295", object.display());
    control.refused(&no_map, libc::ENOENT);
    // Values that the kernel would misunderstand or ignore.
    let ports = workshop.compile("ports", "ports", &[]);
    let (tasks, ports) = (object.display(), ports.display());
    let map = "array key 4 value 8 entries 1";
    let map = control.pins().map("narrowing", map, &[]);
    let mut cases = vec![
        (
            format!("{ports} ports pid=1"),
            "tcp cannot be narrowed to a process",
        ),
        (
            format!("{tasks} thread_ids map={map}"),
            "task cannot be narrowed to a map",
        ),
        (
            format!("{tasks} descriptors cgroup=/"),
            "task_file cannot be narrowed to a cgroup",
        ),
    ];
    if walks_cgroups {
        cases.push((
            format!("{tasks} cgroups tid=1"),
            "cgroup cannot be narrowed to a thread",
        ));
        // The target needs a place to begin.
        control.refused(&format!("load x {tasks} cgroups"), libc::EINVAL);
    }
    for (program, narrowed) in cases {
        let told = control.refused(&format!("load x {program}"), libc::EINVAL);
        assert!(told.contains(narrowed), "{told}");
    }
}

/// The kernel visits a descriptor table that threads share once.
#[test]
fn a_shared_table_of_files_is_visited_once() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let object = workshop.compile("tasks", "tasks", &[]);
    let workload = Workload::start("tables", &[]);
    let pid = workload.pid();
    let parameters = match needs_narrowed_tasks() {
        true => format!("pid={pid}"),
        false => String::new(),
    };
    let text = loaded(&control, &object, "descriptors", &parameters);
    let of = |tid: u32| -> Vec<u32> {
        let own = format!("{pid} {tid} ");
        let lines = text.lines().filter_map(|line| line.strip_prefix(&own));
        lines.map(|fd| fd.parse().unwrap()).collect()
    };
    let open = |tid: u32| proc::numbers(&proc::thread(pid, tid).join("fd"));
    assert_eq!(of(pid), open(pid));
    assert_eq!(
        of(workload.number("unshared")),
        open(workload.number("unshared"))
    );
    let shared = of(workload.number("shared"));
    assert!(shared.is_empty(), "the leader's were shown: {shared:?}");
}

fn with_bpffs() -> (Control, Workshop) {
    (Control::with_pins(Pins::mounted(), ""), Workshop::new())
}

#[test]
fn a_user_program_sums_over_a_maps_elements() {
    let (control, workshop) = with_bpffs();
    let object = workshop.compile("numbers", "numbers", &[]);
    let entries: Vec<_> = [3, 5, 70_000].map(|n| (n, u64::from(n) * 10)).into();
    let map = control
        .pins()
        .map("sum_hash", "hash key 4 value 8 entries 9", &entries);
    let text = loaded(&control, &object, "elements", &format!("map={}", map));
    let mut lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.pop(), Some("sum 700080"));
    let pairs: BTreeSet<_> = lines
        .iter()
        .map(|line| line.split_once(' ').unwrap().1)
        .collect();
    assert_eq!(pairs, BTreeSet::from(["3 30", "5 50", "70000 700000"]));
    control.command("unload elements");

    let entries: Vec<_> = [0, 2].map(|n| (n, u64::from(n) + 1)).into();
    let map = control
        .pins()
        .map("sum_array", "array key 4 value 8 entries 3", &entries);
    let text = loaded(&control, &object, "elements", &format!("map={}", map));
    assert_eq!(text, "0 0 1\n1 1 0\n2 2 3\nsum 4\n");
    control.command("unload elements");

    let possible = fs::read_to_string("/sys/devices/system/cpu/possible").unwrap();
    let last: u32 = possible
        .trim()
        .rsplit(['-', ','])
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let cpus = last + 1;
    // Guests of `make test-kernels` have one or 64 possible processors, and no clang.
    for others in [1, 64] {
        workshop.compile("numbers", "others", &[&format!("CPUS={others}")]);
    }
    let object = workshop.compile("numbers", "percpu", &[&format!("CPUS={cpus}")]);
    // bpftool gives every cpu the value.
    let entries = [(0, 100), (1, 1)];
    let what = "percpu_array key 4 value 8 entries 2";
    let map = control.pins().map("sum_percpu", what, &entries);
    let text = loaded(&control, &object, "elements", &format!("map={}", map));
    let (a, b) = (100 * cpus, cpus);
    assert_eq!(text, format!("0 0 {a}\n1 1 {b}\nsum {}\n", a + b));
    // A map whose values have another size than the program reads.
    let map = control
        .pins()
        .map("narrow", "array key 4 value 4 entries 1", &[]);
    let command = format!("load x {} elements map={}", object.display(), map);
    control.refused(&command, libc::EACCES);
}

/// Sequence numbers go on where the kernel's buffer was full, and the bytes are the same
/// for reads of any size.
#[test]
fn sequence_numbers_and_bytes_do_not_depend_on_the_reads() {
    let (control, workshop) = with_bpffs();
    let object = workshop.compile("numbers", "numbers", &[]);
    let map = control
        .pins()
        .map("many", "array key 4 value 8 entries 20000", &[]);
    let text = loaded(&control, &object, "elements", &format!("map={}", map));
    assert!(text.len() > 4 * 32 * 1024);
    let expected: String = (0..20_000).map(|n| format!("{n} {n} 0\n")).collect();
    assert!(text == expected + "sum 0\n", "a number is missing or twice");

    let mut one_by_one = Vec::new();
    let mut file = File::open(control.mount().path("user/elements")).unwrap();
    let mut byte = [0];
    while file.read(&mut byte).unwrap() == 1 {
        one_by_one.push(byte[0]);
    }
    assert!(one_by_one == text.as_bytes(), "read byte by byte");
}

#[test]
fn an_object_of_more_than_the_buffer_is_e2big() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let object = workshop.compile("odd", "odd", &[]);
    let read = |program: &str| {
        load(&control, &object, program, "");
        let mut file = File::open(control.mount().path(&format!("user/{program}"))).unwrap();
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            match file.read(&mut chunk) {
                Ok(0) => unreachable!("{program} ends"),
                Ok(read) => bytes.extend_from_slice(&chunk[..read]),
                Err(error) => return (errno_of(&error), bytes),
            }
        }
    };
    assert_eq!(read("huge"), (libc::E2BIG, Vec::new()));
    assert_eq!(read("huge_later"), (libc::E2BIG, b"0\n1\n".to_vec()));
    let line = control.line("user/huge");
    assert_eq!(line["error"], "E2BIG", "{line}");
    assert!(control.report().contains("# user/huge: "));
}

#[test]
fn an_object_is_visited_again_where_the_program_asks() {
    if !needs_narrowed_tasks() {
        return;
    }
    let (control, workshop) = (Control::new(), Workshop::new());
    let object = workshop.compile("odd", "odd", &[]);
    let own = format!("tid={}", std::process::id());
    let again = loaded(&control, &object, "again", &own);
    let once = loaded(&control, &object, "once", &own);
    assert_eq!(once, format!("0 {}\n", std::process::id()));
    assert_eq!(again, format!("0 {} 3\n", std::process::id()));
}

#[test]
fn a_pass_that_makes_no_progress_fails() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let object = workshop.compile("odd", "odd", &[]);
    load(&control, &object, "for_ever", "");
    let error = fs::read(control.mount().path("user/for_ever")).unwrap_err();
    assert_eq!(errno_of(&error), libc::ELOOP);
    assert!(control.report().contains("makes no progress"));
}

/// Passes over the map read and remove what a program stores with sockets.
#[test]
fn storage_of_sockets_is_read_and_removed_by_user_programs() {
    let why = "no program over files reaches the storage of their sockets";
    if !needs_function("bpf_sock_from_file", why)
        || !needs_narrowed_tasks()
        || !needs_storage_by_programs()
    {
        return;
    }
    let (control, workshop) = (Control::new(), Workshop::new());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    use std::os::fd::AsRawFd;
    let expected = |text: &str| {
        for fd in [listener.as_raw_fd(), socket.as_raw_fd()] {
            assert!(
                text.lines().any(|line| line == format!("{}", 1000 + fd)),
                "{text}"
            );
        }
    };
    let object = workshop.compile("storage", "storage", &[]);
    let own = format!("pid={}", std::process::id());
    expected(&loaded(&control, &object, "keep", &own));
    let parameter = format!("map={}", control.map("kept"));
    expected(&loaded(&control, &object, "show", &parameter));
    assert_eq!(loaded(&control, &object, "forget", &parameter), "");
    assert_eq!(control.mount().text("user/show"), "");
}

#[test]
fn objects_that_bpftool_links_are_taken() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let word = workshop.word("linked");
    let ports = workshop.compile("ports", "ports", &[]);
    let both = workshop.path("both.o");
    let (at, word, ports) = (both.display(), word.display(), ports.display());
    run(&format!("bpftool gen object {at} {word} {ports}"));
    assert_eq!(loaded(&control, &both, "say", ""), "linked\n");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let text = loaded(&control, &both, "ports", "");
    assert!(
        text.lines()
            .any(|line| line.starts_with(&format!("{port} "))),
        "{text}"
    );
}

/// A table over a net target shows the reader's namespace; any other, the host.
#[test]
fn a_user_table_shows_its_target_as_its_own_table_would() {
    let (control, workshop) = (Control::new(), Workshop::new());
    let ports = workshop.compile("ports", "ports", &[]);
    load(&control, &ports, "ports", "");
    control.command(&format!("load word {}", workshop.word("word").display()));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let line = |text: &str| {
        text.lines()
            .any(|line| line.starts_with(&format!("{port} ")))
    };
    assert!(line(&control.mount().text("user/ports")));

    let apart = [
        "unshare",
        "--net",
        "--pid",
        "--fork",
        "--mount-proc",
        "--kill-child",
    ];
    let mut reader = Workload::under(&apart, "idle");
    let mount: &Mount = control.mount();
    assert_eq!(reader.read(&mount.path("user/ports")), "");
    assert_eq!(reader.list(&mount.path("user")), ["ports"]);
    for hidden in ["user/word", "ctl", "ctl.json"] {
        let answer = reader.ask("open", &mount.path(hidden));
        assert_eq!(answer["errno"], libc::ENOENT, "{hidden}");
    }
    let listed = reader.list(mount.directory());
    assert!(
        !listed.iter().any(|name| name.starts_with("ctl")),
        "{listed:?}"
    );
}
