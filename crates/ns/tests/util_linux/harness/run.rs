//! Running one line with one set of tools.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::time::Duration;

use namespaces::{Child, Kind, Spawn, Stdio};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, Signal};

use super::{Fixture, Tools};

const USUAL_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A line may take this long.
const PATIENCE: Timespec = Timespec { tv_sec: 20, tv_nsec: 0 };

/// What a line came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// As a shell shows it; `None` if it took too long.
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
    /// Processes that were left, and ended by us.
    pub left: Vec<String>,
}

/// Runs the line with these tools in front of all others.
pub fn run(tools: &Tools, line: &str, fixture: &Fixture) -> Outcome {
    let scratch = fixture.scratch();
    let mut spawn = Spawn::new("/bin/sh");
    spawn.env_clear().env("PATH", format!("{}:{USUAL_PATH}", tools.dir.display()));
    for (name, value) in fixture.variables() {
        spawn.env(name, value);
    }
    spawn.env("D", &scratch).current_dir("/").new_session().stdin(Stdio::Null);
    let script = if testkit::is_root() {
        spawn.unshare(Kind::Mnt);
        // As the machine has it: shared, but among those in here only.
        format!(
            "mount --make-rshared / && mount -t tmpfs scratch $D && mount --make-private $D \
             && touch $D/file && {{\n{line}\n}}"
        )
    } else {
        // Or the second would find what the first has left.
        std::fs::remove_dir_all(&scratch).unwrap();
        std::fs::create_dir(&scratch).unwrap();
        format!("touch $D/file && {{\n{line}\n}}")
    };
    let script = format!("M=$(readlink /proc/self/ns/mnt); export M; {script}");
    spawn.args(["-c", &script]);
    let (stdout, stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    spawn.stdout(Stdio::Fd(Arc::new(stdout.try_clone().unwrap().into())));
    spawn.stderr(Stdio::Fd(Arc::new(stderr.try_clone().unwrap().into())));
    let mut child = spawn.spawn().unwrap();
    let status = wait(&mut child);
    let left = end_session(child.id());
    if status.is_none() {
        let _ = child.wait();
    }
    Outcome { status, stdout: text(stdout), stderr: text(stderr), left }
}

fn wait(child: &mut Child) -> Option<i32> {
    let mut fds = [PollFd::from_borrowed_fd(child.as_fd(), PollFlags::IN)];
    match rustix::event::poll(&mut fds, Some(&PATIENCE)) {
        Ok(1..) => {
            let status = child.wait().unwrap();
            Some(status.code().or_else(|| status.signal().map(|number| 128 + number)).unwrap())
        }
        _ => None,
    }
}

/// Ends what is left of a session, and says what that was. Not at once: what
/// a dying process leaves to its own children takes a moment.
fn end_session(session: i32) -> Vec<String> {
    let group = Pid::from_raw(session).unwrap();
    let mut left = Vec::new();
    for _ in 0..50 {
        left = living(session);
        if left.is_empty() {
            return left;
        }
        std::thread::sleep(Duration::from_millis(4));
    }
    let _ = rustix::process::kill_process_group(group, Signal::KILL);
    left
}

/// The processes of a session that have not ended.
fn living(session: i32) -> Vec<String> {
    if rustix::process::test_kill_process_group(Pid::from_raw(session).unwrap()).is_err() {
        return Vec::new();
    }
    let of = |pid: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let fields: Vec<&str> = stat.rsplit(") ").next()?.split(' ').collect();
        let mine = fields.get(3)?.parse() == Ok(session) && !["Z", "X"].contains(fields.first()?);
        let words = || std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        mine.then(|| format!("{pid} {}", words().replace('\0', " ")))
    };
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(|c: char| c.is_ascii_digit())).filter_map(|pid| of(&pid)).collect()
}

fn text(mut file: File) -> String {
    use std::io::Seek;
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}
