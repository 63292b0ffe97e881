//! A world to list: a pid and a mount namespace of its own, and in it
//! processes in namespaces that are the same at each look.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use namespaces::{Child, Kind, Kinds, Spawn, Stdio};
use testkit::is_root;

/// Pid 1 of the world. Each process says who it is when it is where it is to
/// be, and the last word of the script that all are.
const SCRIPT: &str = r#"
# What others have bound is not part of this world.
grep ' - nsfs ' /proc/self/mountinfo | while read -r id parent device root point rest; do
    umount -l "$point" 2>/dev/null
done
mount -t tmpfs none /mnt
touch /mnt/a /mnt/b "/mnt/c d" /mnt/u /mnt/said
cat >/mnt/here <<'END'
echo $$ $1 >>/mnt/said
exec sleep $1
END
# A chain of processes, each in a namespace of its own.
cat >/mnt/chain <<'END'
[ $1 = 0 ] && exec sh /mnt/here 1008
if [ $(($1 % 2)) = 0 ]; then kind=-i; else kind=-u; fi
unshare $kind sh /mnt/chain $(($1 - 1))
:
END
# Names that no terminal should see, and an argument that is empty.
cat >/mnt/odd <<'END'
open(my $said, ">>", "/mnt/said"); print $said "$$ $ARGV[0]\n"; close($said);
my $name = $ARGV[0] == 1009 ? "we\x1b \xc3\xa9 \xe6\xbc\xa2\xe5\xad\x97 \\x \n \"q\"" : "";
exec { "sleep" } $name, "", $ARGV[0] if $ARGV[0] == 1011;
exec { "sleep" } $name, $ARGV[0];
END
wanted=0
wait_for() {
    wanted=$((wanted + $1))
    while [ "$(wc -l </mnt/said)" -lt $wanted ]; do sleep 0.01; done
}
unshare -u sh /mnt/here 1001 &
wait_for 1
unshare -i -n sh -c 'unshare -m sh /mnt/here 1002 & sh /mnt/here 1003' &
wait_for 2
unshare -Ur sh -c 'unshare -u sh /mnt/here 1004 & sh /mnt/here 1005' &
wait_for 2
unshare -Urpf --mount-proc sh -c 'sh /mnt/here 1006 & sh /mnt/here 1007' &
wait_for 2
sh /mnt/chain 5 &
wait_for 1
if [ $2 = nobody ]; then
    chmod 666 /mnt/said
    nobody="setpriv --reuid 65534 --regid 65534 --clear-groups"
    $nobody sh /mnt/here 1013 &
    wait_for 1
    $nobody unshare -U sh /mnt/here 1014 &
    wait_for 1
fi
unshare -u perl /mnt/odd 1009 &
wait_for 1
unshare -u perl /mnt/odd 1010 &
wait_for 1
if [ $2 = somebody ]; then
    mount --bind /proc/$(sed -n 's/ 1003$//p' /mnt/said)/ns/net /mnt/a
    mount --bind /mnt/a /mnt/b
fi
if [ $1 = full ]; then
    mount --bind /mnt/a "/mnt/c d"
    unshare --uts=/mnt/u true
    unshare -i sh /mnt/here 1012 &
    held=$!
    wait_for 1
    exec 9</proc/$held/ns/ipc
    { kill $held; wait $held; } 2>/dev/null
fi
# One that has ended, and that nobody asks for its status.
exec perl -e '
    my $pid = fork;
    exec "unshare", "-Ur", "true" if !$pid;
    do { open(my $file, "<", "/proc/$pid/stat"); $_ = <$file> } until / Z /;
    $| = 1;
    print "ready\n";
    exec "sleep", "1000";
'
"#;

/// The world, until it is dropped.
pub struct World {
    init: Init,
    nobody: bool,
    /// What each process said: its pid, and how long it sleeps.
    said: String,
    /// Where ours lies under the name `lsns`.
    programs: tempfile::TempDir,
}

impl World {
    /// Whether nothing of others will be in it: root can take their bound
    /// namespaces out of it, which a user can't.
    pub fn can_be_made() -> bool {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        is_root() || !mounts.contains(" - nsfs ")
    }

    /// Only with namespaces that a process is in.
    pub fn plain() -> World {
        World::start("plain", "somebody")
    }

    /// With others, too.
    pub fn full() -> World {
        World::start("full", "somebody")
    }

    /// The same as it looks to a user who owns little in it.
    pub fn of_nobody() -> World {
        World { nobody: true, ..World::start("plain", "nobody") }
    }

    fn start(sort: &str, user: &str) -> World {
        let mut spawn = Spawn::new("/bin/sh");
        spawn.args(["-c", SCRIPT, "world", sort, user]).unshare(World::kinds()).mount_proc();
        spawn.current_dir("/").env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C.UTF-8");
        if !is_root() {
            spawn.map_root();
        }
        let mut init = spawn.stdin(Stdio::Null).stdout(Stdio::Piped).parent_death_signal(9).spawn().unwrap();
        let mut said = [0; 6];
        init.stdout.as_mut().unwrap().read_exact(&mut said).expect("the world is not made");
        assert_eq!(&said, b"ready\n");
        let mut world = World {
            init: Init(init),
            nobody: false,
            said: String::new(),
            programs: programs(user == "nobody"),
        };
        world.said = world.ask("cat /mnt/said");
        world
    }

    /// Our `lsns`, by that name.
    pub fn ours(&self) -> PathBuf {
        self.programs.path().join("lsns")
    }

    fn kinds() -> Kinds {
        let kinds = Kinds::from([Kind::Pid, Kind::Mnt]);
        if is_root() { kinds } else { kinds.with(Kind::User) }
    }

    pub fn is_of_nobody(&self) -> bool {
        self.nobody
    }

    /// A program that will run in the world.
    pub fn command(&self, program: &Path) -> Spawn {
        let mut spawn = self.command_of_owner(program);
        if self.nobody {
            spawn.uid(65534).gid(65534);
        }
        spawn
    }

    fn command_of_owner(&self, program: &Path) -> Spawn {
        let mut spawn = Spawn::new(program);
        spawn.join(self.init.0.process().try_clone().unwrap(), World::kinds()).stdin(Stdio::Null);
        spawn
    }

    /// What a shell in it prints, without the last line break.
    pub fn ask(&self, script: &str) -> String {
        let mut spawn = self.command_of_owner(Path::new("/bin/sh"));
        spawn.args(["-c", script]).current_dir("/");
        let output = spawn.output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// The pid, as the world numbers it, of the process that sleeps so long.
    pub fn sleeper(&self, seconds: &str) -> String {
        let line = self.said.lines().find_map(|line| line.strip_suffix(&format!(" {seconds}")));
        line.unwrap_or_else(|| panic!("nobody sleeps {seconds}")).to_owned()
    }

    /// The inode number of a namespace of that process.
    pub fn inode(&self, seconds: &str, kind: &str) -> String {
        self.ask(&format!("readlink /proc/{}/ns/{kind} | tr -dc 0-9", self.sleeper(seconds)))
    }
}

/// A directory with our `lsns`; for others a copy, since the directory that it
/// was built in may be closed to them.
fn programs(for_others: bool) -> tempfile::TempDir {
    let dir = tempfile::Builder::new().prefix("lsns").tempdir_in("/var/tmp").unwrap();
    let (built, path) = (env!("CARGO_BIN_EXE_ns"), dir.path().join("lsns"));
    if for_others {
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
        std::fs::copy(built, path).unwrap();
    } else {
        std::os::unix::fs::symlink(built, path).unwrap();
    }
    dir
}

/// With it all processes of the world end.
struct Init(Child);

impl Drop for Init {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A terminal of this many columns: both its ends.
pub fn terminal(columns: u16) -> (File, OwnedFd) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{OptionalActions, OutputModes, Winsize, tcgetattr, tcsetattr, tcsetwinsize};
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let main = openpt(flags).unwrap();
    grantpt(&main).unwrap();
    unlockpt(&main).unwrap();
    let name = ptsname(&main, Vec::new()).unwrap();
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    let end = rustix::fs::open(name, flags, rustix::fs::Mode::empty()).unwrap();
    let mut modes = tcgetattr(&end).unwrap();
    modes.output_modes.remove(OutputModes::OPOST);
    tcsetattr(&end, OptionalActions::Now, &modes).unwrap();
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&end, size).unwrap();
    (File::from(main), end)
}
