//! Which namespaces a sandbox has of its own.

use crate::script::verb::verbs;
use crate::spec::{Namespaces, Sandbox, What};

verbs! {
    /// Makes these namespaces new, after a `share` that left them out.
    ///
    /// # Example
    /// ```rhai
    /// sandbox("/").read_only_root().share(ALL - USER - MOUNT).unshare(PID | IPC).run("true");
    /// ```
    /// # See
    /// unshare(2), namespaces(7)
    fn unshare(call, sandbox: Sandbox, namespaces: Namespaces) -> Sandbox {
        Ok(sandbox.with(What::Unshare(namespaces), call.origin()))
    }

    /// Leaves these namespaces as they are: the sandbox has those of nsscript.
    ///
    /// All kinds are new unless they are shared.
    ///
    /// # Errors
    /// What would change the host then, as a host name with UTS shared, is refused before
    /// anything is done.
    ///
    /// # Example
    /// ```rhai
    /// sandbox("/").read_only_root().share(NET | UTS).run("uname -n");
    /// ```
    /// # See
    /// namespaces(7)
    fn share(call, sandbox: Sandbox, namespaces: Namespaces) -> Sandbox {
        Ok(sandbox.with(What::Share(namespaces), call.origin()))
    }
}
