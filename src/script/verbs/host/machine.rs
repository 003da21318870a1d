//! The properties of `host`. None is read before a recipe asks for it.

use super::listing::unread;
use crate::diag::{Report, closest, quoted};
use crate::host::{cgroups, mountinfo};
use crate::run;
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::value::HostFacts;
use crate::script::binding::verb::{Verb, verbs};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["machine.rs";
    get kernel,
    get machine,
    get uid,
    get gid,
    get is_root,
    get user_namespaces,
    fn has,
    get cgroup,
];

/// The version of Linux, as `uname -r` prints it: `"6.12.9-amd64"`.
fn kernel(_call: &Call<'_, '_>, _host: HostFacts) -> String {
    run::uname().release
}

/// The architecture: `"x86_64"` or `"aarch64"`.
fn machine(_call: &Call<'_, '_>, _host: HostFacts) -> String {
    run::uname().machine
}

/// The user id that started nsscript. `getuid()` is the current one.
fn uid(call: &Call<'_, '_>, _host: HostFacts) -> i64 {
    call.context.runner.host().uid.into()
}

/// The group id that started nsscript. `getgid()` is the current one.
fn gid(call: &Call<'_, '_>, _host: HostFacts) -> i64 {
    call.context.runner.host().gid.into()
}

/// Whether root started nsscript.
fn is_root(call: &Call<'_, '_>, _host: HostFacts) -> bool {
    call.context.runner.host().is_root()
}

/// Whether the kernel's settings allow the caller of nsscript to create user namespaces.
fn user_namespaces(call: &Call<'_, '_>, _host: HostFacts) -> bool {
    call.context.runner.host().allows_user_namespaces()
}

/// Returns whether a fact holds on this machine, as `nsscript doctor` reports it.
///
/// `fact` is a key of `nsscript doctor --json`: `"proc"`, `"sysfs"`, `"overlay"`, `"veth"`,
/// `"bridge"`, `"nftables"`, `"net_settings"`, `"tun"`, and others.
///
/// nsscript tries the fact in new namespaces, which leave nothing behind. A fact that cannot be
/// tried counts as true, because the recipe then fails with the actual cause. In a dry run every
/// fact is true.
///
/// # Errors
/// The fact is unknown.
///
/// # Example
/// ```rhai
/// skip_unless(host.has("veth"), "cables between networks");
/// ```
/// # See
/// `skip_unless`
fn has(call: &Call<'_, '_>, _host: HostFacts, fact: String) -> Result<bool, VerbError> {
    let verdict = call.effects().fact(&fact, call).map_err(|keys| {
        let message = format!("unknown fact {}", quoted(&fact));
        let report = Report::error(message);
        call.fail(match closest(&fact, keys.iter().copied()) {
            Some(near) => report.hint(format!("did you mean {}?", quoted(near))),
            None => report.hint("list all facts with `nsscript doctor --json`"),
        })
    })?;
    Ok(matches!(verdict, run::Verdict::Ok | run::Verdict::Unknown))
}

/// Which cgroup versions are mounted: `"v1"`, `"v2"`, `"hybrid"` (both) or `"none"`.
fn cgroup(call: &Call<'_, '_>, _host: HostFacts) -> Result<String, VerbError> {
    let mounts = mountinfo::read(&call.context.runner.host().tree);
    let mounts = mounts.map_err(|error| unread(&error, call))?;
    Ok(cgroups::layout(&mounts).to_owned())
}
