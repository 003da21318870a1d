//! Tar archives as streams: what is read of one at a time is a member's header and a piece of its
//! content, however long the archive is. tar(5), pax(1).
//!
//! Headers are those of the crate `tar`. Going from one to the next is done here: what stands in a
//! pax header can hold line ends and change the size, and what an archive says must not decide how
//! much memory is used.

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
