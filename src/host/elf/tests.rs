//! What whole programs need, in trees made for the purpose.

use std::path::Path;

use object::elf;

use super::sample::Sample;
use super::{ElfError, ElfErrorKind, Kind, Loader, Needs, library, needs};
use crate::host::fixture::Fixture;

const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
const MUSL: &str = "/lib/ld-musl-x86_64.so.1";

/// A tree with a loader of the GNU C library and a `libc.so.6` that asks for it.
fn tree_with_libc(name: &str) -> Fixture {
    let made = Fixture::new(&format!("needs-{name}"));
    let loader = Sample::library(&[]).with(elf::DT_SONAME, "ld-linux-x86-64.so.2");
    let strings = b"\0/lib64/\0/usr/lib64/\0".to_vec();
    made.program("lib64/ld-linux-x86-64.so.2", &[loader.bytes(), strings].concat());
    let libc = Sample::library(&["ld-linux-x86-64.so.2"]).with(elf::DT_SONAME, "libc.so.6");
    made.file("lib64/libc.so.6", &libc.bytes());
    made
}

fn ask(made: &Fixture, program: &str) -> Needs {
    needs(&made.tree(), Path::new(program)).unwrap()
}

fn kind(made: &Fixture, program: &str) -> ElfErrorKind {
    needs(&made.tree(), Path::new(program)).unwrap_err().kind
}

fn paths(needs: &Needs) -> Vec<&str> {
    needs.library_paths().into_iter().map(|path| path.to_str().unwrap()).collect()
}

fn missing(needs: &Needs) -> Vec<String> {
    needs.all_missing().into_iter().map(ToString::to_string).collect()
}

#[test]
fn libraries_come_breadth_first_with_the_loader_where_it_is_asked_for() {
    let made = tree_with_libc("order");
    made.file("lib64/liba.so", &Sample::library(&["libdeep.so", "libc.so.6"]).bytes());
    made.file("lib64/libb.so", &Sample::library(&["libc.so.6"]).bytes());
    made.file("usr/lib64/libdeep.so", &Sample::library(&[]).bytes());
    made.program("bin/x", &Sample::program(LOADER, &["liba.so", "libb.so"]).bytes());
    made.link("bin", "sbin");
    let needs = ask(&made, "sbin/x");
    assert_eq!(needs.program, Path::new("/sbin/x"));
    assert_eq!(needs.resolved, Path::new("/bin/x"));
    assert_eq!(
        paths(&needs),
        ["/lib64/liba.so", "/lib64/libb.so", "/usr/lib64/libdeep.so", "/lib64/libc.so.6", LOADER]
    );
    assert_eq!(needs.files()[0], Path::new("/sbin/x"));
    assert_eq!(
        needs.outline().to_string(),
        "/sbin/x => /bin/x\n\
        \x20 liba.so => /lib64/liba.so (default directory)\n\
        \x20   libdeep.so => /usr/lib64/libdeep.so (default directory)\n\
        \x20   libc.so.6 => /lib64/libc.so.6 (default directory)\n\
        \x20     ld-linux-x86-64.so.2 => /lib64/ld-linux-x86-64.so.2 (the loader)\n\
        \x20 libb.so => /lib64/libb.so (default directory)\n\
        \x20   libc.so.6\n\
        \x20 /lib64/ld-linux-x86-64.so.2\n"
    );
    let why = needs.library_at(Path::new("/usr/lib64/libdeep.so")).unwrap().to_string();
    assert_eq!(why, "`/usr/lib64/libdeep.so`, needed by `/lib64/liba.so`: default directory");
}

#[test]
fn rpath_is_inherited_and_runpath_is_not() {
    for (tag, found) in [(elf::DT_RPATH, true), (elf::DT_RUNPATH, false)] {
        let made = tree_with_libc(&format!("inherit-{found}"));
        let program = Sample::program(LOADER, &["liba.so"]).with(tag, "$ORIGIN/../own");
        made.program("opt/app/bin/x", &program.bytes());
        made.file("opt/app/own/liba.so", &Sample::library(&["libb.so"]).bytes());
        made.file("opt/app/own/libb.so", &Sample::library(&[]).bytes());
        made.link("/opt/app/bin/x", "bin/x");
        let needs = ask(&made, "/bin/x");
        assert_eq!(paths(&needs)[0], "/opt/app/bin/../own/liba.so");
        assert_eq!(needs.is_complete(), found);
    }
}

#[test]
fn what_is_loaded_already_is_not_searched_again() {
    let made = tree_with_libc("loaded");
    let real = Sample::library(&[]).with(elf::DT_SONAME, "libreal.so.1");
    made.file("lib64/libreal-1.0.so", &real.bytes());
    made.link("libreal-1.0.so", "lib64/libalias.so");
    let wanted = ["libreal-1.0.so", "libreal.so.1", "libalias.so", "/lib64/libreal-1.0.so"];
    made.program("bin/x", &Sample::program(LOADER, &wanted).bytes());
    let needs = ask(&made, "/bin/x");
    assert_eq!(paths(&needs), ["/lib64/libreal-1.0.so", LOADER]);
    assert!(needs.requests.iter().take(4).all(|request| request.gets == Some(1)));
    assert!(needs.is_complete());
}

#[test]
fn what_is_missing_is_told_with_who_asked_and_why() {
    let made = Fixture::new("needs-missing");
    made.file("lib64/liba.so", &Sample::library(&["libnone.so"]).bytes());
    let other = Sample::library(&[]).for_machine(elf::EM_386, false, true);
    made.file("lib64/libother.so", &other.bytes());
    made.file("lib64/libtext.so", b"INPUT(libc.so.6)");
    made.link("libloop.so", "lib64/libloop.so");
    let wanted = ["liba.so", "libother.so", "libtext.so", "libloop.so", "bad\x1b/lib.so"];
    let program = Sample::program(LOADER, &wanted).with(elf::DT_AUXILIARY, "libfast.so");
    made.program("bin/x", &program.bytes());
    let needs = ask(&made, "/bin/x");
    assert_eq!(paths(&needs), ["/lib64/liba.so"]);
    assert_eq!(
        missing(&needs),
        [
            "`libother.so`, needed by `/bin/x`, exists only for another architecture, as \
             `/lib64/libother.so`",
            "`libtext.so`, needed by `/bin/x`, is unusable: cannot read `/lib64/libtext.so`: it \
             is neither an ELF program nor a script that begins with `#!`",
            "`libloop.so`, needed by `/bin/x`, is unusable: cannot read `/lib64/libloop.so`: too \
             many symbolic links lead to it (ELOOP)",
            "`bad\\u{1b}/lib.so`, needed by `/bin/x`, is not in the loader's search path",
            "`libnone.so`, needed by `/lib64/liba.so`, is not in the loader's search path",
            "`/lib64/ld-linux-x86-64.so.2`, the loader of `/bin/x`, does not exist",
        ]
    );
}

#[test]
fn musl_is_one_file_and_lets_runpath_be_inherited() {
    let made = Fixture::new("needs-musl");
    made.program("lib/ld-musl-x86_64.so.1", &Sample::library(&[]).bytes());
    made.link("ld-musl-x86_64.so.1", "lib/libc.musl-x86_64.so.1");
    let wanted = ["liba.so", "libc.musl-x86_64.so.1"];
    let program = Sample::program(MUSL, &wanted).with(elf::DT_RUNPATH, "/own");
    made.program("bin/x", &program.bytes());
    made.file("own/liba.so", &Sample::library(&["libb.so", "libpthread.so"]).bytes());
    made.file("own/libb.so", &Sample::library(&[]).bytes());
    let needs = ask(&made, "/bin/x");
    assert_eq!(paths(&needs), ["/own/liba.so", MUSL, "/own/libb.so"]);
    assert!(needs.is_complete());
}

#[test]
fn what_stands_alone_needs_nothing_and_a_library_can_be_asked_about() {
    let made = tree_with_libc("alone");
    let mut alone = Sample::library(&[]);
    alone.flags = 0x0800_0000;
    made.program("bin/static-pie", &alone.bytes());
    let needs = ask(&made, "/bin/static-pie");
    assert_eq!((needs.kind.clone(), paths(&needs)), (Kind::Static, vec![]));
    let needs = ask(&made, "/lib64/libc.so.6");
    assert_eq!((needs.kind.clone(), paths(&needs)), (Kind::Library, vec![LOADER]));
}

#[test]
fn libraries_are_found_by_name_for_programs_of_a_kind() {
    let made = tree_with_libc("library");
    made.file("usr/lib64/libnss_x.so.2", &Sample::library(&["libc.so.6"]).bytes());
    made.program("bin/x", &Sample::program(LOADER, &["libc.so.6"]).bytes());
    made.program("bin/script", b"#!/bin/x\n");
    let tree = made.tree();
    let found = library(&tree, "libnss_x.so.2", Path::new("/bin/script")).unwrap();
    assert_eq!(found.program, Path::new("/usr/lib64/libnss_x.so.2"));
    assert_eq!(paths(&found), ["/lib64/libc.so.6", LOADER]);
    let error = library(&tree, "libnss_y.so.2", Path::new("/bin/x")).unwrap_err();
    assert_eq!(error, ElfError { path: "libnss_y.so.2".into(), kind: ElfErrorKind::NoSuchLibrary });
}

#[test]
fn scripts_need_their_interpreter_and_what_env_runs() {
    let made = tree_with_libc("script");
    made.program("bin/sh", &Sample::program(LOADER, &["libc.so.6"]).bytes());
    made.program("usr/bin/env", &Sample::program(LOADER, &["libc.so.6"]).bytes());
    made.program("opt/bin/tool", &Sample::program(LOADER, &["libtool.so"]).bytes());
    made.file("lib64/libtool.so", &Sample::library(&[]).bytes());
    made.program("bin/a", b"#!/bin/sh -e\n");
    made.program("bin/b", b"#!/usr/bin/env tool\n");
    made.program("bin/c", b"#!/bin/b\n");
    let a = ask(&made, "/bin/a");
    assert_eq!(a.files(), ["/bin/a", "/bin/sh", "/lib64/libc.so.6", LOADER].map(Path::new));
    let tree = made.tree();
    let mut loader = Loader::new(&tree).with_path_variable("/bin:/opt/bin");
    let c = loader.needs(Path::new("/bin/c")).unwrap();
    assert!(c.is_complete());
    assert!(c.files().contains(&Path::new("/opt/bin/tool")));
    assert!(paths(&c).contains(&"/lib64/libtool.so"));
    assert_eq!(
        missing(&ask(&made, "/bin/b")),
        ["`tool`, which `/bin/b` asks `env` for, is not in `PATH`"]
    );
}

#[test]
fn files_that_cannot_be_run_are_refused_with_the_cause() {
    let made = tree_with_libc("refused");
    made.program("bin/text", b"echo");
    made.program("bin/lost", b"#!/bin/none\n");
    made.program("bin/odd", b"#!/bin env tool\n");
    made.program("bin/self", b"#!/bin/self\n");
    made.program("bin/cut", &Sample::program(LOADER, &["libc.so.6"]).bytes()[..100]);
    assert_eq!(kind(&made, "/bin/none"), ElfErrorKind::NotFound);
    assert_eq!(kind(&made, "/bin"), ElfErrorKind::Directory);
    assert_eq!(kind(&made, "/bin/text"), ElfErrorKind::NotProgram);
    assert_eq!(kind(&made, "/bin/lost"), ElfErrorKind::InterpreterMissing("/bin/none".into()));
    assert_eq!(
        needs(&made.tree(), Path::new("bin/odd")).unwrap_err().to_string(),
        "cannot run `/bin/odd`: its `#!` line: cannot read `/bin`: it is a directory"
    );
    assert_eq!(kind(&made, "/bin/self"), ElfErrorKind::InterpreterLoop);
    assert!(matches!(kind(&made, "/bin/cut"), ElfErrorKind::Malformed(_)));
    made.link("/bin/again", "bin/again");
    assert_eq!(kind(&made, "/bin/again"), ElfErrorKind::LinkLoop);
}
