//! The raw calls: what neither `std` nor `rustix` wraps.
//!
//! This is the only module with `unsafe` code. Each block says why it is sound.
//! What is still missing here, because nothing in this crate needs it yet:
//! `listmount`, `mount_setattr`, `open_tree_attr`, seccomp, Landlock.

#![allow(unsafe_code)]
// Registers and ABI structures carry numbers of every width and sign.
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]

mod arch;
pub(crate) mod clone;
pub(crate) mod cred;
pub(crate) mod exec;
pub(crate) mod fd;
pub(crate) mod launch;
pub(crate) mod listns;
pub(crate) mod net;
pub(crate) mod nsfs;
pub(crate) mod pidfd;
pub(crate) mod probe;
pub(crate) mod setns;
pub(crate) mod signal;
pub(crate) mod statmount;
