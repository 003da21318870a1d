//! The processes of a sandbox: how they start, and what they start with.

mod execute;
mod limit;
mod names;
mod settings;
mod start;
mod sysctl;

pub use execute::*;
pub use limit::*;
pub use names::*;
pub use settings::*;
pub use start::*;
pub use sysctl::*;
