//! The error of a request by netlink, in words.

use std::error::Error;
use std::fmt;

use super::wire::NetlinkError;

impl fmt::Display for NetlinkError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.trouble.fmt(out)?;
        match &self.words {
            Some(words) => write!(out, ": {words}"),
            None => Ok(()),
        }
    }
}

impl Error for NetlinkError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.trouble)
    }
}
