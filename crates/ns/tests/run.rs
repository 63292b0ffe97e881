//! `ns run`, looked at from outside.

mod common;
#[path = "common/terminal.rs"]
mod terminal;

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Background, child_of, eventually, is_alive, link, ns, outcome, run, succeed};
use testkit::{require, require_namespaces, require_root};

const KINDS: [&str; 8] = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"];

#[test]
fn by_default_everything_is_new_and_the_caller_is_root() {
    require_namespaces!();
    let script =
        "id -u; hostname; readlink /proc/self/ns/*; echo $$; cat /proc/1/comm; ls /proc | grep -c '^[0-9]'";
    let text = succeed(&["run", "--", "sh", "-c", script]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["0", "ns"]);
    for kind in KINDS {
        let mine = link("self", kind);
        let theirs = lines.iter().find(|line| line.starts_with(&format!("{kind}:["))).unwrap();
        assert_ne!(*theirs, mine);
    }
    assert_eq!(lines[lines.len() - 3..lines.len() - 1], ["2", "ns-init"]);
}

#[test]
fn only_and_share_choose_the_kinds() {
    require_namespaces!();
    let changed = |args: &[&str]| -> Vec<&str> {
        let tail = ["--", "readlink"];
        let links: Vec<String> = KINDS.iter().map(|kind| format!("/proc/self/ns/{kind}")).collect();
        let words = [&["run"], args, &tail].concat();
        let words: Vec<&str> = words.into_iter().chain(links.iter().map(String::as_str)).collect();
        let text = succeed(&words);
        KINDS
            .into_iter()
            .zip(text.lines())
            .filter(|(kind, line)| *line != link("self", kind))
            .map(|(kind, _)| kind)
            .collect()
    };
    assert_eq!(changed(&["--only", "user,uts"]), ["user", "uts"]);
    assert_eq!(changed(&["--share", "net,pid,time,cgroup"]), ["ipc", "mnt", "user", "uts"]);
}

#[test]
fn exit_statuses() {
    require_namespaces!();
    for extra in [&[][..], &["--no-init"]] {
        let code = |program: &[&str]| run(&[&["run"], extra, &["--"], program].concat()).code;
        assert_eq!(code(&["true"]), Some(0));
        assert_eq!(code(&["sh", "-c", "exit 77"]), Some(77));
        assert_eq!(code(&["no-such-program"]), Some(127));
        assert_eq!(code(&["/etc/passwd"]), Some(126));
    }
    assert_eq!(run(&["run", "--", "sh", "-c", "kill -KILL $$"]).code, Some(137));
    assert_eq!(run(&["run", "--", "sh", "-c", "kill -TERM $$"]).code, Some(143));
    assert_eq!(run(&["run", "--root", "/no/such/dir", "true"]).code, Some(125));
}

#[test]
fn bad_input_is_refused_before_anything_happens() {
    let cases: [(&[&str], &str); 12] = [
        (&["--bogus"], "unexpected argument '--bogus'"),
        (&["--only", "nets"], "invalid namespace kind \"nets\""),
        (&["--map", "0:0"], "id map: line 1 is \"0:0\""),
        (&["--map", "0:0:5,4:9:1"], "id map: line 2 overlaps line 1"),
        (&["--map", "0:4294967295:1"], "beyond the highest id"),
        (&["--hostname", &"h".repeat(65)], "at most 64 bytes"),
        (&["--boottime", "9223372037"], "at most 9223372036 seconds"),
        (&["--boottime", "soon"], "invalid value 'soon'"),
        (&["--pin", "net"], "want KIND=PATH"),
        (&["--share", "uts", "--hostname", "x"], "it needs a new uts namespace"),
        (&["--only", "user", "--pin", "net=/tmp/x"], "only a namespace that is made new can be pinned here"),
        (&["--propagation", "sideways"], "known are private, slave, shared, unchanged"),
    ];
    for (args, says) in cases {
        let done = run(&[&["run"], args, &["true"]].concat());
        assert_eq!(done.code, Some(125), "{args:?}: {done:?}");
        assert!(done.stderr.contains(says), "{args:?}: {}", done.stderr);
        assert_eq!(done.stdout, "");
    }
    let long: Vec<String> = (0..341).map(|i| format!("{i}:{i}:1")).collect();
    let done = run(&["run", "--map", &long.join(","), "true"]);
    assert!(done.stderr.contains("more than 340 lines"), "{}", done.stderr);
}

#[test]
fn an_error_is_one_line_that_names_step_and_errno() {
    require_namespaces!();
    let done = run(&["run", "--chdir", "/no/such/dir", "true"]);
    assert_eq!(
        done.stderr,
        "ns: changing the directory to /no/such/dir: no such file or directory (ENOENT)\n"
    );
    assert_eq!(done.code, Some(125));
}

#[test]
fn clocks_and_names() {
    require_namespaces!();
    let text = succeed(&[
        "run",
        "--boottime",
        "100000",
        "--monotonic",
        "-3",
        "--hostname",
        "box",
        "--domainname",
        "dom",
        "--",
        "sh",
        "-c",
        "cat /proc/self/timens_offsets /proc/sys/kernel/domainname; hostname",
    ]);
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(words, ["monotonic", "-3", "0", "boottime", "100000", "0", "dom", "box"]);
}

#[test]
fn maps() {
    require_namespaces!();
    let uid = rustix::process::geteuid().as_raw().to_string();
    let map = |args: &[&str]| {
        let text = succeed(&[&["run"], args, &["--", "cat", "/proc/self/uid_map"]].concat());
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(map(&[]), format!("0 {uid} 1"));
    assert_eq!(map(&["--map", "current"]), format!("{uid} {uid} 1"));
    assert_eq!(map(&["--map", &format!("5:{uid}:1")]), format!("5 {uid} 1"));
    assert_eq!(map(&["--map", "none", "--only", "user"]), "");
}

#[test]
fn the_subordinate_ids_of_the_user_are_mapped_by_auto() {
    let user = Command::new("id").arg("-un").output().unwrap().stdout;
    let user = String::from_utf8(user).unwrap();
    let lines = std::fs::read_to_string("/etc/subuid").unwrap_or_default();
    let line = lines.lines().find(|line| line.split(':').next() == Some(user.trim()));
    if line.is_none() && testkit::is_root() {
        // Nobody's else: not the first line of the file.
        let done = run(&["run", "--map", "auto", "true"]);
        assert_eq!(done.stderr.lines().next(), Some("ns: /etc/subuid grants no subordinate ids to root"));
        assert!(
            done.stderr.contains("usermod --add-subuids 100000-165535 --add-subgids 100000-165535 root"),
            "{done:?}"
        );
        return;
    }
    require!(line.is_some(), "no subordinate ids for this user in /etc/subuid");
    let first = line.unwrap().split(':').nth(1).unwrap();
    let text = succeed(&["run", "--map", "auto", "--", "cat", "/proc/self/uid_map", "/proc/self/setgroups"]);
    let words: Vec<&str> = text.split_whitespace().collect();
    assert_eq!(words[3..5], ["1", first]);
    assert_eq!(words.last(), Some(&"allow"));
}

#[test]
fn dry_run_prints_the_plan_and_does_nothing() {
    let text = succeed(&["run", "--dry-run", "--pin", "net=/no/such/dir/net", "--", "no-such-program"]);
    assert!(text.starts_with("caller   clone3(CLONE_NEWCGROUP|"), "{text}");
    assert!(text.contains("prctl(PR_SET_PDEATHSIG, 9)"));
    assert!(text.lines().last().unwrap().starts_with("program  execve("));
    let json: serde_json::Value =
        serde_json::from_str(&succeed(&["run", "--dry-run", "--json", "true"])).unwrap();
    assert_eq!(json["steps"][0]["actor"], "caller");
    assert_eq!(json["steps"].as_array().unwrap().len(), text.lines().count() - 1);
}

#[test]
fn the_calls_are_those_of_the_plan_and_the_child_allocates_nothing() {
    require_namespaces!();
    require!(Command::new("strace").arg("-V").output().is_ok(), "strace is not installed");
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-o"]).arg(&log).arg(env!("CARGO_BIN_EXE_ns")).args(["run", "--", "true"]);
    let done = outcome(&mut strace);
    if done.stderr.contains("ptrace") {
        testkit::skip("the_calls_are_those_of_the_plan", "this system forbids ptrace");
        return;
    }
    assert_eq!(done.code, Some(0), "{done:?}");
    let log = std::fs::read_to_string(log).unwrap();
    assert_eq!(log.matches(" clone3(").count(), 1, "{log}");
    // Of each process that clone3 and clone made: what it did before execve.
    let caller = log.split_whitespace().next().unwrap();
    let mut seen_exec = false;
    for line in log.lines().filter(|line| !line.starts_with(caller)) {
        let call = line.split_whitespace().nth(1).unwrap_or_default();
        seen_exec |= call.starts_with("execve(");
        let allocates =
            ["brk(", "mmap(", "munmap(", "mremap(", "mprotect("].iter().any(|name| call.starts_with(name));
        assert!(seen_exec || !allocates, "before execve: {line}");
    }
    assert!(seen_exec);
}

#[test]
fn the_program_sees_three_descriptors() {
    require_namespaces!();
    for extra in [&[][..], &["--no-init"]] {
        let script = "exec 3</dev/zero 9</dev/zero; exec \"$@\"";
        let ls = ["run", "--", "sh", "-c", "echo /proc/self/fd/*"];
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_ns"), "run"]).args(extra).args(&ls[1..]);
        let text = outcome(&mut command).stdout;
        // The shell opens the directory itself, as the fourth.
        assert_eq!(text.trim(), "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3");
    }
}

#[test]
fn standard_streams_that_are_closed_are_no_trouble() {
    require_namespaces!();
    for redirect in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let script = format!("\"$0\" run -- sh -c 'exit 5' {redirect}");
        let status = Command::new("sh").args(["-c", &script, env!("CARGO_BIN_EXE_ns")]).status().unwrap();
        assert_eq!(status.code(), Some(5), "{redirect}");
    }
}

#[test]
fn signals_are_passed_on() {
    require_namespaces!();
    let script = "trap 'echo got; exit 4' TERM; echo ready; while :; do sleep 0.01; done";
    let (mut background, line) = Background::start(&mut ns(&["run", "--", "sh", "-c", script]));
    assert_eq!(line, "ready");
    let pid = rustix::process::Pid::from_raw(background.pid()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(background.child.wait().unwrap().code(), Some(4));
}

#[test]
fn killed_at_any_moment_it_leaves_nothing_running() {
    require_namespaces!();
    for extra in [&[][..], &["--no-init"]] {
        for delay in 0..30 {
            // A length of sleep that no other process on the machine has.
            let mark = format!("{}.{delay}{}", 1000 + std::process::id(), extra.len());
            let mut child = ns(&[&["run"], extra, &["--", "sleep", &mark]].concat()).spawn().unwrap();
            std::thread::sleep(Duration::from_micros(delay * 100));
            child.kill().unwrap();
            child.wait().unwrap();
            eventually("the end of the program", || !command_lines().iter().any(|line| line.contains(&mark)));
        }
    }
}

fn command_lines() -> Vec<String> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .collect()
}

#[test]
fn what_the_program_leaves_running_ends_with_it() {
    require_namespaces!();
    let mark = format!("{}.77", 2000 + std::process::id());
    succeed(&["run", "--", "sh", "-c", &format!("sleep {mark} >/dev/null 2>&1 & true")]);
    eventually("the end of the orphan", || !command_lines().iter().any(|line| line.contains(&mark)));
}

#[test]
fn a_root_directory_hides_the_rest() {
    require_root!();
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    // A static program would do alone; a shell needs its libraries: bind them.
    let script = format!(
        "mkdir -p {0}/proc {0}/bin {0}/usr {0}/lib {0}/lib64 && mount --rbind /bin {0}/bin && mount --rbind /usr {0}/usr \
         && mount --rbind /lib {0}/lib && mount --rbind /lib64 {0}/lib64 && exec \"$0\" run --share user --root {0} -- sh -c \
         'echo /* ; ls /proc/1/comm; pwd; cut -d\" \" -f2 /proc/mounts | grep -c ^/tmp'",
        root.display()
    );
    let done =
        outcome(&mut ns(&["run", "--share", "user", "--", "sh", "-c", &script, env!("CARGO_BIN_EXE_ns")]));
    assert_eq!(done.stdout, "/bin /lib /lib64 /proc /usr\n/proc/1/comm\n/\n0\n", "{}", done.stderr);
}

#[test]
fn input_and_output_pass_through() {
    require_namespaces!();
    let mut child =
        ns(&["run", "--", "tr", "a-z", "A-Z"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"hello").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"HELLO");
}

#[test]
fn a_reader_that_goes_away_ends_the_program() {
    require_namespaces!();
    let mut child = ns(&["run", "--", "yes"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(128 + 13));
}

#[test]
fn without_init_the_program_is_pid_1() {
    require_namespaces!();
    assert_eq!(succeed(&["run", "--no-init", "--", "sh", "-c", "echo $$"]), "1\n");
}

#[test]
fn pid_1_dies_with_the_command() {
    require_namespaces!();
    let (mut background, line) =
        Background::start(&mut ns(&["run", "--", "sh", "-c", "echo on; exec sleep 100"]));
    assert_eq!(line, "on");
    let init = child_of(background.pid());
    background.child.kill().unwrap();
    assert_eq!(background.child.wait().unwrap().signal(), Some(9));
    eventually("the end of init", || !is_alive(init));
}

/// Starts `ns run -- sh -c SCRIPT` as the leader of a session on a terminal.
fn on_terminal(script: &str) -> (std::process::Child, std::fs::File) {
    terminal::on_terminal(&[env!("CARGO_BIN_EXE_ns"), "run", "--", "sh", "-c", script])
}

/// A hangup comes to the leader of the session alone.
#[test]
fn the_hangup_of_the_terminal_ends_the_program() {
    require_namespaces!();
    for extra in [&[][..], &["--no-init"]] {
        let words = [&[env!("CARGO_BIN_EXE_ns"), "run"], extra, &["--", "sh", "-c"]].concat();
        let script = "echo ready; exec sleep 100";
        let (mut child, mut terminal) = terminal::on_terminal(&[&words[..], &[script]].concat());
        std::io::Read::read_exact(&mut terminal, &mut [0; 7]).unwrap();
        drop(terminal);
        let child = std::cell::RefCell::new(&mut child);
        eventually("the end", || child.borrow_mut().try_wait().unwrap().is_some());
        assert_eq!(child.borrow_mut().wait().unwrap().code(), Some(128 + libc::SIGHUP), "{extra:?}");
    }
}

#[test]
fn the_interrupt_key_ends_a_pid_1_without_handlers() {
    require_namespaces!();
    let words =
        [env!("CARGO_BIN_EXE_ns"), "run", "--no-init", "--", "sh", "-c", "echo ready; exec sleep 100"];
    let (mut child, mut terminal) = terminal::on_terminal(&words);
    std::io::Read::read_exact(&mut terminal, &mut [0; 7]).unwrap();
    // A shell handles it.
    let comm = format!("/proc/{}/comm", child_of(child.id().cast_signed()));
    eventually("the program", || std::fs::read_to_string(&comm).is_ok_and(|name| name == "sleep\n"));
    terminal.write_all(b"\x03").unwrap();
    let child = std::cell::RefCell::new(&mut child);
    eventually("the end", || child.borrow_mut().try_wait().unwrap().is_some());
    assert_eq!(child.borrow_mut().wait().unwrap().code(), Some(128 + libc::SIGINT));
}

/// The terminal sends its signals to the whole foreground group: the program
/// gets one of its own, and must not get a second by forwarding.
#[test]
fn the_interrupt_key_reaches_the_program_once() {
    require_namespaces!();
    let script = "n=0; trap 'n=$((n+1))' INT; echo ready; i=0; while [ $i -lt 40 ]; do sleep 0.02; i=$((i+1)); done; echo got $n";
    let (mut child, mut terminal) = on_terminal(script);
    let mut text = String::new();
    let mut sent = false;
    let mut buffer = [0; 256];
    while let Ok(length @ 1..) = std::io::Read::read(&mut terminal, &mut buffer) {
        text.push_str(&String::from_utf8_lossy(&buffer[..length]));
        if text.contains("ready") && !sent {
            terminal.write_all(b"\x03").unwrap();
            sent = true;
        }
        if text.contains("got") && text.ends_with('\n') {
            break;
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(0), "{text}");
    assert!(text.contains("got 1"), "{text}");
}

/// As many daemons start their children.
#[test]
fn an_ignored_sigchld_does_not_hang_it() {
    require_namespaces!();
    for extra in [&[][..], &["--no-init"]] {
        let mut command = Command::new("timeout");
        command.args(["10", "env", "--ignore-signal=CHLD", env!("CARGO_BIN_EXE_ns"), "run"]);
        command.args(extra).args(["--", "sh", "-c", "exit 6"]);
        assert_eq!(outcome(&mut command).code, Some(6), "{extra:?}");
    }
}

/// Init holds the caller's descriptors for a moment while the program runs.
#[test]
fn the_program_can_not_take_a_descriptor_out_of_init() {
    require_namespaces!();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("secret");
    std::fs::write(&path, "secret").unwrap();
    // Opening is what a program does at once with what it finds in /proc/1/fd.
    let script = "exec 7<\"$1\"; exec \"$0\" run -- sh -c 'i=0; while [ $i -lt 200 ]; do cat /proc/1/fd/7 2>/dev/null && exit 9; i=$((i+1)); done; ls /proc/1/fd'";
    for _ in 0..5 {
        let mut command = Command::new("sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_ns")]).arg(&path);
        let done = outcome(&mut command);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert!(!done.stdout.contains('7') && !done.stdout.contains("secret"), "{done:?}");
    }
}

#[test]
fn a_map_without_a_new_user_namespace_is_refused() {
    let done = run(&["run", "--share", "user", "--map", "garbage", "true"]);
    assert_eq!((done.code, done.stderr.as_str()), (Some(125), "ns: --map needs a new user namespace\n"));
}

/// A number in /proc may be another process's where /proc is that of another
/// pid namespace.
#[test]
fn a_map_is_not_written_through_the_proc_of_another_pid_namespace() {
    require_root!();
    let ns = env!("CARGO_BIN_EXE_ns");
    let done = run(&["run", "--share", "user", "--no-proc", "--", ns, "run", "--map", "0:0:1000", "true"]);
    assert_eq!(done.code, Some(125));
    assert!(done.stderr.contains("it shows another pid namespace than the caller's"), "{done:?}");
}

/// The kernel does not stop a process group that nobody could continue.
#[test]
fn the_stop_key_does_not_stop_it_where_no_shell_could_continue_it() {
    require_namespaces!();
    let (mut child, mut terminal) = on_terminal("echo ready; read x; echo got $x");
    let mut text = String::new();
    let mut buffer = [0; 256];
    while let Ok(length @ 1..) = std::io::Read::read(&mut terminal, &mut buffer) {
        let new = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if new.contains("ready") {
            terminal.write_all(b"\x1a").unwrap();
            std::thread::sleep(Duration::from_millis(100));
            terminal.write_all(b"line\n").unwrap();
        }
        text.push_str(&new);
        if text.contains("got line") {
            break;
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(0), "{text}");
}
