//! Tar archives as streams, read by header and piece of content, however long they are: tar(5),
//! pax(1).
//!
//! The crate `tar` decodes headers. Moving from one header to the next is done here, because values
//! in pax headers can contain line ends and change the size, and because an archive must not decide
//! how much memory is used.

mod compression;
mod error;
mod header;
pub(in crate::run) mod pax;
mod reader;
mod sparse;

pub(in crate::run) use compression::{CUT_OFF, Decoded, Encoder, decode};
pub(in crate::run) use error::{ArchiveError, ArchiveErrorKind};
pub(in crate::run) use header::MemberKind;
pub(in crate::run) use pax::Records;
pub(in crate::run) use reader::{Member, Reader};
