//! What lines refer to: processes to enter, a place to write, a program that
//! shows its state.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use namespaces::{Child, Kind, Kinds, Spawn, Stdio};

/// `T`: a process in eight namespaces of its own. `N`: one with network and
/// UTS namespaces of its own. `S`: one in the caller's. `DEAD`: none any more.
/// `PROBE`: a program that shows its state. `D`: a directory for the line.
pub struct Fixture {
    all: Child,
    some: Child,
    same: Child,
    dead: i32,
    dir: tempfile::TempDir,
}

const PROBE: &str = r#"#!/bin/sh
# Shows the state that a program starts in; with `mounts`, the mounts.
if [ "$1" = mounts ]; then
    awk '{p = ""; for (i = 7; $i != "-"; i++) {split($i, x, ":"); p = p " " x[1]}
          print $5, $6 p, $(i + 1)}' /proc/self/mountinfo
    exit
fi
echo "pid $([ $$ = 1 ] && echo 1 || echo other), name $0, arguments $*"
pwd
sed -n '/^\(Uid\|Gid\|Groups\|SigBlk\|SigIgn\|SigPnd\|CapInh\|CapPrm\|CapEff\|CapBnd\|CapAmb\|NoNewPrivs\):/p' /proc/self/status
[ "$(readlink /proc/self/ns/mnt)" = "$M" ] && echo mnt as before || echo another mnt
for kind in cgroup ipc net pid time user uts; do readlink /proc/self/ns/$kind; done
for file in uid_map gid_map setgroups timens_offsets; do echo "$file:"; cat /proc/self/$file; done
ls -di /
echo descriptors: $(ls /proc/self/fd)
umask
env | grep -v '^\(M\|PATH\)=' | sort
"#;

impl Fixture {
    pub fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let probe = dir.path().join("probe");
        std::fs::write(&probe, PROBE).unwrap();
        for (path, mode) in [(dir.path(), 0o755), (&probe, 0o755)] {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let some = if testkit::is_root() { Kinds::EMPTY } else { Kind::User.into() };
        let mut fixture = Fixture {
            all: sleeper(Kinds::ALL),
            some: sleeper(some.union([Kind::Net, Kind::Uts].into())),
            same: sleeper(Kinds::EMPTY),
            dead: 0,
            dir,
        };
        fixture.dead = {
            let mut ended = Spawn::new("true").spawn().unwrap();
            ended.wait().unwrap();
            ended.id()
        };
        fixture
    }

    /// The environment of a line, but for `PATH` and `D`.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let inode = |child: &Child| child.process().inode().unwrap().to_string();
        vec![
            ("T", self.all.id().to_string()),
            ("TI", inode(&self.all)),
            ("N", self.some.id().to_string()),
            ("S", self.same.id().to_string()),
            ("DEAD", self.dead.to_string()),
            ("PROBE", self.dir.path().join("probe").to_str().unwrap().to_owned()),
            ("HOME", "/".to_owned()),
            ("LC_ALL", "C".to_owned()),
            ("NS_EXPLAIN", "0".to_owned()),
            ("SHELL", "/bin/sh".to_owned()),
        ]
    }

    /// What a target is called in normalised text.
    pub fn names(&self) -> [(i32, &'static str); 4] {
        [(self.all.id(), "T"), (self.some.id(), "N"), (self.same.id(), "S"), (self.dead, "DEAD")]
    }

    pub fn scratch(&self) -> PathBuf {
        let dir = self.dir.path().join("scratch");
        let _ = std::fs::create_dir(&dir);
        dir
    }
}

fn sleeper(kinds: Kinds) -> Child {
    let mut spawn = Spawn::new("sleep");
    spawn.arg("3600").unshare(kinds).parent_death_signal(libc::SIGKILL);
    spawn.stdin(Stdio::Null).stdout(Stdio::Null).stderr(Stdio::Null);
    spawn.env_clear().env("PATH", "/usr/bin:/bin").env("TARGET", "yes");
    if kinds.contains(Kind::User) {
        spawn.map_root();
    }
    if kinds.contains(Kind::Pid) {
        spawn.mount_proc();
    }
    spawn.spawn().unwrap()
}

impl Drop for Fixture {
    fn drop(&mut self) {
        for child in [&mut self.all, &mut self.some, &mut self.same] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
