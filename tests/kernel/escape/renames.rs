//! Places in writable directories of the host, renamed by programs with namespaces of their own.

use super::Canary;
use crate::support::{as_each_user, have};

/// Leaves the mounts of the sandbox behind: the directory, which was opened before, has none in a
/// mount namespace from which all of them are gone, and what was mounted on can be renamed.
const ATTACK: &str = r#"
import ctypes, os, platform, sys
libc = ctypes.CDLL(None, use_errno=True)
work, uid, gid = os.open("/tmp/w", os.O_RDONLY), os.getuid(), os.getgid()

def must(result):
    if result != 0:
        print("refused")
        sys.exit()

must(libc.unshare(0x10000000 | 0x20000))
for name, text in [("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")]:
    with open("/proc/self/" + name, "w") as file:
        file.write(text)
must(libc.mount(b"none", b"/mnt", b"tmpfs", 0, None))
os.chdir("/mnt")
must(libc.syscall(155 if platform.machine() == "x86_64" else 41, b".", b"."))
must(libc.umount2(b".", 2))
moved = os.path.join(os.path.dirname(sys.argv[1]), "moved")
os.rename(sys.argv[1], moved, src_dir_fd=work, dst_dir_fd=work)
made = ""
for name in sys.argv[2].split("/")[:-1]:
    made += name + "/"
    try:
        os.mkdir(made, dir_fd=work)
    except FileExistsError:
        pass
file = os.open(sys.argv[2], os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=work)
os.write(file, b"another\n")
print("replaced")
"#;

#[test]
fn protected_paths_of_the_host_stay_without_user_namespaces() {
    if !have(&["python3"]) {
        return;
    }
    as_each_user(|bench| {
        let canary = Canary::new(bench);
        for (number, (protected, moved)) in
            [("sub/.git", "sub"), ("sub/.git", "sub/.git"), ("own", "own")].into_iter().enumerate()
        {
            for forbids in [false, true] {
                let place = format!("place-{number}-{forbids}");
                let file = format!("{place}/{protected}/config");
                bench.file(&file, "kept\n");
                let verb = if forbids { ".forbid_user_namespaces()" } else { "" };
                let code = format!(
                    r#"sandbox("/").user(1000).group(1000)
                        .bind("{place}", "/tmp/w").read_only("/tmp/w/{protected}")
                        .pin("/tmp/w/{protected}"){verb}
                        .run(["python3", "-c", args[0], "{moved}", "{protected}/config"]);"#
                );
                let ended = bench.nsscript(&["-e", &code, ATTACK]).end();
                canary.holds(&format!("renaming {moved}, {protected} is pinned"), &ended);
                let warning = "can rename `/tmp/w/";
                assert_eq!(ended.stderr.contains(warning), !forbids, "{}", ended.stderr);
                let seen = (ended.stdout.as_str(), bench.content(&file));
                let wanted =
                    if forbids { ("refused\n", "kept\n") } else { ("replaced\n", "another\n") };
                assert_eq!(seen, (wanted.0, wanted.1.to_owned()), "{}", ended.stderr);
            }
        }
    });
}
