//! placeholder docs
#![warn(missing_docs)]

mod caps;
mod errno;
mod error;
mod handle;
mod idmap;
mod kind;
mod process;
mod sys;

pub use caps::Capabilities;
pub use errno::Errno;
pub use error::{Error, Result};
pub use handle::{Namespace, NamespaceId};
pub use idmap::{Extent, IdKind, IdMap, IdRange, MapError, MapWriter, subordinate_gids, subordinate_uids};
pub use kind::{Kind, Kinds};
pub use process::{Credentials, Process};
