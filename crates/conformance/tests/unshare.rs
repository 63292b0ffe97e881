//! The kernel and the model agree on `unshare(2)`.

use std::process::Command;

#[test]
fn unshare_of_every_set_of_kinds() {
    testkit::require_namespaces!();
    let output = Command::new(env!("CARGO_BIN_EXE_conformance")).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.trim(), "2560 calls, 0 divergences");
}
