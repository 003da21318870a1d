//! The verbs, by what they are about. Their doc comments are their manual pages.

mod command;
mod error;
mod host;
mod identity;
mod image;
mod listing;
mod machine;
mod mount;
mod namespace;
mod narrate;
mod outcome;
mod process;
mod question;
mod rootfs;
mod sandbox;

use super::verb::Verb;

/// Every verb, by file.
pub(super) const ALL: &[&[Verb]] = &[
    host::VERBS,
    question::VERBS,
    listing::VERBS,
    narrate::VERBS,
    sandbox::VERBS,
    namespace::VERBS,
    mount::VERBS,
    identity::VERBS,
    command::VERBS,
    rootfs::VERBS,
    image::VERBS,
    process::VERBS,
    outcome::VERBS,
    error::VERBS,
    machine::VERBS,
];
