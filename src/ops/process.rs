//! The processes of a sandbox: how they start, and what they start with.

mod execute;
mod names;
mod settings;
mod start;

pub use execute::{Closure, Execute};
pub use names::{Domainname, Hostname};
pub use settings::{Connect, NewSession, Umask, Workdir};
pub use start::{DieWithParent, Join, Start, StartInit};
