//! What is generated from the definition of the command line.

mod common;

use common::{run, succeed};

const COMMANDS: [&str; 9] = ["run", "enter", "ls", "show", "pin", "unpin", "sim", "completions", "man"];

#[test]
fn completions_know_every_subcommand() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = succeed(&["completions", shell]);
        for command in COMMANDS {
            assert!(script.contains(command), "{command} for {shell}");
        }
    }
    let bash = succeed(&["completions", "bash"]);
    assert!(bash.contains("--boottime"));
}

#[test]
fn completions_know_every_option_of_the_drop_ins() {
    let options = [("unshare", "--map-users"), ("nsenter", "--follow-context"), ("lsns", "--list-columns")];
    for (program, option) in options {
        for shell in ["bash", "zsh", "fish"] {
            let script = succeed(&["completions", shell, program]);
            let long = if shell == "fish" { option.trim_start_matches('-') } else { option };
            assert!(script.contains(long), "{option} for {shell}");
        }
    }
    let lsns = succeed(&["completions", "bash", "lsns"]);
    assert!(lsns.contains("NETNSID") && lsns.contains("cgroup"), "{lsns}");
    let done = run(&["completions", "bash", "ls"]);
    assert_eq!(done.code, Some(1));
    assert!(done.stderr.contains("known are ns, unshare, nsenter, lsns"), "{}", done.stderr);
}

#[test]
fn bash_takes_the_completions() {
    for program in ["ns", "unshare", "nsenter", "lsns"] {
        let script = succeed(&["completions", "bash", program]);
        let line = format!(
            "{script}\nCOMP_WORDS=({program} --li); COMP_CWORD=1; _{program} {program} --li {program}; echo \"${{COMPREPLY[@]}}\""
        );
        let output = std::process::Command::new("bash").args(["-c", &line]).output().unwrap();
        let words = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        if program == "lsns" {
            assert_eq!(words.trim(), "--list --list-columns");
        }
    }
}

/// What bash offers for the last of these words.
fn offered(words: &str) -> Vec<String> {
    let program = words.split(' ').next().unwrap();
    let script = succeed(&["completions", "bash", program]);
    let line = format!(
        "{script}\nset -- {words}; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); last=${{@: -1}}; \
         [[ $last == = ]] && last=; _{program} {program} \"$last\"; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let output = std::process::Command::new("bash").args(["-c", &line]).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn bash_completes_what_each_place_takes() {
    for (words, expected) in [
        ("unshare --propagation = sh", &["shared"][..]),
        ("unshare --propagation =", &["private", "shared", "slave", "unchanged"]),
        ("unshare --propagation sl", &["slave"]),
        ("unshare -r --kee", &["--keep-caps"]),
        ("unshare -r true --kee", &[]),
        ("unshare -- true --kee", &[]),
        ("unshare --kill-child = SIGK", &["SIGKILL"]),
        ("nsenter -t 1 -n --no", &["--no-fork"]),
        ("nsenter -FS f", &["follow"]),
        ("nsenter -S f", &["follow"]),
        ("lsns -o NS,T", &["NS,TYPE"]),
        ("lsns -o +NET", &["+NETNSID"]),
        ("lsns -nt u", &["user", "uts"]),
    ] {
        assert_eq!(offered(words), expected, "{words}");
    }
    // A program, also behind an option whose argument is only taken glued.
    for words in ["unshare -r bas", "unshare -n bas", "unshare --mount bas", "nsenter -t 1 -m bas"] {
        assert!(offered(words).contains(&"bash".to_owned()), "{words}");
    }
    for words in ["unshare --map-users 0 : 1 : 2 bas", "unshare --kill-child bas", "unshare -- bas"] {
        assert!(offered(words).contains(&"bash".to_owned()), "{words}");
    }
    let me = std::process::id().to_string();
    for words in ["nsenter -t", "lsns -p", "nsenter --target ="] {
        assert!(offered(&format!("{words} {me}")).contains(&me), "{words}");
    }
}

#[test]
fn every_drop_in_has_a_man_page() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("share/man1");
    succeed(&["man", dir.to_str().unwrap()]);
    for (program, word) in
        [("unshare", "PROGRAM [ARGUMENT...]"), ("nsenter", "PROGRAM [ARGUMENT...]"), ("lsns", "NAMESPACE")]
    {
        let page = std::fs::read_to_string(dir.join(format!("{program}.1"))).unwrap();
        assert!(page.contains(word) && page.contains("\\-\\-help"), "{program}");
        for section in ["\"EXIT STATUS\"", "ENVIRONMENT", "\"SEE ALSO\""] {
            assert_eq!(page.matches(&format!("\n.SH {section}\n")).count(), 1, "{section} of {program}");
        }
    }
}

#[test]
fn every_subcommand_has_a_man_page() {
    let dir = tempfile::tempdir().unwrap();
    succeed(&["man", dir.path().to_str().unwrap()]);
    for command in COMMANDS {
        let page = std::fs::read_to_string(dir.path().join(format!("ns-{command}.1"))).unwrap();
        assert!(page.contains(".TH"), "{command}");
    }
    assert!(dir.path().join("ns.1").exists());
}

#[test]
fn help_and_version_go_to_standard_output() {
    for words in [&["--help"][..], &["run", "--help"], &["enter", "-h"], &["help", "ls"]] {
        let done = run(words);
        assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{words:?}");
        assert!(done.stdout.contains("Usage: ns"), "{}", done.stdout);
        for line in done.stdout.lines() {
            assert!(line.chars().count() <= 100, "too long for a screen: {line}");
        }
    }
    for program in ["unshare", "nsenter", "lsns"] {
        assert!(succeed(&["--help"]).contains(program), "{program} is listed");
        assert_eq!(succeed(&["help", program]), succeed(&[program, "--help"]));
    }
    assert!(succeed(&["--version"]).starts_with("ns "));
}

#[test]
fn usage_errors_have_a_status_of_their_own() {
    assert_eq!(run(&["no-such-command"]).code, Some(2));
    assert_eq!(run(&["ls", "--bogus"]).code, Some(2));
    assert_eq!(run(&["run", "--bogus"]).code, Some(125));
}

#[test]
fn a_full_disk_is_an_error_and_a_gone_reader_is_not() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let done = common::ns(&["run", "--dry-run", "true"]).stdout(full).output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&done.stderr).contains("no space left on device (ENOSPC)"));
    let mut child = common::ns(&["ls"]).stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}
