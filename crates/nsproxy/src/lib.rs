//! nsproxy
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
mod idmap;
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
mod signal;
mod sys;
mod table;
mod task;
mod time_namespace;
pub mod uapi;
mod ucount;
mod user_namespace;
mod utsname;

pub use capability::{Cap, CapSet};
pub use check::Broken;
pub use cred::{Kgid, Kuid};
pub use errno::Errno;
pub use exec::{FileCaps, Program};
pub use exit::{Waited, exit_status};
pub use file::Fd;
pub use fork::{Child, CloneArgs};
pub use idmap::{Extent, MapKind};
pub use ipc::SemOp;
pub use kernel::Kernel;
pub use mount::{MountAttr, MountLine};
pub use net::Device;
pub use ns_common::{NsId, NsKind};
pub use nsfs::{NsAnswer, NsHandle, NsInfo, NsIoctl, NsLink};
pub use nstree::{LISTNS_CURRENT_USER, NsIdReq};
pub use params::{Call, Features, Hook, Mutation, Params, Release};
pub use pid_namespace::Reboot;
pub use pidfs::{PidfdAnswer, PidfdInfo, PidfdIoctl};
pub use prctl::{CapSets, Prctl};
pub use proc::Status;
pub use rule::{Denial, Facts, Releases, Rule, rules_page};
pub use signal::Disposition;
pub use task::{RLIM_INFINITY, Resource, State, TaskId};
pub use time_namespace::{Clock, Clocks, Timespec};
pub use utsname::Utsname;
