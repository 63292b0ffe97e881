//! The shipped scenarios answer as they say, and the pictures can be drawn.

use nsproxy::scenario::Scenario;

macro_rules! scenarios {
    ($($name:ident = $file:literal;)*) => {
        $(#[test]
        fn $name() {
            let script = include_str!(concat!("../scenarios/", $file, ".ns"));
            let run = Scenario::run(script).unwrap();
            assert!(run.failures().is_empty(), "{}", run.transcript());
            assert_eq!(run.kernel().check(), Ok(()));
            for picture in run.steps().iter().filter_map(|step| step.picture.as_ref()) {
                assert!(picture.text().contains("nsproxy"));
                assert!(picture.dot().starts_with("digraph"));
                assert!(picture.svg().ends_with("</svg>\n"));
                assert!(picture.json().starts_with("{\"tasks\":[{\"name\":\"init\""));
            }
        })*
    };
}

scenarios! {
    clone_and_unshare = "clone-and-unshare";
    six_kinds = "six-kinds";
    two_newer_kinds = "two-newer-kinds";
    enter = "enter";
    copy_pid_ns_einval = "copy-pid-ns-einval";
    eperm_and_its_cure = "eperm-and-its-cure";
    death_of_a_pid_namespace = "death-of-a-pid-namespace";
    a_map_that_is_refused = "a-map-that-is-refused";
    limits = "limits";
}

#[test]
fn a_picture_shows_what_is_shared() {
    let run = Scenario::run("init: fork -> sh\nsh: clone uts -> box\nshow\n").unwrap();
    let text = run.picture().text();
    let expected = "\
task  pid  nsproxy  user    pid ns
init  1    A        user 0  pid 0
sh    2    A        user 0  pid 0
box   3    B        user 0  pid 0

nsproxy  net    uts    ipc    pid_for_children  mnt    cgroup    time    time_for_children
A        net 0  uts 0  ipc 0  pid 0             mnt 0  cgroup 0  time 0  time 0
B        net 0  uts 1  ipc 0  pid 0             mnt 0  cgroup 0  time 0  time 0
";
    assert_eq!(text, expected);
}

#[test]
fn a_bad_line_says_where_it_is() {
    let error = Scenario::run("init: fork -> sh\nnobody: fork\n").unwrap_err();
    assert_eq!(error.to_string(), "line 2: no task is called nobody");
    assert!(Scenario::run("init: frobnicate").is_err());
    assert!(Scenario::run("init: fork => EWHAT").is_err());
    assert!(Scenario::run("release x").is_err());
}
