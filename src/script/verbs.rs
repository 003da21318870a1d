//! The verbs, by subject. Their doc comments are their help pages.

#![allow(clippy::needless_pass_by_value, reason = "a verb is given its arguments, to use or not")]

mod host;
mod network;
mod raw;
pub(in crate::script) mod rootfs;
mod sandbox;

use super::binding::verb::Verb;

/// Every verb, by file. A static, so that the program contains the texts once.
pub(super) static ALL: &[&[Verb]] = &[
    host::VERBS,
    host::question::VERBS,
    host::listing::VERBS,
    host::narrate::VERBS,
    host::text::VERBS,
    host::path::VERBS,
    host::files::VERBS,
    host::stream::VERBS,
    sandbox::VERBS,
    sandbox::namespace::VERBS,
    sandbox::mount::VERBS,
    sandbox::contents::VERBS,
    sandbox::identity::VERBS,
    sandbox::privilege::VERBS,
    sandbox::policy::VERBS,
    sandbox::command::VERBS,
    network::VERBS,
    network::link::VERBS,
    network::route::VERBS,
    network::table::VERBS,
    network::program::VERBS,
    rootfs::VERBS,
    rootfs::dependencies::VERBS,
    rootfs::tree::VERBS,
    rootfs::image::VERBS,
    raw::VERBS,
    raw::child::VERBS,
    raw::handle::VERBS,
    raw::mounting::VERBS,
    raw::file::VERBS,
    sandbox::process::VERBS,
    sandbox::on_host::VERBS,
    sandbox::outcome::VERBS,
    host::error::VERBS,
    host::machine::VERBS,
];
