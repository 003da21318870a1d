//! The verbs in an engine of another program.

use std::fmt;

/// The engine that the verbs are for, in the version and with the features that they need.
pub use rhai;
use rhai::{Engine, EvalAltResult};

use super::error::Error;
use crate::diag;
use crate::script::Package;

/// All verbs of recipes, for an engine of your own.
///
/// The engine keeps what it has: its limits, its `print`, its functions. Only `sleep` and `trim`
/// become those of recipes. Processes that scripts start are ended, and what was made for them is
/// removed, when the package and all engines that have it are dropped.
///
/// Raw calls, such as `unshare`, `mount`, `scratch`, `netns` and `exec`, change the calling process
/// for good, as they change `nsscript` itself in a recipe: the first one moves it into a mount
/// namespace of its own, and, if it is not root's, into a user namespace. They fail if the process
/// has more than one thread, and so do closures. `exit(status)` and `need` end the script as
/// `EvalAltResult::ErrorTerminated` or `Exit`: see [`SandboxPackage::error`].
///
/// Use the engine of [`nsscript::rhai`](crate::rhai), which has the version and the features that
/// the verbs need.
///
/// ```
/// use nsscript::{SandboxPackage, rhai::Engine};
///
/// let package = SandboxPackage::new();
/// let mut engine = Engine::new();
/// package.register_into_engine(&mut engine);
/// let name: String = engine.eval(
///     r#"
///         let box = sandbox().host_view().hostname("box");
///         box.output("hostname").stdout
///     "#,
/// )?;
/// assert_eq!(name, "box\n");
///
/// let error = engine.run("sandbox().bind(1)").unwrap_err();
/// let error = package.error(*error);
/// assert_eq!(error.location().as_deref(), Some("script:1:11"));
/// # Ok::<(), Box<rhai::EvalAltResult>>(())
/// ```
#[derive(Clone)]
pub struct SandboxPackage(Package);

impl Default for SandboxPackage {
    fn default() -> Self {
        Self::new()
    }
}

impl SandboxPackage {
    /// The verbs. Warnings are written to standard error.
    #[must_use]
    pub fn new() -> Self {
        // Nobody is left to tell if that cannot be written.
        Self::with_warnings(|warning| diag::say(&format!("warning: {warning}\n")))
    }

    /// The verbs, with a function that is given each warning, one sentence.
    #[must_use]
    pub fn with_warnings(warn: impl Fn(&str) + 'static) -> Self {
        Self(Package::new(Box::new(move |report| warn(&report.message))))
    }

    /// Registers the verbs, their types, and the constants `USER`, `MOUNT`, `PID` and so on.
    pub fn register_into_engine(&self, engine: &mut Engine) {
        self.0.register_into_engine(engine);
    }

    /// What went wrong in a script, in the words of `nsscript`, with places in its text.
    #[must_use]
    pub fn error(&self, error: EvalAltResult) -> Error {
        self.0.reports(error).into()
    }
}

impl fmt::Debug for SandboxPackage {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SandboxPackage").finish_non_exhaustive()
    }
}
