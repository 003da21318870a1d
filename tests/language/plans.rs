//! Plans: for one sandbox on one machine, always the same list of actions.
//!
//! The machine is a small tree of files, the same wherever the tests run, looked at by root and by
//! a user. What is planned for each stands in `tests/plans`.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nsscript::internal::diag::{Format, Origin, Report, Sources, render};
use nsscript::internal::host::{Host, Tree};
use nsscript::internal::ops::{
    Bind, Dev, Devpts, Directory, Domainname, File, Hostname, Mask, Mount, Name, Proc, ReadOnly,
    Sandbox, Symlink, Sysfs, Tmpfs, Umask, What, Workdir,
};
use nsscript::internal::plan::{Kept, Layer, Planner, Request};
use nsscript::internal::spec::{
    Applets, BindOptions, Command, FileOptions, GuestPath, Id, IdRange, Ingredient, Kind,
    MountAttributes, MountOptions, Namespaces, Part, ProcOptions, Root, Rootfs, Streams,
};

use super::elf;
use super::nsscript::{PACKAGE, Scratch, updates};

const REWRITE: &str = "NSSCRIPT_UPDATE=1 cargo test --test suite plans";
const USER: u32 = 1000;

/// The machine that plans are made for.
fn machine(uid: u32) -> (Scratch, Planner) {
    let scratch = Scratch::new();
    scratch.file("etc/passwd", "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n");
    scratch.file("etc/group", "root:x:0:\nann:x:1000:\n");
    scratch.file("etc/subuid", "ann:100000:65536\n");
    scratch.file("etc/subgid", "1000:200000:65536\n");
    scratch.file("etc/hostname", "machine\n");
    scratch.file("srv/data/report", "text\n");
    scratch.file("srv/web/etc/passwd", "root:x:0:0::/:/bin/sh\nwww:x:33:33::/:/bin/sh\n");
    scratch.file("proc/sys/kernel/ostype", "Linux\n");
    scratch.file("proc/sysrq-trigger", "");
    for name in ["null", "zero", "full", "random", "urandom", "tty"] {
        scratch.file(&format!("dev/{name}"), "");
    }
    for name in ["home", "tmp", "usr/sbin", "var/tmp", "srv/web/data"] {
        scratch.directory(name);
    }
    scratch.program("usr/bin/newuidmap", "");
    scratch.program("usr/bin/newgidmap", "");
    scratch.program("usr/bin/tool", elf::program(Some("/lib/ld.so.1"), &["libtool.so.1"]));
    scratch.program("lib/ld.so.1", elf::program(None, &[]));
    scratch.file("lib/libtool.so.1", elf::program(None, &[]));
    let environment =
        [("PATH", "/usr/sbin:/usr/bin"), ("TERM", "dumb"), ("SECRET", "1")].map(own).into();
    let host = Host { tree: Tree::at(scratch.path()), uid, gid: uid, kernel: (6, 6), environment };
    (scratch, Planner::new(host))
}

/// These machines have no archives.
fn no_layer(part: Part<'_>, _: &[Layer]) -> Result<Rc<Kept>, Report> {
    panic!("{part:?}")
}

fn own((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn line(number: usize) -> Origin {
    Origin::new("recipe.rhai", u32::try_from(number).unwrap(), 1)
}

/// A sandbox whose root stands in line 1 of its recipe and whose steps stand in the lines below.
fn sandbox(root: Root, steps: Vec<What>) -> Sandbox {
    let first = Sandbox::new(root, Some(line(1)));
    let add = |sandbox: Sandbox, (index, what)| sandbox.with(what, Some(line(index + 2)));
    steps.into_iter().enumerate().fold(first, add)
}

fn path(text: &str) -> GuestPath {
    GuestPath::new(text).unwrap()
}

fn directory(path: &str) -> Root {
    Root::Directory(path.into())
}

fn bind(source: &str, target: &str, options: BindOptions) -> What {
    Bind { source: source.into(), target: path(target), options }.into()
}

fn read_only() -> BindOptions {
    let attributes = MountAttributes { read_only: true, ..MountAttributes::default() };
    BindOptions { attributes, ..BindOptions::default() }
}

fn tmpfs(target: &str) -> What {
    Tmpfs { target: path(target), size: None, mode: 0o755, create: false }.into()
}

fn proc() -> What {
    Proc { target: path("/proc"), options: ProcOptions::default() }.into()
}

fn file(target: &str) -> What {
    File {
        path: path(target),
        content: (b"text\n".to_vec()).into(),
        options: FileOptions::default(),
    }
    .into()
}

fn range(inside: u32, outside: u32, count: u32) -> IdRange {
    IdRange::new(inside.into(), outside.into(), count.into()).unwrap()
}

fn told(reports: &[Report]) -> String {
    let sources = Sources::default();
    let text = |report| render(report, &sources, Format::Human, false);
    reports.iter().map(text).collect::<Vec<_>>().join("\n")
}

/// What is planned for root and for a user, as it stands in the file.
fn planned(sandbox: &Sandbox) -> String {
    let words = ["tool", "--flag", "a b"].map(str::to_owned).to_vec();
    let command = Command::new(words).unwrap();
    let last = Some(line(sandbox.steps().len() + 1));
    let request = Request { command, streams: Streams::Inherited, origin: last };
    let of = |uid| {
        let (_scratch, planner) = machine(uid);
        match planner.plan(sandbox, &request, &no_layer) {
            Ok(plan) if plan.warnings.is_empty() => format!("{plan}\n"),
            Ok(plan) => format!("{}\n{plan}\n", told(&plan.warnings)),
            Err(reports) => told(&reports),
        }
    };
    format!("as root\n\n{}\nas user {USER}\n\n{}", of(0), of(USER))
}

#[track_caller]
fn golden(name: &str, sandbox: &Sandbox) {
    let file: PathBuf = Path::new(PACKAGE).join("tests/plans").join(name).with_extension("txt");
    let given = planned(sandbox);
    if updates() {
        return fs::write(file, given).unwrap();
    }
    let wanted = fs::read_to_string(&file).unwrap_or_default();
    assert!(
        given == wanted,
        "{name}\n--- expected\n{wanted}--- given\n{given}`{REWRITE}` rewrites it"
    );
}

#[test]
fn an_empty_root() {
    golden("empty_root", &sandbox(Root::Empty, vec![]));
}

#[test]
fn every_attribute_that_differs() {
    let all = MountAttributes {
        read_only: true,
        suid: true,
        devices: true,
        exec: false,
        symlinks: false,
    };
    let options = BindOptions { attributes: all, recursive: false, ..BindOptions::default() };
    let memory = MountOptions { data: Vec::new(), attributes: all };
    let (source, target, kind) = ("memory".into(), path("/memory"), "tmpfs".into());
    let sandbox = sandbox(
        Root::Empty,
        vec![
            bind("/usr", "/usr", options),
            Mount { source, target, kind, options: memory, create: false }.into(),
        ],
    );
    golden("attributes", &sandbox);
    let printed = sandbox.to_string();
    let said = ", read-only, with suid, with devices, without exec, without symlinks";
    assert!(printed.contains(&format!("/usr{said}, without submounts")), "{printed}");
    assert!(printed.contains(&format!("tmpfs on /memory{said}")), "{printed}");
}

#[test]
fn a_view_of_the_host() {
    golden("host_view", &sandbox(directory("/"), vec![]));
}

#[test]
fn a_view_of_the_host_with_other_mounts() {
    // `read_only_root` changes nothing, and each mount replaces the usual one.
    let steps = vec![What::ReadOnlyRoot, proc(), tmpfs("/tmp"), Dev::new(path("/dev")).into()];
    golden("host_replaced", &sandbox(directory("/"), steps));
}

#[test]
fn the_host_writable() {
    golden("host_writable", &sandbox(directory("/"), vec![What::WritableRoot]));
}

#[test]
fn a_directory_whose_changes_vanish() {
    golden("directory", &sandbox(directory("/srv/web"), vec![]));
}

#[test]
fn a_directory_that_is_only_read() {
    let steps = vec![What::ReadOnlyRoot, tmpfs("/data")];
    golden("directory_read_only", &sandbox(directory("/srv/web"), steps));
}

#[test]
fn a_directory_that_is_only_read_and_lacks_a_place_for_a_mount() {
    let steps = vec![What::ReadOnlyRoot, tmpfs("/run")];
    golden("directory_read_only_layered", &sandbox(directory("/srv/web"), steps));
}

#[test]
fn an_assembled_root() {
    let owned = FileOptions { mode: Some(0o640), uid: Some(33), gid: Some(0) };
    let ingredients = [
        Ingredient::Binary {
            program: "tool".into(),
            into: None,
            applets: Applets::None,
            data: None,
        },
        Ingredient::Directory(path("/tmp"), FileOptions { mode: Some(0o1777), ..owned }),
        Ingredient::File(path("/etc/motd"), b"hello\n".to_vec(), owned),
        Ingredient::Symlink { target: "motd".into(), path: path("/etc/issue") },
        Ingredient::Copy { source: "/srv/data".into(), target: path("/data"), limit: 1 << 30 },
        Ingredient::Users(vec![("root".into(), 0, 0), ("www".into(), 33, 33)]),
    ];
    let add = |root: Rootfs, ingredient| {
        let number = root.ingredients().len() + 1;
        root.with(ingredient, Some(line(number)))
    };
    let root = ingredients.into_iter().fold(Rootfs::default(), add);
    let steps = vec![
        What::MapUser(range(0, 100_000, 65_536)),
        What::MapGroup(range(0, 200_000, 65_536)),
        What::User(Id::Name("www".into())),
    ];
    golden("assembled", &sandbox(Root::Rootfs(root), steps));
}

#[test]
fn everything_in_the_order_of_the_recipe() {
    let memory = MountOptions {
        data: vec![("size".into(), Some("1M".into())), ("noswap".into(), None)],
        ..MountOptions::default()
    };
    let steps = vec![
        Hostname("box".into()).into(),
        bind("/srv/data", "/data", read_only()),
        tmpfs("/tmp"),
        proc(),
        Sysfs { target: path("/sys"), optional: false }.into(),
        Dev::new(path("/dev")).into(),
        Devpts(path("/pts")).into(),
        Mount {
            source: "none".into(),
            target: path("/memory"),
            kind: "tmpfs".into(),
            options: memory,
            create: false,
        }
        .into(),
        Directory {
            path: path("/var/empty"),
            options: FileOptions { mode: Some(0o700), ..Default::default() },
        }
        .into(),
        file("/etc/motd"),
        Symlink { path: path("/bin"), says: "usr/bin".into() }.into(),
        bind("/usr", "/usr", BindOptions::default()),
        Mask { target: path("/usr/sbin"), optional: false }.into(),
        ReadOnly { target: path("/memory"), optional: false }.into(),
        Domainname("lan".into()).into(),
        Umask(0o077).into(),
        Workdir(path("/data")).into(),
        Name::new("web").unwrap().into(),
        What::Env(vec![own(("LANG", "C"))]),
        What::KeepEnv(vec!["TERM".into(), "NOT_SET".into()]),
    ];
    golden("everything", &sandbox(Root::Empty, steps));
}

#[test]
fn a_source_that_may_be_missing() {
    let optional = BindOptions { optional: true, ..BindOptions::default() };
    let steps = vec![bind("/srv/none", "/none", optional), bind("/srv/data", "/data", optional)];
    golden("optional", &sandbox(Root::Empty, steps));
}

#[test]
fn fewer_namespaces() {
    let shared = Namespaces::from(Kind::Net) | Kind::Uts.into() | Kind::Ipc.into();
    golden("shared", &sandbox(Root::Empty, vec![What::Share(shared), proc()]));
}

#[test]
fn the_users_of_the_host() {
    golden("user_shared", &sandbox(Root::Empty, vec![What::Share(Kind::User.into())]));
}

#[test]
fn the_mounts_of_the_host() {
    let steps = vec![What::Chroot, What::Share(Kind::Mount.into())];
    golden("mount_shared", &sandbox(directory("/srv/web"), steps));
}

#[test]
fn the_program_as_process_1() {
    golden("pid1", &sandbox(Root::Empty, vec![What::Pid1]));
}

#[test]
fn another_user() {
    let steps = vec![What::User(Id::Name("www".into())), What::Group(Id::Number(33))];
    golden("user", &sandbox(directory("/srv/web"), steps));
}

#[test]
fn ranges_of_ids() {
    let steps = vec![
        What::MapUser(range(0, USER, 1)),
        What::MapUser(range(1, 100_000, 65_536)),
        What::MapGroup(range(0, 200_000, 65_536)),
        What::User(Id::Number(33)),
    ];
    golden("mapped", &sandbox(Root::Empty, steps));
}

#[test]
fn ids_of_a_bind_that_are_mapped() {
    let idmap = BindOptions { idmap: true, ..BindOptions::default() };
    let mapped = vec![
        What::MapUser(range(0, 100_000, 65_536)),
        What::MapGroup(range(0, 200_000, 65_536)),
        bind("/srv/data", "/data", idmap),
        bind("/srv/data/report", "/report", BindOptions { recursive: false, ..idmap }),
    ];
    let mapped = sandbox(Root::Empty, mapped);
    golden("id_mapped", &mapped);
    assert!(mapped.to_string().contains("/data, with its ids"), "{mapped}");
    // For root, whose only id is 0 inside as well, there is nothing to map.
    golden("id_mapped_own", &sandbox(Root::Empty, vec![bind("/srv/data", "/data", idmap)]));
}

#[test]
fn ids_that_one_may_not_map() {
    let steps = vec![
        What::MapUser(range(0, 100_000, 65_537)),
        What::MapGroup(range(0, 300_000, 10)),
        What::Group(Id::Number(10)),
    ];
    golden("mapped_too_far", &sandbox(Root::Empty, steps));
}

#[test]
fn ids_that_overlap() {
    let steps = vec![
        What::MapUser(range(0, 100_000, 10)),
        What::MapUser(range(9, 100_010, 10)),
        What::MapGroup(range(0, 200_000, 10)),
        What::MapGroup(range(10, 200_009, 10)),
    ];
    golden("mapped_twice", &sandbox(Root::Empty, steps));
}

#[test]
fn mounts_that_hide_others() {
    let steps = vec![tmpfs("/data/a"), tmpfs("/data/b"), tmpfs("/data"), tmpfs("/data/c")];
    golden("hidden", &sandbox(Root::Empty, steps));
}

#[test]
fn all_contradictions_at_once() {
    let shared = Namespaces::from(Kind::Net) | Kind::Uts.into() | Kind::Pid.into();
    let steps = vec![
        What::Share(shared),
        Hostname("box".into()).into(),
        Domainname("lan".into()).into(),
        proc(),
        Sysfs { target: path("/sys"), optional: false }.into(),
        bind("/srv/dat", "/data", BindOptions::default()),
        bind("/srv/data", "/there", read_only()),
        tmpfs("/there/scratch"),
        file("/there/new"),
        bind("/srv/data", "/writable", BindOptions::default()),
        tmpfs("/writable/scratch"),
        tmpfs("/writable/report"),
        tmpfs("/"),
        What::User(Id::Name("nobody".into())),
    ];
    golden("contradictions", &sandbox(directory("/srv/none"), steps));
}

#[test]
fn what_would_change_the_host() {
    let steps = vec![
        What::Share(Namespaces::from(Kind::Mount) | Kind::User.into()),
        tmpfs("/tmp"),
        file("/etc/motd"),
        What::MapUser(range(0, 0, 1)),
    ];
    golden("host_changed", &sandbox(directory("/"), steps));
}

#[test]
fn a_plan_is_made_in_milliseconds() {
    let (_scratch, planner) = machine(USER);
    let steps = (0..200).map(|number| tmpfs(&format!("/data/{number}"))).collect();
    let sandbox = sandbox(Root::Empty, steps);
    let command = Command::new(vec!["tool".into()]).unwrap();
    let request = Request { command, streams: Streams::Inherited, origin: None };
    let started = std::time::Instant::now();
    let plan = planner.plan(&sandbox, &request, &no_layer).unwrap();
    let took = started.elapsed();
    assert!(plan.actions.len() > 200);
    assert!(took.as_millis() < 200, "200 mounts took {took:?}");
}

#[test]
fn two_plans_of_one_sandbox_are_the_same() {
    let sandbox = sandbox(directory("/srv/web"), vec![tmpfs("/tmp"), proc()]);
    assert_eq!(planned(&sandbox), planned(&sandbox));
}
