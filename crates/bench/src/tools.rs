//! The programs to be measured: our own and the peers.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

/// How the build that people get is made. A dynamic one spends more time on
/// its start-up than on seven of the namespaces.
const HOW_TO_BUILD: &str = "rustup target add x86_64-unknown-linux-musl; \
                            cargo build --release --target x86_64-unknown-linux-musl -p ns";

/// The `ns` that is measured.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Ns {
    pub(crate) path: String,
    /// What is to be known about this build.
    pub(crate) note: String,
}

/// A copy of the `ns` at `given`; else the static release build, else another release
/// build, else the one beside this program.
pub(crate) fn find_ns(given: Option<&Path>) -> Result<Ns, String> {
    let (path, note) = match given {
        Some(path) if path.is_file() => (path.to_owned(), String::from("as given")),
        Some(path) => return Err(format!("{} is no file", path.display())),
        None => candidates()
            .into_iter()
            .find(|(path, _)| path.is_file())
            .ok_or(format!("no build found; {HOW_TO_BUILD}"))?,
    };
    let path = std::fs::canonicalize(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let path =
        path.into_os_string().into_string().map_err(|path| format!("{} is not UTF-8", path.display()))?;
    works(&path)?;
    let note = format!("{note}, a copy of {path}");
    let path = installed(&path).map_err(|error| format!("copying {path}: {error}"))?;
    Ok(Ns { path, note })
}

/// A copy, as an installer makes one. What a linker has written lies in the
/// page cache in small pieces, and to map those takes a fifth of a start-up.
fn installed(path: &str) -> std::io::Result<String> {
    let dir = std::env::current_exe()?.with_file_name("installed");
    std::fs::create_dir_all(&dir)?;
    let new = dir.join(format!("ns.{}", std::process::id()));
    let copy = dir.join("ns");
    std::fs::copy(path, &new)?;
    std::fs::rename(&new, &copy)?;
    Ok(copy.to_string_lossy().into_owned())
}

fn candidates() -> Vec<(PathBuf, String)> {
    let Ok(own) = std::env::current_exe() else { return Vec::new() };
    let Some(profile) = own.parent() else { return Vec::new() };
    let target = profile.parent().unwrap_or(profile);
    let musl = format!("{}-unknown-linux-musl/release/ns", std::env::consts::ARCH);
    let slow = |what: &str| format!("{what}: slow to start; for the static build: {HOW_TO_BUILD}");
    vec![
        (target.join(musl), String::from("static release build")),
        (target.join("release/ns"), slow("dynamic release build")),
        (profile.join("ns"), slow("not a release build")),
    ]
}

fn works(path: &str) -> Result<(), String> {
    let output = Command::new(path).arg("--version").stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() && output.stdout.starts_with(b"ns") => Ok(()),
        Ok(_) => Err(format!("{path} --version doesn't answer as ns does")),
        Err(error) => Err(format!("{path}: {error}")),
    }
}

/// A program of others that does the same.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Peer {
    pub(crate) name: String,
    pub(crate) path: String,
    /// Its release, as it says itself.
    pub(crate) version: String,
}

impl Peer {
    /// Whether its release is at least this one. Unknown releases are new ones.
    pub(crate) fn is_at_least(&self, major: u32, minor: u32) -> bool {
        let mut numbers = self.version.split('.').map_while(|word| word.parse::<u32>().ok());
        match (numbers.next(), numbers.next()) {
            (Some(own), Some(own_minor)) => (own, own_minor) >= (major, minor),
            _ => true,
        }
    }
}

/// Those of the peers we know that are installed.
pub(crate) fn find_peers() -> Vec<Peer> {
    let peer = |name: &str| {
        let path = in_path(name)?;
        Some(Peer { name: name.to_owned(), version: version(&path), path })
    };
    ["unshare", "nsenter", "lsns", "bwrap"].into_iter().filter_map(peer).collect()
}

/// The first word of `--version` that begins with a digit.
fn version(path: &str) -> String {
    let output = Command::new(path).arg("--version").stdin(Stdio::null()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let number = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    number.unwrap_or("of unknown release").to_owned()
}

/// A program in `PATH`.
pub(crate) fn in_path(name: &str) -> Option<String> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| rustix::fs::access(file, rustix::fs::Access::EXEC_OK).is_ok() && file.is_file())
        .and_then(|file| file.into_os_string().into_string().ok())
}

#[cfg(test)]
mod tests {
    use super::Peer;

    #[test]
    fn releases_are_compared_by_number() {
        let peer =
            |version: &str| Peer { name: String::new(), path: String::new(), version: version.to_owned() };
        assert!(peer("2.41.5").is_at_least(2, 41));
        assert!(!peer("2.9").is_at_least(2, 41));
        assert!(peer("3.0-rc1").is_at_least(2, 41));
        assert!(peer("of unknown release").is_at_least(2, 41));
    }
}
