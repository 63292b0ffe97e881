//! Linux namespaces for Rust programs: create, join, inspect and keep them.
//!
//! A namespace gives a process its own view of one resource; `namespaces(7)`
//! lists the eight [`Kind`]s. This crate is the process's side of them: what a
//! program can ask the kernel for, made safe, free of races, and clear about
//! why something failed.
//!
//! # Start a program
//!
//! [`Spawn`] is in the manner of [`std::process::Command`]:
//!
//! ```
//! use namespaces::{Kind, Spawn};
//!
//! # fn main() -> namespaces::Result<()> {
//! # if Spawn::new("true").unshare(Kind::User).map_root().status().is_err() { return Ok(()) }
//! let output = Spawn::new("sh")
//!     .args(["-c", "id -u; hostname; echo $$"])
//!     .unshare([Kind::User, Kind::Uts, Kind::Pid])
//!     .map_root()
//!     .hostname("box")
//!     .output()?;
//! assert_eq!(output.stdout, b"0\nbox\n1\n");
//! # Ok(())
//! # }
//! ```
//!
//! It comes down to a [`Plan`], a list of typed [`Step`]s that can be looked at
//! before it is carried out. One `clone3(2)` makes all new namespaces; the new
//! process allocates nothing until it executes the program; an error names the
//! step that failed.
//!
//! # Look at one
//!
//! A [`Namespace`] is an open file of nsfs, a [`Process`] a pidfd:
//!
//! ```
//! use namespaces::{Kind, Namespace, Process};
//!
//! let process = Process::open(std::process::id() as i32)?;
//! let net = process.namespace(Kind::Net)?;
//! assert_eq!(net, Namespace::current(Kind::Net)?);
//! println!("{net}, 64-bit id {:?}", net.id().ns_id);
//! # Ok::<(), namespaces::Error>(())
//! ```
//!
//! [`discover`] finds all namespaces of the machine and what keeps each alive.
//!
//! # Be in one
//!
//! [`Namespace::within`] runs a closure in a namespace and leaves the calling
//! thread where it is. [`enter`] and [`unshare`] move the calling thread, and
//! say what a program with more threads may do. [`pin`] keeps a namespace
//! without a process.
//!
//! # What it needs
//!
//! Linux 5.8 (`clone3`, `setns` with a pidfd) on x86-64 or arm64, and `/proc`.
//! What came later is used where it is there. The calls print nothing, start no
//! thread but where they say so, and leave no descriptor open that outlives
//! what they return.

#![warn(missing_docs)]

mod caps;
pub mod discover;
mod enter;
mod errno;
mod error;
pub mod explain;
mod handle;
mod idmap;
mod kind;
mod launch;
mod mountinfo;
mod netnsid;
mod pin;
mod plan;
mod process;
mod spawn;
mod standing;
mod sys;

pub use caps::Capabilities;
pub use enter::{enter, unshare};
pub use errno::Errno;
pub use error::{Error, Result};
pub use handle::{Namespace, NamespaceId};
pub use idmap::{
    Extent, IdKind, IdMap, IdMaps, IdRange, MapError, MapWriter, subordinate_gids, subordinate_uids,
};
pub use kind::{Kind, Kinds, Link};
pub use netnsid::NetnsIds;
pub use pin::{pin, unpin};
pub use plan::{Actor, Directory, Id, JoinTarget, Place, Plan, PlanStep, Refused, Source, Step};
pub use process::{Credentials, Process};
pub use spawn::{Child, ForwardSignals, Output, Propagation, Spawn, Stdio, end_by_signal, heed_children};
