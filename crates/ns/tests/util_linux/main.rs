//! `unshare`, `nsenter` and `lsns` beside those of util-linux: the same command
//! line is given to both, and what becomes of it is compared.
//!
//! `harness` runs and compares; `cases` has the lines, in tables of text.
//! The peers are the util-linux found in `PATH`, or those in the directories
//! that `NS_UTIL_LINUX` names, separated by colons.

#![allow(unreachable_pub)]

mod differences;
mod harness;
mod nsenter;
mod random;
mod signals;
#[path = "../common/terminal.rs"]
mod terminal;
mod unshare;
