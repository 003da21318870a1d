//! Descriptors of nsscript's caller that programs may get.

use std::os::fd::{AsFd, OwnedFd};

use crate::diag::Report;
use crate::ops::PassFd;
use crate::sys::{self, Errno, Referred};

/// Duplicates a descriptor of the caller for a program, which gets it as `number`.
///
/// # Errors
/// It is not open, belongs to nsscript, or gives the program more than a file.
pub fn pass_fd(from: i64, number: i64, directory: bool) -> Result<PassFd, Report> {
    let source = PassFd::number(from).map_err(|error| Report::from(&error))?;
    PassFd::number(number).map_err(|error| Report::from(&error))?;
    let why = |why: String| Report::error(format!("cannot pass the descriptor {from}: {why}"));
    let refused = |errno: Errno| {
        let mut report = why(errno.to_string());
        report.facts.errno = Some(errno.code());
        report
    };
    let descriptor = sys::of_caller(source).map_err(|errno| match errno.name().as_str() {
        "EBADF" => {
            let hint = format!("open it in the shell that starts nsscript: `{from}< file`");
            why("it is not open".into()).hint(hint)
        }
        _ => refused(errno),
    })?;
    let Some(descriptor) = descriptor else {
        let hint = "pass a descriptor that the caller of nsscript has opened";
        return Err(why("it belongs to nsscript itself".into()).hint(hint));
    };
    checked(Some(source), number, directory, descriptor)
}

/// Checks an open descriptor for a program, which gets it as `number`.
///
/// # Errors
/// It gives the program more than a file.
pub fn checked(
    from: Option<i32>,
    number: i64,
    directory: bool,
    descriptor: OwnedFd,
) -> Result<PassFd, Report> {
    let why = |why: &str| {
        let shown = from.map(|from| format!(" {from}")).unwrap_or_default();
        Report::error(format!("cannot pass the descriptor{shown}: {why}"))
    };
    let referred = sys::referred(descriptor.as_fd()).map_err(|errno| {
        let mut report = why(&errno.to_string());
        report.facts.errno = Some(errno.code());
        report
    })?;
    // A few more are needed while the program starts.
    if u64::try_from(number).is_ok_and(|number| number + 16 > sys::most_descriptors()) {
        let report = why("its number in the program is too near the limit of open descriptors");
        return Err(report.hint("choose a smaller number, or raise the limit with `ulimit -n`"));
    }
    match referred {
        Referred::Other if directory => {
            let report = why("it is no directory");
            Err(report.hint("leave out `directory: true`"))
        }
        Referred::Directory if !directory => {
            let report = why("it is a directory, from which a program leaves its root by `..`");
            let hint = "bind the directory instead; `#{ directory: true }` passes it all the same";
            Err(report.hint(hint))
        }
        Referred::Terminal => {
            let report = why("it is a terminal, into which a program could type");
            Err(report.hint("use `run`, which relays the terminal of nsscript"))
        }
        Referred::Place => {
            let report = why("it only names a place (`O_PATH`), which a program could open anew");
            Err(report.hint("open the file itself, for reading or writing"))
        }
        Referred::Directory | Referred::Other => {
            PassFd::new(from, number, directory, descriptor).map_err(|error| Report::from(&error))
        }
    }
}
