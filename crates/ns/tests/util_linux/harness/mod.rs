//! Running one line with two sets of tools, and comparing.
//!
//! A line is one for the shell: `unshare -U id -u`. With root's privileges it
//! runs in a mount namespace of its own, so that no mount is left; always in a
//! session of its own, so that no process is.

mod case;
mod compare;
mod fixture;
mod peer;
mod run;

pub use case::{Case, cases};
pub use compare::{Answer, check_all, differ};
pub use fixture::Fixture;
pub use peer::{Peer, Tools, ours, peers};
pub use run::{Outcome, run};
