//! The processes of a sandbox: their start and their settings.

mod clock;
mod execute;
mod groups;
mod limit;
mod listing;
mod names;
mod pass_fd;
mod pod;
mod seccomp;
mod session;
mod settings;
mod start;
mod sysctl;
mod user_namespaces;

pub use clock::*;
pub use execute::*;
pub use groups::*;
pub use limit::*;
pub use listing::*;
pub use names::*;
pub use pass_fd::*;
pub use pod::*;
pub use seccomp::*;
pub use session::*;
pub use settings::*;
pub use start::*;
pub use sysctl::*;
pub use user_namespaces::*;
