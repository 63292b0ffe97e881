//! What the tests of this workspace share: saying why a test is skipped, so
//! that skips are counted, and asking what this system grants.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// Says that `test` can't run here and why, past the capturing of the test
/// harness: `.ci/run` counts these lines.
pub fn skip(test: &str, reason: &str) {
    // Not `eprintln`, which the harness captures.
    let _ = std::io::stderr().write_all(format!("skipped: {test}: {reason}\n").as_bytes());
}

/// Whether the test runs as root, with the privileges that go with it.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether this user gets a user namespace, with maps and full capabilities
/// inside. Asked of the system's own `unshare(1)`, not of what is under test.
pub fn user_namespaces() -> bool {
    static GRANTED: OnceLock<bool> = OnceLock::new();
    *GRANTED.get_or_init(|| {
        let mut probe = Command::new("unshare");
        probe.args(["--user", "--map-root-user", "--mount", "true"]);
        probe.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // Without unshare(1) nothing is known: let the test try.
        probe.status().map_or(true, |status| status.success())
    })
}

/// Returns from the test, with a line that says why, unless the condition holds.
#[macro_export]
macro_rules! require {
    ($condition:expr, $reason:expr) => {
        if !$condition {
            let name = std::thread::current().name().unwrap_or("test").to_owned();
            $crate::skip(&name, $reason);
            return;
        }
    };
}

/// [`require!`]s that the test runs as root.
#[macro_export]
macro_rules! require_root {
    () => {
        $crate::require!($crate::is_root(), "needs root")
    };
}

/// [`require!`]s that this user gets user namespaces, or is root.
#[macro_export]
macro_rules! require_namespaces {
    () => {
        $crate::require!(
            $crate::is_root() || $crate::user_namespaces(),
            "this system grants no user namespaces"
        )
    };
}
