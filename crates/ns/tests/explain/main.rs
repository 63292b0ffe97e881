//! `ns explain`, put into each situation that it is there for.
//!
//! Each test makes a situation, makes the call for real and sees it refused, asks for the
//! reason, and where a remedy is a command carries that out and sees the call go. The numbers are
//! those of the list in `situations.md` beside this file.

#[path = "../common/mod.rs"]
mod common;

mod answer;
mod attach;
mod busy;
mod chroot;
mod failures;
mod filters;
mod ids;
mod joining;
mod launches;
mod limits;
mod mounts;
mod networks;
mod outside;
mod overlay;
mod paths;
mod pivot;
mod privilege;
mod proc;
mod processes;
mod surface;
mod userns;
