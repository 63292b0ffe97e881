//! Building the C programs that are the floor.
//!
//! They are built where cargo builds, and again only if their text changed.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

const SYS_H: &str = include_str!("../floor/sys.h");

/// Name, text, and whether it does without a libc.
const PROGRAMS: [(&str, &str, bool); 7] = [
    ("tiny", include_str!("../floor/tiny.c"), true),
    ("sleeper", include_str!("../floor/sleeper.c"), true),
    ("launch", include_str!("../floor/launch.c"), true),
    ("enter", include_str!("../floor/enter.c"), true),
    ("list", include_str!("../floor/list.c"), true),
    ("loop", include_str!("../floor/loop.c"), false),
    ("crowd", include_str!("../floor/crowd.c"), false),
];

const WARNINGS: [&str; 3] = ["-O2", "-Wall", "-Wextra"];

/// Without a libc, in as few pages as can be: a start-up is mostly page faults.
const BARE: [&str; 9] = [
    "-static",
    "-nostdlib",
    "-nostartfiles",
    "-ffreestanding",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-Wl,-z,noseparate-code",
    "-Wl,--build-id=none",
    "-s",
];

/// The floor programs that could be built.
#[derive(Debug, Default)]
pub(crate) struct Floor {
    built: BTreeMap<&'static str, String>,
    pub(crate) missing: Vec<(&'static str, String)>,
}

impl Floor {
    pub(crate) fn build() -> Floor {
        let mut floor = Floor::default();
        let compiler = std::env::var("CC").unwrap_or_else(|_| String::from("cc"));
        let dir = directory(&compiler);
        for (name, text, bare) in PROGRAMS {
            let built = match &dir {
                Ok(dir) => build(&compiler, dir, name, text, bare),
                Err(reason) => Err(reason.clone()),
            };
            match built {
                Ok(path) => _ = floor.built.insert(name, path),
                Err(reason) => floor.missing.push((name, reason)),
            }
        }
        floor
    }

    /// The path of a program, or which one is missing.
    pub(crate) fn path(&self, name: &str) -> Result<String, String> {
        self.built.get(name).cloned().ok_or_else(|| format!("the floor program {name} is not built"))
    }
}

/// Beside this program, that is in cargo's target directory; another one for
/// each text of the programs.
fn directory(compiler: &str) -> Result<PathBuf, String> {
    let failed = |error: io::Error| format!("no directory to build in: {error}");
    let mut hasher = DefaultHasher::new();
    (compiler, SYS_H, PROGRAMS, WARNINGS, BARE).hash(&mut hasher);
    let own = std::env::current_exe().map_err(failed)?;
    let dir = own.with_file_name(format!("floor-{:016x}", hasher.finish()));
    fs::create_dir_all(&dir).map_err(failed)?;
    Ok(dir)
}

fn build(compiler: &str, dir: &Path, name: &str, text: &str, bare: bool) -> Result<String, String> {
    let program = dir.join(name);
    if !program.is_file() {
        // In a directory of our own and then renamed: two benches may build at once.
        let own = dir.join(format!("{name}.{}", std::process::id()));
        let outcome = fs::create_dir_all(&own)
            .and_then(|()| fs::write(own.join("sys.h"), SYS_H))
            .and_then(|()| fs::write(own.join("program.c"), text))
            .map_err(|error| error.to_string())
            .and_then(|()| compile(compiler, &own, bare))
            .and_then(|()| fs::rename(own.join("program"), &program).map_err(|error| error.to_string()));
        let _ = fs::remove_dir_all(&own);
        outcome?;
    }
    program.into_os_string().into_string().map_err(|path| format!("{} is not UTF-8", path.display()))
}

fn compile(compiler: &str, dir: &Path, bare: bool) -> Result<(), String> {
    let mut command = Command::new(compiler);
    command.current_dir(dir).args(WARNINGS);
    if bare {
        command.args(BARE);
    }
    let output = command.args(["-o", "program", "program.c"]).output();
    let output = output.map_err(|error| format!("no C compiler: {compiler}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().find(|line| line.contains("error")).unwrap_or("no reason given");
    Err(format!("{compiler}: {line}"))
}
