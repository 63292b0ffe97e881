//! Whose tools are run.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A directory with `unshare`, `nsenter` and `lsns` in it.
#[derive(Clone, Debug)]
pub struct Tools {
    pub dir: PathBuf,
}

/// Those of util-linux.
#[derive(Clone, Debug)]
pub struct Peer {
    pub tools: Tools,
    pub release: (u32, u32),
}

/// Links to the program under test, as a user would have them.
pub fn ours() -> &'static Tools {
    static OURS: OnceLock<Tools> = OnceLock::new();
    OURS.get_or_init(|| {
        let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("util_linux");
        std::fs::create_dir_all(&dir).unwrap();
        for name in ["unshare", "nsenter", "lsns"] {
            // There already, from an earlier run.
            let _ = symlink(env!("CARGO_BIN_EXE_ns"), dir.join(name));
        }
        Tools { dir }
    })
}

/// The peers to compare with.
pub fn peers() -> &'static [Peer] {
    static PEERS: OnceLock<Vec<Peer>> = OnceLock::new();
    PEERS.get_or_init(|| {
        let given = std::env::var_os("NS_UTIL_LINUX");
        let dirs: Vec<PathBuf> = match &given {
            Some(dirs) => std::env::split_paths(dirs).collect(),
            None => std::env::var_os("PATH")
                .iter()
                .flat_map(std::env::split_paths)
                .find(|dir| dir.join("unshare").is_file() && dir.join("nsenter").is_file())
                .into_iter()
                .collect(),
        };
        let found: Vec<Peer> = dirs.iter().filter_map(|dir| peer(dir)).collect();
        assert!(given.is_none() || found.len() == dirs.len(), "no util-linux in NS_UTIL_LINUX={given:?}");
        found
    })
}

fn peer(dir: &Path) -> Option<Peer> {
    let output = Command::new(dir.join("unshare")).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let release = text.trim().strip_prefix("unshare from util-linux ")?;
    let mut numbers = release.split(['.', '-']).map_while(|number| number.parse().ok());
    Some(Peer { tools: Tools { dir: dir.to_owned() }, release: (numbers.next()?, numbers.next()?) })
}
