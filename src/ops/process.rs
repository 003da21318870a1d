//! The processes of a sandbox: their start and their settings.

mod execute;
mod limit;
mod listing;
mod names;
mod settings;
mod start;
mod sysctl;

pub use execute::*;
pub use limit::*;
pub use listing::*;
pub use names::*;
pub use settings::*;
pub use start::*;
pub use sysctl::*;
