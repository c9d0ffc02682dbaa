//! Completion of names that ask, in the shells themselves.

use iterfs_tests::Mount;
use iterfs_tests::fixtures::programs;
use iterfs_tests::fixtures::terminal::Terminal;
use iterfs_tests::fixtures::users::User;
use iterfs_tests::mount::installed::finish;
use std::path::Path;
use std::process::Command;

/// A shell that finds the built iterfs.
fn shell(name: &str) -> Command {
    let mut command = Command::new(name);
    let path = std::env::var("PATH").unwrap();
    let directory = programs::iterfs().parent().unwrap().display().to_string();
    command.env("PATH", format!("{directory}:{path}"));
    command.env("HOME", "/nonexistent").env("TERM", "xterm");
    command
}

/// The words that bash would put in place of the last part of a line.
fn in_bash(function: &str, line: &str, directory: &Path) -> Vec<String> {
    // As bash breaks a line into words, with the breaks as words of their own.
    let script = format!(
        "source <(iterfs completions bash); \
         COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; \
         COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
         {function} iterfs; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let outcome = finish(shell("bash").args(["-c", &script]).current_dir(directory));
    assert_eq!((outcome.code, &*outcome.complaint), (Some(0), ""), "{line}");
    outcome.output.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_columns_values_and_tables() {
    let mount = Mount::new();
    let root = Path::new("/");
    let offered = |line: &str| in_bash("_iterfs_or_names", line, root);
    // Bash replaces what follows the last `=` or `:`, or the last part from its `@` on.
    assert_eq!(offered("iterfs explain net/tcp@sta"), ["@state"]);
    assert_eq!(offered("iterfs top net/tcp@state=li"), ["LISTEN"]);
    assert_eq!(offered("iterfs top processes@pid,top=9:vs"), ["vsize"]);
    assert_eq!(
        offered("iterfs columns summary/tasks"),
        ["summary/tasks_by_state"]
    );
    let path = mount.path("net/udp");
    let below = format!("iterfs explain {}@local_p", path.display());
    assert_eq!(offered(&below), ["@local_port"]);
    // The completions of clap stay.
    let commands = offered("iterfs exp");
    assert!(commands.contains(&"explain".to_owned()), "{commands:?}");
    // Other commands get terms below a mount alone.
    let others = |line: &str, directory: &Path| in_bash("_iterfs_names", line, directory);
    let net = mount.path("net");
    assert_eq!(others("cat tcp@state=CLOSE_", &net), ["CLOSE_WAIT"]);
    assert_eq!(others("cat tcp@state=CLOSE_", root), [""]);
    assert_eq!(others("cat tc", &net), [""]);
}

/// The words that `iterfs complete` prints for a user without any rights.
#[test]
fn anybody_completes_built_in_tables() {
    let mut command = User::fresh().command(programs::iterfs());
    let outcome = finish(
        command
            .args(["complete", "net/tcp@state=est"])
            .current_dir("/"),
    );
    assert_eq!(outcome.output, "net/tcp@state=ESTAB\n", "{outcome:?}");
    let outcome = finish(shell("iterfs").args(["complete", "net/tcp@nothing="]));
    assert_eq!(
        (outcome.code, &*outcome.output),
        (Some(0), ""),
        "{outcome:?}"
    );
}

#[test]
fn fish_completes_names() {
    let mount = Mount::new();
    let offered = |line: &str| {
        let script = format!("iterfs completions fish | source; complete -C '{line}'");
        let outcome = finish(shell("fish").args(["--no-config", "-c", &script]));
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        outcome.output
    };
    let words = offered("iterfs explain net/tcp@state=LIS");
    assert!(words.contains("net/tcp@state=LISTEN"), "{words}");
    let words = offered(&format!(
        "iterfs top {}@con",
        mount.path("net/tcp").display()
    ));
    let expected = format!(
        "{}@congestion\tcongestion control",
        mount.path("net/tcp").display()
    );
    assert!(words.contains(&expected), "{words}");
}

/// Presses the keys of a command whose argument is completed, and waits for what it prints.
fn completed(shell: &mut Terminal, word: &str, whole: &str) {
    shell.press(&format!("printf 'got:%s\\n' {word}\t\n"));
    shell.next(&format!("got:{whole}"));
}

/// On a terminal, with the snippet of docs/ASKING.md, for a command that reads files.
#[test]
fn bash_completes_on_a_terminal() {
    let mount = Mount::new();
    let mut command = shell("bash");
    command
        .args(["--noprofile", "--norc", "-i"])
        .current_dir("/");
    let mut bash = Terminal::start(command, 200, 24);
    bash.press(
        "source <(iterfs completions bash); \
         complete -o bashdefault -o default -F _iterfs_names printf; echo set-''up\n",
    );
    bash.next("set-up");
    let table = mount.path("net/tcp").display().to_string();
    let whole = format!("{table}@uid=0,state=LISTEN");
    completed(&mut bash, &format!("{table}@uid=0,state=lis"), &whole);
    completed(
        &mut bash,
        &format!("{table}@con"),
        &format!("{table}@congestion"),
    );
    // Files are completed as before.
    completed(&mut bash, "/etc/passw", "/etc/passwd");
    bash.press("exit\n");
    assert!(bash.ended().success());
}

#[test]
fn zsh_completes_on_a_terminal() {
    let mount = Mount::new();
    let directory = tempfile::tempdir().unwrap();
    let functions = directory.path().join("_iterfs");
    let script = finish(Command::new(programs::iterfs()).args(["completions", "zsh"]));
    std::fs::write(&functions, script.output).unwrap();
    let mut command = shell("zsh");
    command.args(["--no-rcs", "--interactive"]).current_dir("/");
    let mut zsh = Terminal::start(command, 200, 24);
    zsh.press(&format!(
        "fpath=({} $fpath); autoload -Uz compinit; compinit -u -D; \
         source <(iterfs completions zsh); compdef _iterfs_names printf; echo set-''up\n",
        directory.path().display()
    ));
    zsh.next("set-up");
    let table = mount.path("net/tcp").display().to_string();
    let whole = format!("{table}@state=LISTEN");
    completed(&mut zsh, &format!("{table}@state=lis"), &whole);
    completed(&mut zsh, "/etc/passw", "/etc/passwd");
    zsh.press("iterfs explain net/tcp@retransmitt\t");
    zsh.next("net/tcp@retransmitt");
    zsh.press("\x15exit\n");
    assert!(zsh.ended().success());
}
