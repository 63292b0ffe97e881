//! placeholder docs
#![warn(missing_docs)]

mod caps;
pub mod discover;
mod enter;
mod errno;
mod error;
mod handle;
mod idmap;
mod kind;
mod launch;
mod pin;
mod plan;
mod process;
mod spawn;
mod standing;
mod sys;
mod userns;

pub use caps::Capabilities;
pub use enter::{enter, unshare};
pub use errno::Errno;
pub use error::{Error, Result};
pub use handle::{Namespace, NamespaceId};
pub use idmap::{
    Extent, IdKind, IdMap, IdMaps, IdRange, MapError, MapWriter, subordinate_gids, subordinate_uids,
};
pub use kind::{Kind, Kinds};
pub use pin::{pin, unpin};
pub use plan::{Actor, JoinTarget, Place, Plan, PlanStep, Source, Step};
pub use process::{Credentials, Process};
pub use spawn::{Child, ForwardSignals, Output, Propagation, Spawn, Stdio};
pub use userns::capabilities_in;
