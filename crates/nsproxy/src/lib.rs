//! The kernel's side of Linux namespaces, as a value: tasks, credentials, the
//! nsproxy, all eight kinds of namespace, and every rule that decides clone,
//! unshare and setns.
//!
//! # The story of one unshare
//!
//! A task points to an *nsproxy*: one record of its namespaces, shared by all tasks
//! that have them all in common. Its user namespace is not in there but in its
//! credentials. `unshare(CLONE_NEWUTS)` then goes like this:
//!
//! 1. The flags are checked: [`Rule::UnshareUnknownFlags`], [`Rule::UnshareThreads`].
//! 2. A new uts namespace needs `CAP_SYS_ADMIN` in the user namespace that will own
//!    it: [`Rule::UnshareNeedsAdmin`].
//! 3. A new nsproxy is made. Where a flag asks for it, a new namespace is charged to
//!    the caller and its user namespace's owners ([`Rule::UtsNsCount`]); all others are
//!    the old ones, held once more.
//! 4. The task's pointer is swapped, and the old nsproxy loses one holder. Only the
//!    calling thread has moved.
//!
//! ```
//! use nsproxy::{Errno, Kernel, Rule, uapi::CLONE_NEWUSER, uapi::CLONE_NEWUTS};
//!
//! let mut kernel = Kernel::default();
//! let shell = kernel.fork(kernel.init())?.task;
//! kernel.setresuid(shell, 1000, 1000, 1000)?;
//!
//! // Refused, with the reason.
//! let denial = kernel.unshare(shell, CLONE_NEWUTS).unwrap_err();
//! assert_eq!((denial.errno, denial.rule), (Errno::EPERM, Rule::UnshareNeedsAdmin));
//!
//! // What if it asked for a user namespace too? A copy is cheap to ask.
//! let mut what_if = kernel.clone();
//! what_if.unshare(shell, CLONE_NEWUSER | CLONE_NEWUTS)?;
//! what_if.sethostname(shell, b"box")?;
//!
//! // Here nothing has happened.
//! assert_eq!(kernel.nsproxy_number(shell), kernel.nsproxy_number(kernel.init()));
//! assert_eq!(kernel.uname(shell)?.nodename, b"(none)");
//! # Ok::<(), nsproxy::Denial>(())
//! ```
//!
//! # Two nsproxies
//!
//! ```
//! use nsproxy::{CloneArgs, Denial, Kernel, NsLink, TaskId, uapi::CLONE_NS_FLAGS};
//!
//! fn print(kernel: &Kernel, who: &str, task: TaskId) -> Result<(), Denial> {
//!     println!("{who}: nsproxy {:?}", kernel.nsproxy_number(task));
//!     for link in NsLink::ALL {
//!         let text = kernel.readlink_ns(kernel.init(), task, link)?;
//!         println!("  {:<18} {text}", link.name());
//!     }
//!     Ok(())
//! }
//!
//! fn main() -> Result<(), Denial> {
//!     let mut kernel = Kernel::default();
//!     let init = kernel.init();
//!     let parent = kernel.fork(init)?;
//!     let child = kernel.clone3(parent.task, &CloneArgs::new(CLONE_NS_FLAGS))?;
//!     print(&kernel, "parent", parent.task)?;
//!     print(&kernel, "child", child.task)?;
//!     assert_eq!(kernel.getpid(child.task)?, 1);
//!     Ok(())
//! }
//! ```
//!
//! # How it is used
//!
//! - [`Kernel`] is the one value. There is no clock, no I/O and no global state; the
//!   same calls give the same state. One method stands for each system call and takes
//!   the calling task first; observations are made *as seen by* a task.
//! - Every refusal is a [`Denial`]: an errno and the [`Rule`] behind it. RULES.md
//!   lists them all; [`coverage`] says what is covered and what is not.
//! - [`Params`] chooses the release (6.18 unless said otherwise), sysctls, and what
//!   refuses from outside the namespace rules.
//! - [`scenario`] runs small scripts and draws who is in which namespaces.
//! - [`Kernel::check`] says whether an invariant is broken, and a kernel can be built
//!   as found on a running system: [`Kernel::host_namespace`], [`Kernel::host_spawn`].
//!
//! Files and functions have the names of the kernel's own, so that a reader of one
//! finds the place in the other. `mount/` is a split of `fs/namespace.c`, with what the
//! calls need of `fs/namei.c` and `fs/pnode.c` beside it.

#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;

mod arena;
mod canonical;
mod capability;
mod cgroup;
mod check;
mod cred;
mod errno;
mod exec;
mod exit;
mod file;
mod fork;
mod holders;
mod host;
mod idmap;
mod idr;
mod ipc;
mod kernel;
mod mount;
mod net;
mod ns_common;
mod nsfs;
mod nsproxy;
mod nstree;
pub mod op;
mod params;
mod pid;
mod pid_namespace;
mod pidfs;
mod prctl;
mod proc;
mod ptrace;
mod rule;
pub mod scenario;
mod shared;
mod signal;
mod sys;
mod table;
mod task;
mod time_namespace;
pub mod uapi;
mod ucount;
mod user_namespace;
mod utsname;

#[doc = include_str!("../COVERAGE.md")]
pub mod coverage {}

pub use capability::{Cap, CapSet};
pub use check::Broken;
pub use cred::{Kgid, Kuid};
pub use errno::Errno;
pub use exec::{FileCaps, Program};
pub use exit::{Waited, exit_status};
pub use file::{Descriptor, Fd};
pub use fork::{Child, CloneArgs};
pub use holders::Holder;
pub use host::{Credentials, HostMount, Placement};
pub use idmap::{Extent, MapKind};
pub use ipc::{IpcSysctl, SemOp};
pub use kernel::Kernel;
pub use mount::{LISTMOUNT_REVERSE, MntIdReq, MountAttr, MountLine, ProcOptions};
pub use net::Device;
pub use ns_common::{NsId, NsKind};
pub use nsfs::{NsAnswer, NsHandle, NsInfo, NsIoctl, NsLink};
pub use nstree::{LISTNS_CURRENT_USER, NsIdReq};
pub use params::{Call, Effect, Features, Hook, Mutation, Params, ParamsMut, Release};
pub use pid_namespace::Reboot;
pub use pidfs::{PidfdAnswer, PidfdInfo, PidfdIoctl};
pub use prctl::{CapSets, Prctl};
pub use proc::Status;
pub use rule::{Denial, Facts, Releases, Rule, rules_page};
pub use signal::Disposition;
pub use task::{RLIM_INFINITY, Resource, State, TaskId};
pub use time_namespace::{Clock, Clocks, Timespec};
pub use utsname::Utsname;
