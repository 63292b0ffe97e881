//! Memory shared with the actors, their program, and the raw calls nobody wraps.
//! The only unsafe code.

#![allow(unsafe_code)]

mod call;
mod memory;
pub(crate) mod probe;
mod program;

pub(crate) use call::errno_of;
pub(crate) use memory::{DATA, DATA_LEN, Mailbox, SLOTS, Turn};
pub(crate) use program::{HANDLER, MAILBOX_FD, PROGRAM_FD, RESTORER, image, start};
