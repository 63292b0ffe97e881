//! RULES.md is generated from the rules, and in step with them.
//! `UPDATE=1 cargo test -p nsproxy --test rules_page` writes it.

#![cfg(not(miri))]

#[test]
fn rules_md_is_in_step() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/RULES.md");
    let page = nsproxy::rules_page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page, "RULES.md is out of step: run this test with UPDATE=1");
}
