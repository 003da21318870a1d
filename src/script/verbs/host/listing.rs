//! Tables of the system: an array of maps, one per row, all with the same keys.

use rhai::{Dynamic, Map};

use crate::diag::Report;
use crate::host::mountinfo::{self, Mount};
use crate::host::namespace_table::{self, Found};
use crate::host::process_table::{self, Entry};
use crate::host::procfs::ProcError;
use crate::host::routes::{self, Route};
use crate::run::{self, Interface};
use crate::script::binding::argument::Returned;
use crate::script::binding::call::Call;
use crate::script::binding::error::VerbError;
use crate::script::binding::verb::{Verb, verbs};

/// The verbs of this file.
pub(in crate::script::verbs) const VERBS: &[Verb] = verbs!["listing.rs";
    fn mounts,
    fn processes,
    fn lsns,
    fn interfaces,
    fn routes,
];

/// The error for an unreadable file in /proc.
pub(in crate::script::verbs) fn unread(failed: &ProcError, call: &Call<'_, '_>) -> VerbError {
    let mut report = Report::error(failed.to_string());
    report.facts.operation = Some("read".into());
    report.facts.errno = failed.error.raw_os_error();
    report.facts.source = Some(failed.path.to_string_lossy().into_owned());
    call.fail(report.hint("mount a proc filesystem on `/proc`"))
}

/// A row of a table.
pub(in crate::script::verbs) fn row<const N: usize>(cells: [(&str, Dynamic); N]) -> Map {
    cells.into_iter().map(|(name, value)| (name.into(), value)).collect()
}

fn mount_row(mount: Mount) -> Map {
    row([
        ("id", mount.id.into()),
        ("parent", mount.parent.into()),
        ("target", mount.target.into()),
        ("source", mount.source.into()),
        ("type", mount.kind.into()),
        ("root", mount.root.into()),
        ("options", mount.options.into()),
        ("super_options", mount.super_options.into()),
        ("propagation", mount.propagation.into()),
    ])
}

fn process_row(entry: Entry) -> Map {
    row([
        ("pid", i64::from(entry.pid).into()),
        ("ppid", i64::from(entry.ppid).into()),
        ("uid", i64::from(entry.uid).into()),
        ("user", entry.user.into()),
        ("state", entry.state.into()),
        ("name", entry.name.into()),
        ("command", entry.command.into()),
    ])
}

fn namespace_row(found: Found) -> Map {
    let first = found.first;
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    row([
        ("inode", number(found.inode).into()),
        ("kind", found.kind.into()),
        ("processes", number(found.processes as u64).into()),
        ("pid", first.as_ref().map(|entry| i64::from(entry.pid)).into_dynamic()),
        ("user", first.as_ref().map(|entry| entry.user.clone()).into_dynamic()),
        ("command", first.map(|entry| entry.command).into_dynamic()),
        ("path", found.path.into_dynamic()),
    ])
}

pub(in crate::script::verbs) fn interface_row(interface: Interface) -> Map {
    let mac = interface.mac.map(|bytes| bytes.map(|byte| format!("{byte:02x}")).join(":"));
    let addresses = interface.addresses.iter();
    let addresses = addresses.map(|(address, prefix)| format!("{address}/{prefix}"));
    row([
        ("name", interface.name.into()),
        ("index", i64::from(interface.index).into()),
        ("up", interface.up.into()),
        ("running", interface.running.into()),
        ("loopback", interface.loopback.into()),
        ("mac", mac.into_dynamic()),
        ("mtu", interface.mtu.map(i64::from).into_dynamic()),
        ("addresses", addresses.collect::<Vec<_>>().into_dynamic()),
    ])
}

pub(in crate::script::verbs) fn route_row(route: Route) -> Map {
    row([
        ("destination", route.network().into()),
        ("gateway", route.gateway.map(|gateway| gateway.to_string()).into_dynamic()),
        ("device", route.device.into_dynamic()),
        ("metric", i64::from(route.metric).into()),
    ])
}

/// Returns the mounts in nsscript's mount namespace, in the order of the kernel.
///
/// Each row has these keys:
/// - `id` and `parent`, the ids of the mount and of the mount below it;
/// - `target`, `source` and `type`;
/// - `root`, the part of the file system that is mounted;
/// - `options` of the mount, such as `"rw,nosuid"`, and `super_options` of the file system;
/// - `propagation`: `"private"`, `"shared:N"`, `"slave:N"`, `"shared:N slave:M"` or `"unbindable"`.
///
/// # Errors
/// No proc filesystem is mounted on /proc.
///
/// # Example
/// ```rhai
/// for mount in mounts().filter(|mount| mount.type == "tmpfs") { print(mount.target); }
/// ```
/// # See
/// proc_pid_mountinfo(5), mount_namespaces(7)
fn mounts(call: &Call<'_, '_>) -> Result<Vec<Map>, VerbError> {
    call.context.begin_session(call.origin().as_ref())?;
    let found = mountinfo::read(&call.context.runner.host().tree);
    let found = found.map_err(|error| unread(&error, call))?;
    Ok(found.into_iter().map(mount_row).collect())
}

/// Returns the processes that /proc shows, sorted by process id.
///
/// Each row has `pid`, `ppid`, `uid` (the effective user id), `user` (its name, or the id if it has
/// none), `state` (`"running"`, `"sleeping"`, `"zombie"`, …), `name` and `command`. `command` is
/// the command line, or the name in brackets for processes without one, such as kernel threads.
/// /proc shows the PID namespace in which it was mounted.
///
/// # Errors
/// No proc filesystem is mounted on /proc.
///
/// # Example
/// ```rhai
/// let own = processes().filter(|process| process.uid == getuid());
/// print(`${own.len()} processes of this user`);
/// ```
/// # See
/// proc_pid_status(5), ps(1)
fn processes(call: &Call<'_, '_>) -> Result<Vec<Map>, VerbError> {
    call.context.begin_session(call.origin().as_ref())?;
    let found = process_table::read(&call.context.runner.host().tree);
    let found = found.map_err(|error| unread(&error, call))?;
    Ok(found.into_iter().map(process_row).collect())
}

/// Returns the namespaces on the machine, sorted by inode, as lsns(8) lists them.
///
/// Each row has these keys:
/// - `inode`, the number of the namespace;
/// - `kind`: `"mnt"`, `"uts"`, `"ipc"`, `"pid"`, `"net"`, `"user"`, `"cgroup"` or `"time"`;
/// - `processes`, the number of processes in it;
/// - `pid`, `user` and `command` of the process with the lowest id, or `()` if there is no process;
/// - `path`, where the namespace is mounted, or `()`.
///
/// Processes whose namespaces cannot be read, such as those of other users, are left out.
///
/// # Errors
/// No proc filesystem is mounted on /proc.
///
/// # Example
/// ```rhai
/// for found in lsns().filter(|found| found.kind == "net") {
///     print(`${found.inode}: ${found.processes} processes`);
/// }
/// ```
/// # See
/// lsns(8), namespaces(7)
fn lsns(call: &Call<'_, '_>) -> Result<Vec<Map>, VerbError> {
    call.context.begin_session(call.origin().as_ref())?;
    let found = namespace_table::read(&call.context.runner.host().tree);
    let found = found.map_err(|error| unread(&error, call))?;
    Ok(found.into_iter().map(namespace_row).collect())
}

/// Returns the interfaces in nsscript's network namespace, sorted by index.
///
/// Each row has `name`, `index`, `up` (it is set up), `running` (it is up and has a carrier),
/// `loopback`, `mac`, `mtu` and `addresses`, an array such as `["127.0.0.1/8", "::1/128"]`.
///
/// # Example
/// ```rhai
/// for found in interfaces() { print(`${found.name}: ${found.addresses}`); }
/// ```
/// # See
/// getifaddrs(3), netdevice(7), network_namespaces(7)
fn interfaces(call: &Call<'_, '_>) -> Result<Vec<Map>, VerbError> {
    let found = run::interfaces().map_err(|errno| {
        let mut report = Report::error(format!("cannot list the interfaces: {errno}"));
        report.facts.errno = Some(errno.code());
        call.fail(report)
    })?;
    Ok(found.into_iter().map(interface_row).collect())
}

/// Returns the routes in nsscript's network namespace, IPv4 before IPv6.
///
/// Each row has `destination` (`"default"` or a network such as `"10.0.0.0/24"`), `gateway` (`()`
/// if the network is directly connected), `device` (`()` if the route rejects packets) and
/// `metric`. For a multipath route, only the first gateway is listed.
///
/// # Errors
/// No proc filesystem is mounted on /proc.
///
/// # Example
/// ```rhai
/// let ways = routes().filter(|route| route.destination == "default");
/// print(if ways.is_empty() { "no way out" } else { ways[0].device });
/// ```
/// # See
/// route(8), network_namespaces(7)
fn routes(call: &Call<'_, '_>) -> Result<Vec<Map>, VerbError> {
    let found = routes::read(&call.context.runner.host().tree);
    let found = found.map_err(|error| unread(&error, call))?;
    Ok(found.into_iter().map(route_row).collect())
}
