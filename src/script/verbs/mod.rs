//! The verbs, by what they are about. Their doc comments are their manual pages.

#![allow(clippy::needless_pass_by_value, reason = "a verb is given its arguments, to use or not")]

mod child;
mod command;
mod error;
mod file;
mod handle;
mod host;
mod identity;
mod image;
mod kernel;
mod listing;
mod machine;
mod mount;
mod mount_data;
mod mounting;
mod namespace;
mod narrate;
mod needs;
mod network;
mod network_link;
mod network_program;
mod network_route;
mod network_table;
mod outcome;
mod process;
mod question;
mod rootfs;
mod sandbox;
mod tree;

use super::verb::Verb;

/// Every verb, by file; a static, so that the program has the texts once.
pub(super) static ALL: &[&[Verb]] = &[
    host::VERBS,
    question::VERBS,
    listing::VERBS,
    narrate::VERBS,
    sandbox::VERBS,
    namespace::VERBS,
    mount::VERBS,
    identity::VERBS,
    command::VERBS,
    network::VERBS,
    network_link::VERBS,
    network_route::VERBS,
    network_table::VERBS,
    network_program::VERBS,
    rootfs::VERBS,
    needs::VERBS,
    tree::VERBS,
    image::VERBS,
    kernel::VERBS,
    child::VERBS,
    handle::VERBS,
    mounting::VERBS,
    file::VERBS,
    process::VERBS,
    outcome::VERBS,
    error::VERBS,
    machine::VERBS,
];
