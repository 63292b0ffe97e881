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

#[test]
fn a_task_is_asked_what_it_sees() {
    let script = "\
init: fork -> sh
sh: clone uts pid -> box          => ok 3
sh: sees pid box                  => 3
box: sees pid box                 => 1
box: sees pid sh                  => 0
box: sees parent                  => 0
sh: sees same uts box             => no
sh: sees same ipc box             => yes
sh: open box uts -> file
sh: sees fd file uts box          => yes
box: sethostname box
box: sees hostname                => box
box: sees uid_map box             => 0 0 4294967295
box: sees effective               => full
sh: mount tmpfs /mnt
sh: propagation shared /mnt
sh: sees mount /mnt               => shared
sh: sees mount /home              => no
box: exit 3
sh: sees state box                => zombie
sh: wait box                      => ok 0x300
sh: sees state box                => gone
sh: wait                          => ECHILD
";
    let run = Scenario::run(script).unwrap();
    assert!(run.failures().is_empty(), "{}", run.transcript());
    let wrong = Scenario::run("init: sees uid => 1000\ninit: fork => ok 7\n").unwrap();
    assert_eq!(wrong.failures().len(), 2);
    assert!(Scenario::run("init: sees nothing-known").is_err());
    assert!(Scenario::run("init: sees uid => EPERM").is_err());
}

#[test]
fn a_file_has_several_scenarios() {
    let text = "# Both are short.\n\n== one\ninit: fork -> a\n== two\nrelease 7.1\ninit: fork -> a => ok 2\n";
    let parts: Vec<_> = nsproxy::scenario::parts(text).iter().map(|part| (part.name, part.line)).collect();
    assert_eq!(parts, [(Some("one"), 3), (Some("two"), 5)]);
    let run = Scenario::run(text).unwrap();
    assert!(run.failures().is_empty(), "{}", run.transcript());
    assert_eq!(nsproxy::scenario::parts("init: fork -> a\n")[0].name, None);
}
