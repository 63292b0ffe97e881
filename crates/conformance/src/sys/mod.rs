//! Memory shared with the actors, their program, and the raw calls nobody wraps.
//! The only unsafe code.

#![allow(unsafe_code)]

mod call;
mod memory;
mod number;
pub(crate) mod probe;
mod program;

pub(crate) use call::errno_of;
pub(crate) use memory::{DATA, DATA_LEN, Mailbox, SLOTS, Turn};
pub(crate) use number::{number_here, number_in_use};
pub(crate) use program::{HANDLER, MAILBOX_FD, PROGRAM_FD, RESTORER, image, start};
