//! The `lsns` of util-linux, in one or several releases.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One of them.
#[derive(Clone, Debug)]
pub struct Peer {
    pub path: PathBuf,
    release: (u32, u32),
}

impl Peer {
    /// The system's, or those that `NS_UTIL_LINUX` names by their directories.
    pub fn all() -> Vec<Peer> {
        let dirs = std::env::var_os("NS_UTIL_LINUX").unwrap_or_else(|| "/usr/bin:/bin".into());
        let mut found: Vec<Peer> =
            std::env::split_paths(&dirs).filter_map(|dir| Peer::at(&dir.join("lsns"))).collect();
        if std::env::var_os("NS_UTIL_LINUX").is_none() {
            // The second one is the first by another name.
            found.truncate(1);
        }
        found
    }

    fn at(path: &Path) -> Option<Peer> {
        let output = Command::new(path).arg("--version").stdin(Stdio::null()).output().ok()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // Ours may stand in its place.
        let release = text.strip_prefix("lsns from util-linux ")?;
        let mut numbers = release.trim().split(['.', '-']).map_while(|word| word.parse().ok());
        Some(Peer { path: path.to_owned(), release: (numbers.next()?, numbers.next()?) })
    }

    pub fn is_at_least(&self, major: u32, minor: u32) -> bool {
        self.release >= (major, minor)
    }

    pub fn name(&self) -> String {
        format!("lsns {}.{}", self.release.0, self.release.1)
    }
}
