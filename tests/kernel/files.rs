//! What a recipe asks about files, held against what stat(1) says.

use crate::support::as_each_user;

#[test]
fn a_file_is_what_stat_says() {
    let files = ["/etc/passwd", "/usr", "/dev/null", "/sys"];
    let recipe = "
        for path in args {
            let file = stat(path);
            let size = [file.size, file.allocated / 512, file.links];
            print(`${file.type} ${file.uid} ${file.gid} ${file.mode.to_octal()} ${size}`);
            print(`${file.inode} ${file.device}`);
        }
    ";
    as_each_user(|bench| {
        let names = files.join(" ");
        let script = format!(
            "stat -L -c '%F %u %g %a [%s, %b, %h]\n%i %d' {names} \
             | sed 's/^regular file/file/; s/^character special file/char/'\necho =\nexec \"$@\""
        );
        let arguments = [&["--host", "-e", recipe][..], &files].concat();
        let printed = bench.nsscript(&arguments).by_shell(&script).end().succeeded();
        let (told, answered) = printed.split_once("=\n").expect("both have printed");
        assert_eq!(told, answered);
    });
}

#[test]
fn an_owner_who_is_not_mapped_is_nobody() {
    as_each_user(|bench| {
        let recipe = "
            let owner = within(USER, || stat(\"/proc/sys\").uid);
            assert_eq(owner, 65534);
        ";
        bench.nsscript(&["-e", recipe]).end().succeeded();
    });
}
