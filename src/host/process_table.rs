//! The processes that /proc shows: proc_pid(5).

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::accounts;
use super::procfs::ProcError;
use super::tree::Tree;

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub pid: i32,
    /// The number of its parent; 0 if that is not visible.
    pub ppid: i32,
    /// Its effective user.
    pub uid: u32,
    /// The name of that user; its number if it has none.
    pub user: String,
    /// Its state: `running`, `sleeping`, `zombie`.
    pub state: String,
    /// Its name, which it can change.
    pub name: String,
    /// Its command line; its name in brackets if that is empty.
    pub command: String,
}

/// The directory of the processes.
pub(super) fn directory(tree: &Tree) -> PathBuf {
    tree.real(Path::new("/proc"))
}

/// The processes, sorted by number. A process that ends meanwhile is omitted.
///
/// # Errors
/// /proc is not mounted.
pub fn read(tree: &Tree) -> Result<Vec<Entry>, ProcError> {
    let unread = |error| ProcError { path: "/proc".into(), error };
    let proc = directory(tree);
    let names = accounts::user_names(tree);
    let (mut found, mut hidden) = (Vec::new(), None);
    for entry in fs::read_dir(&proc).map_err(unread)? {
        let name = entry.map_err(unread)?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        match process(&proc, pid, &names) {
            Ok(entry) => found.extend(entry),
            // Of somebody else, and hidden (hidepid): ptrace(2) has the rules.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => hidden = Some(error),
            Err(error) => return Err(unread(error)),
        }
    }
    if found.is_empty() {
        let none = || io::Error::other("it shows no processes");
        return Err(unread(hidden.unwrap_or_else(none)));
    }
    found.sort_by_key(|entry| entry.pid);
    Ok(found)
}

/// A process; `None` if it has ended.
fn process(proc: &Path, pid: i32, names: &BTreeMap<u32, String>) -> io::Result<Option<Entry>> {
    const ESRCH: i32 = 3;
    let text = |file: &str| match fs::read(proc.join(pid.to_string()).join(file)) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(ESRCH) => Ok(None),
        Err(error) => Err(error),
    };
    let (Some(status), Some(comm), Some(cmdline)) =
        (text("status")?, text("comm")?, text("cmdline")?)
    else {
        return Ok(None);
    };
    Ok(entry(pid, &status, &comm, &cmdline, names))
}

/// Parses the files of a process's directory.
fn entry(
    pid: i32,
    status: &str,
    comm: &str,
    cmdline: &str,
    names: &BTreeMap<u32, String>,
) -> Option<Entry> {
    let field = |name: &str| {
        let value =
            |line: &str| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned());
        status.lines().find_map(value)
    };
    // Real, effective, saved, and that for files.
    let uid = field("Uid")?.split_whitespace().nth(1)?.parse().ok()?;
    let state = field("State")?;
    let state =
        state.split_once('(').map_or(state.as_str(), |(_, word)| word.trim_end_matches(')'));
    let name = comm.strip_suffix('\n').unwrap_or(comm).to_owned();
    let words = cmdline.trim_end_matches('\0').replace('\0', " ");
    let command = if words.is_empty() { format!("[{name}]") } else { words };
    Some(Entry {
        pid,
        ppid: field("PPid")?.parse().ok()?,
        uid,
        user: names.get(&uid).cloned().unwrap_or_else(|| uid.to_string()),
        state: state.to_owned(),
        name,
        command,
    })
}

#[cfg(test)]
mod tests {
    use super::{Entry, read};
    use crate::host::fixture::Fixture;

    fn status(name: &str, state: &str, ppid: i32, uid: u32) -> String {
        format!("Name:\t{name}\nState:\t{state}\nPPid:\t{ppid}\nUid:\t0\t{uid}\t0\t0\n")
    }

    #[test]
    fn processes_are_told_by_number_with_their_users() {
        let host = Fixture::new("processes");
        host.file("etc/passwd", b"root:x:0:0::/:\nal:x:7:8::/:\n");
        let process = |pid: &str, status: &str, comm: &str, cmdline: &str| {
            host.file(&format!("proc/{pid}/status"), status.as_bytes());
            host.file(&format!("proc/{pid}/comm"), comm.as_bytes());
            host.file(&format!("proc/{pid}/cmdline"), cmdline.as_bytes());
        };
        process("10", &status("x", "Z (zombie)", 2, 9), "a b)\n", "");
        process("2", &status("sh", "S (sleeping)", 0, 7), "sh\n", "sh\0-c\0true\0\0\0");
        host.file("proc/3/status", b"Name:\tone that ends meanwhile\n");
        host.file("proc/uptime", b"1 1\n");
        let found = read(&host.tree()).unwrap();
        let entry = |pid, ppid, uid, texts: [&str; 4]| {
            let [user, state, name, command] = texts.map(str::to_owned);
            Entry { pid, ppid, uid, user, state, name, command }
        };
        let shell = entry(2, 0, 7, ["al", "sleeping", "sh", "sh -c true"]);
        assert_eq!(found, [shell, entry(10, 2, 9, ["9", "zombie", "a b)", "[a b)]"])]);
    }

    #[test]
    fn a_directory_without_processes_is_no_proc() {
        let host = Fixture::new("no-processes");
        host.file("proc/x", b"");
        let told = read(&host.tree()).map_err(|unread| unread.error.to_string());
        assert_eq!(told, Err("it shows no processes".to_owned()));
    }
}
