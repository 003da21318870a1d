//! `nsscript doctor`: what it says of this machine is what other tools say, and of machines that
//! lack something that they do. Those are really made, in namespaces.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::schema::fitting;
use crate::support::{Bench, Ended, Launch, User, as_each_user, have, may_mount, missing, which};

const JSON: [&str; 2] = ["doctor", "--json"];

/// Every kind: key, option of unshare(1), and the name in settings.
const KINDS: [(&str, &str, &str); 8] = [
    ("user_namespace", "--user", "user"),
    ("mount_namespace", "--mount", "mnt"),
    ("pid_namespace", "--pid", "pid"),
    ("net_namespace", "--net", "net"),
    ("uts_namespace", "--uts", "uts"),
    ("ipc_namespace", "--ipc", "ipc"),
    ("cgroup_namespace", "--cgroup", "cgroup"),
    ("time_namespace", "--time", "time"),
];

/// What doctor has said, as JSON.
struct Told {
    told: Value,
    code: Option<i32>,
}

impl Told {
    #[track_caller]
    fn of(launch: Launch<'_>) -> Self {
        let Ended { status, stdout, stderr } = launch.end();
        assert_eq!(stderr, "");
        Self { told: fitting("doctor", &stdout), code: status.code() }
    }

    fn fact(&self, key: &str) -> &Value {
        self.told["facts"].get(key).unwrap_or_else(|| panic!("no fact {key} in {:#}", self.told))
    }

    fn verdict(&self, key: &str) -> &str {
        self.fact(key)["verdict"].as_str().unwrap()
    }

    fn value(&self, key: &str) -> &Value {
        &self.fact(key)["value"]
    }

    fn found(&self, key: &str) -> &str {
        self.fact(key)["found"].as_str().unwrap()
    }

    #[track_caller]
    fn cure(&self, key: &str) -> &str {
        let cure = self.fact(key)["cure"].as_str();
        cure.unwrap_or_else(|| panic!("no cure of {key}: {:#}", self.fact(key)))
    }

    fn obstacles(&self) -> Vec<&str> {
        self.told["obstacles"].as_array().unwrap().iter().filter_map(Value::as_str).collect()
    }

    /// The recipe cannot work, and this fact is among the reasons.
    #[track_caller]
    fn is_hindered_by(&self, key: &str) {
        assert_eq!((self.code, &self.told["works"]), (Some(1), &Value::Bool(false)));
        assert_eq!(self.verdict(key), "no", "{:#}", self.told);
        assert!(self.obstacles().contains(&key), "{:?}", self.obstacles());
    }
}

/// A machine that a shell script makes as root of new user and mount namespaces; `"$@"` runs there.
fn machine(bench: &Bench, script: &str) -> Told {
    let outer = format!("exec unshare -Urm --propagation private sh -ec '{script}' sh \"$@\"");
    Told::of(bench.nsscript(&JSON).by_shell(&outer))
}

/// Whether a command of the user succeeds.
fn succeeds(user: User, words: &[&str]) -> bool {
    let mut command = user.command(words[0]);
    command.args(&words[1..]).current_dir("/").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn word(good: bool) -> &'static str {
    if good { "ok" } else { "no" }
}

fn setting(name: &str) -> Option<u64> {
    fs::read_to_string(format!("/proc/sys/{name}")).ok()?.trim().parse().ok()
}

#[test]
fn each_kind_is_there_where_unshare_makes_it_and_has_the_limit_of_its_setting() {
    as_each_user(|bench| {
        let told = Told::of(bench.nsscript(&JSON));
        for (key, option, name) in KINDS {
            let made = succeeds(bench.user, &["unshare", "-Ur", "--fork", option, "true"]);
            assert_eq!(told.verdict(key), word(made), "{key}");
            let limit = setting(&format!("user/max_{name}_namespaces"));
            assert_eq!(told.value(key).as_u64(), limit, "{key}");
        }
    });
}

#[test]
fn the_verdict_is_that_of_the_recipe_itself() {
    as_each_user(|bench| {
        let told = Told::of(bench.nsscript(&JSON));
        let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/busybox.rhai");
        let text = fs::read_to_string(recipe).unwrap();
        let path = bench.file("busybox.rhai", text);
        let ended = bench.nsscript(&[path.to_str().unwrap()]).end();
        assert_eq!(told.told["works"], ended.status.success(), "{}", ended.stderr);
        assert_eq!(told.code, Some(i32::from(!ended.status.success())));
        assert_eq!(told.obstacles().is_empty(), ended.status.success());
    });
}

#[test]
fn kernel_and_confinement_are_as_the_kernel_itself_tells() {
    as_each_user(|bench| {
        let told = Told::of(bench.nsscript(&JSON));
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        assert_eq!(told.value("kernel"), &text("/proc/sys/kernel/osrelease"));
        assert_eq!(told.value("caller"), bench.user.uid);
        let has_rights = told.found("caller").contains("with CAP_SYS_ADMIN");
        assert_eq!(told.verdict("caller"), if has_rights { "ok" } else { "part" });
        assert!(!has_rights || bench.user.is_root());
        let known = text("/proc/sys/kernel/seccomp/actions_avail");
        let known: BTreeSet<_> = known.split_whitespace().collect();
        let actions = told.value("seccomp").as_array().unwrap();
        let actions: BTreeSet<_> = actions.iter().filter_map(Value::as_str).collect();
        assert_eq!(actions, known);
        let landlock = told.value("landlock").as_u64();
        assert_eq!(told.verdict("landlock"), word(landlock.is_some()));
        let status = text("/proc/self/status");
        let filters = status.lines().find_map(|line| line.strip_prefix("Seccomp_filters:"));
        let filters: Option<u64> = filters.and_then(|number| number.trim().parse().ok());
        assert_eq!(told.value("seccomp_filter").as_u64(), filters);
    });
}

#[test]
fn ids_are_those_of_the_files_and_mapped_by_the_helpers() {
    as_each_user(|bench| {
        let plain = Told::of(bench.nsscript(&JSON));
        assert_eq!(plain.verdict("own_id"), "ok");
        if bench.user.is_root() {
            let text = fs::read_to_string("/proc/self/uid_map").unwrap();
            let counts = text.lines().filter_map(|line| line.split_whitespace().nth(2));
            let number: u64 = counts.filter_map(|count| count.parse::<u64>().ok()).sum();
            assert_eq!(plain.value("subordinate_ids"), number);
            assert_eq!(plain.verdict("id_helpers"), "ok");
            return;
        }
        if !have(&["newuidmap", "newgidmap"]) {
            return;
        }
        let paths = ["newuidmap", "newgidmap"].map(|name| which(name).unwrap());
        let paths = paths.map(|path| path.to_str().unwrap().to_owned());
        assert_eq!(plain.value("id_helpers"), &Value::from(paths.to_vec()));
        if !User::this().is_root() {
            let given = plain.verdict("subordinate_ids") == "ok";
            let mapped = plain.verdict("id_helpers");
            assert_eq!(mapped, if given { "ok" } else { "unknown" });
            return;
        }
        assert_eq!(plain.verdict("subordinate_ids"), "no");
        assert!(plain.cure("subordinate_ids").contains("`usermod --add-subuids "));
        if may_mount() {
            bench.file("ranges", format!("{}:300000:1000\n", bench.user.uid));
            let setup = "for file in /etc/subuid /etc/subgid; do mount --bind ranges $file; done";
            let told = Told::of(bench.nsscript(&JSON).in_world(setup));
            let range = serde_json::json!([[300_000, 1000]]);
            assert_eq!(told.value("subordinate_ids")["users"], range);
            assert_eq!(told.value("subordinate_ids")["groups"], range);
            assert_eq!(told.verdict("id_helpers"), "ok", "{}", told.found("id_helpers"));
        }
    });
}

#[test]
fn mounts_are_made_where_mount_makes_them() {
    as_each_user(|bench| {
        let told = Told::of(bench.nsscript(&JSON));
        let mounts = |script: &str| {
            succeeds(bench.user, &["unshare", "-Urmpn", "--fork", "sh", "-ec", script])
        };
        let overlay = "mount -t tmpfs t /tmp; mkdir /tmp/l /tmp/u /tmp/w; mount -t overlay o \
                       -o lowerdir=/tmp/l,upperdir=/tmp/u,workdir=/tmp/w,userxattr /tmp";
        let is_root = bench.user.is_root();
        let overlay = if is_root { overlay.replace(",userxattr", "") } else { overlay.into() };
        assert_eq!(told.verdict("mount_api"), word(mounts("mount -t tmpfs t /tmp")));
        assert_eq!(told.verdict("overlay") == "ok", mounts(&overlay));
        let pivot = "mount -t tmpfs t /tmp; cd /tmp; pivot_root . .";
        assert_eq!(told.verdict("root") == "ok", mounts(pivot));
        assert_eq!(told.verdict("proc"), word(mounts("mount -t proc p /tmp")));
        assert_eq!(told.verdict("sysfs") == "ok", mounts("mount -t sysfs s /tmp"));
    });
}

#[test]
fn networks_have_what_ip_makes() {
    as_each_user(|bench| {
        if !have(&["ip"]) {
            return;
        }
        let told = Told::of(bench.nsscript(&JSON));
        let makes = |script: &str| succeeds(bench.user, &["unshare", "-Urn", "sh", "-c", script]);
        let forward = ": <> /proc/sys/net/ipv4/ip_forward";
        assert_eq!(
            told.verdict("veth"),
            word(makes("ip link add name try0 type veth peer name try1"))
        );
        assert_eq!(told.verdict("bridge"), word(makes("ip link add name try0 type bridge")));
        assert_eq!(told.verdict("net_settings"), word(makes(forward)));
        let masquerades =
            bench.recipe("netns().masquerade(#{}).dnat(\"10.0.0.1\", #{}).block(#{})");
        let made = masquerades.end();
        assert_eq!(told.verdict("nftables"), word(made.status.success()), "{}", made.stderr);
        // A recipe asks for the same.
        for key in ["veth", "bridge", "nftables", "net_settings"] {
            let asked = bench.recipe(&format!("print(host.has(\"{key}\"))")).end().succeeded();
            assert_eq!(asked.trim() == "true", told.verdict(key) == "ok", "{key}");
        }
    });
}

#[test]
fn settings_that_are_read_only_are_named() {
    as_each_user(|bench| {
        let script =
            "mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; exec \"$@\"";
        let told = machine(bench, script);
        assert_eq!(told.verdict("net_settings"), "no");
        assert!(told.found("net_settings").contains("`/proc/sys` is read-only"));
        assert_eq!(told.verdict("veth"), "ok");
    });
}

#[test]
fn what_cannot_be_tried_is_not_said_to_be_missing() {
    as_each_user(|bench| {
        let script = "echo 0 > /proc/sys/user/max_user_namespaces
            exec setpriv --bounding-set=-all --inh-caps=-all \"$@\"";
        let told = machine(bench, script);
        told.is_hindered_by("user_namespace");
        let others = ["own_id", "mount_api", "root", "overlay", "proc", "sysfs", "veth", "tun"];
        let kinds = KINDS.iter().map(|(key, ..)| *key).filter(|key| *key != "user_namespace");
        for key in kinds.chain(others) {
            assert_eq!(told.verdict(key), "unknown", "{key}: {}", told.found(key));
        }
    });
}

#[test]
fn processes_that_are_hidden_are_named() {
    as_each_user(|bench| {
        if !may_mount() || !User::this().is_root() {
            return;
        }
        // One of its own: what is mounted on the host stays as it is.
        let world = "mount -t proc -o hidepid=2 proc /proc";
        let told = Told::of(bench.nsscript(&JSON).in_world(world));
        let lesson = fs::read_to_string("recipes/lessons/08-user.rhai").unwrap();
        let reads = ["read_file(\"/proc/1/status\")", "stat(\"/proc/1\")"];
        let lesson = bench.nsscript(&["-"]).input(lesson.as_bytes()).in_world(world).end();
        if bench.user.is_root() {
            assert_eq!(told.verdict("processes"), "ok");
            assert!(lesson.status.success(), "{}", lesson.stderr);
            return;
        }
        assert_eq!(told.verdict("processes"), "part");
        assert!(told.value("processes").as_str().unwrap().starts_with("hidepid="));
        assert!(told.cure("processes").contains("mount -o remount,hidepid=0 /proc"));
        assert!(lesson.failed(77).contains("hidepid"));
        for recipe in reads {
            let said = bench.recipe(recipe).in_world(world).end().failed(125);
            assert!(said.contains("hint: `/proc` is mounted with `hidepid="), "{said}");
            let said = bench.recipe(recipe).end();
            assert!(said.status.success(), "{}", said.stderr);
        }
    });
}

#[test]
fn cgroups_are_those_that_are_mounted() {
    as_each_user(|bench| {
        let told = Told::of(bench.nsscript(&JSON));
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
        let has = |kind: &str| mounts.lines().any(|line| line.split(' ').nth(2) == Some(kind));
        let wanted = match (has("cgroup"), has("cgroup2")) {
            (true, true) => "hybrid",
            (true, false) => "v1",
            (false, true) => "v2",
            (false, false) => "none",
        };
        assert_eq!(told.value("cgroup_version"), wanted);
        // What belongs to root is not given to anybody.
        let is_root = bench.user.is_root();
        if !is_root && User::this().is_root() {
            assert_eq!(told.verdict("cgroup_delegation"), "no");
            assert!(told.cure("cgroup_delegation").contains("Delegate=yes") || !has("cgroup2"));
        }
    });
}

#[test]
fn devices_are_there_for_whom_they_can_be_opened_by() {
    as_each_user(|bench| {
        let told = Told::of(bench.nsscript(&JSON));
        let opens = |path: &str| succeeds(bench.user, &["sh", "-c", &format!(": <> {path}")]);
        assert_eq!(told.verdict("tun"), word(opens("/dev/net/tun")), "{}", told.found("tun"));
        assert_eq!(told.verdict("loop_devices"), word(opens("/dev/loop-control")));
        let names = fs::read_dir("/dev").unwrap().map(|entry| entry.unwrap().file_name());
        let names = names.filter_map(|name| name.into_string().ok());
        let numbers = names.filter_map(|name| name.strip_prefix("loop")?.parse::<u64>().ok());
        assert_eq!(told.value("loop_devices"), numbers.count());
        let pasta = which("pasta").map(|path| path.to_str().unwrap().to_owned());
        assert_eq!(told.value("pasta").as_str(), pasta.as_deref());
        assert_eq!(told.verdict("pasta"), word(pasta.is_some()));
        let entries = fs::read_dir("/proc/sys/fs/binfmt_misc").into_iter().flatten().flatten();
        let known = told.value("binfmt").as_array().map_or(0, Vec::len);
        assert!(known <= entries.count());
    });
}

#[test]
fn the_table_has_every_fact_and_the_verdict_last() {
    as_each_user(|bench| {
        let told = Told::of(bench.nsscript(&JSON));
        let text = bench.nsscript(&["doctor"]).end().succeeded();
        let facts = told.told["facts"].as_object().unwrap();
        let words = ["ok", "part", "no", "unknown"];
        let verdicts: Vec<_> = text
            .lines()
            .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
            .filter(|word| words.contains(word))
            .collect();
        // A table of JSON is sorted by keys, so only the numbers can be compared.
        for word in words {
            let number = facts.values().filter(|fact| fact["verdict"] == word).count();
            assert_eq!(verdicts.iter().filter(|it| **it == word).count(), number, "{word}\n{text}");
        }
        assert!(text.ends_with("\n`nsscript recipes/busybox.rhai` can run here\n"), "{text}");
        let cures = facts.values().filter(|fact| !fact["cure"].is_null()).count();
        assert_eq!(text.matches(" to change it: ").count(), cures, "{text}");
    });
}

#[test]
fn every_key_is_documented() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/doctor.md");
    let page = fs::read_to_string(page).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: BTreeSet<String> = rows.map(str::to_owned).collect();
    as_each_user(|bench| {
        let told = Told::of(bench.nsscript(&JSON)).told;
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let mut given: BTreeSet<String> = keys(&told).into_iter().collect();
        for (key, fact) in told["facts"].as_object().unwrap() {
            given.insert(key.clone());
            given.extend(keys(fact));
            let has_cure = !fact["cure"].is_null();
            assert!(!has_cure || fact["verdict"] != "ok", "{key}: {fact:#}");
        }
        assert_eq!(given, documented);
    });
}

#[test]
fn a_kind_that_may_not_be_made_is_named_with_the_setting() {
    as_each_user(|bench| {
        for (key, _, name) in KINDS {
            let script = format!("echo 0 > /proc/sys/user/max_{name}_namespaces; exec \"$@\"");
            let told = machine(bench, &script);
            told.is_hindered_by(key);
            told.is_hindered_by("sandbox");
            assert_eq!(told.value(key), 0);
            let setting = format!("user.max_{name}_namespaces");
            assert!(told.found(key).contains(&format!("`{setting}` is 0")), "{}", told.found(key));
            let allows = format!("`sysctl {setting}=10000` allows them");
            // The limit is that of a user namespace around nsscript, not of the machine.
            let cure = if name == "user" { "run nsscript outside of it" } else { &allows };
            assert!(told.cure(key).starts_with(cure), "{}", told.cure(key));
            let others =
                KINDS.iter().filter(|(other, ..)| *other != key && key != "user_namespace");
            for (other, ..) in others {
                assert_eq!(told.verdict(other), "ok", "{other} without {key}");
            }
        }
    });
}

#[test]
fn a_limit_that_is_reached_is_told_from_one_of_none() {
    as_each_user(|bench| {
        // A process beside holds the only one that is allowed.
        let script = "echo 1 > /proc/sys/user/max_uts_namespaces; exec unshare -u \"$@\"";
        let told = machine(bench, script);
        told.is_hindered_by("uts_namespace");
        let found = told.found("uts_namespace");
        assert!(found.contains("`user.max_uts_namespaces` allows no more `UTS` namespaces"));
        assert!(told.cure("uts_namespace").contains("=10000` allows more"));
    });
}

#[test]
fn a_hint_of_a_failure_says_what_doctor_says() {
    as_each_user(|bench| {
        let script = "echo 0 > /proc/sys/user/max_ipc_namespaces; exec \"$@\"";
        let told = machine(bench, script);
        let (cure, _) = told.cure("ipc_namespace").split_once(" (").unwrap();
        let outer = format!("exec unshare -Urm sh -ec '{script}' sh \"$@\"");
        for recipe in ["sandbox(\"/\").read_only_root().run(\"true\")", "unshare(IPC)"] {
            let said = bench.recipe(recipe).by_shell(&outer).end().failed(125);
            let cause = told.found("ipc_namespace").split_once("; ").unwrap().1;
            assert!(said.contains(&format!("hint: {cause}; {cure}")), "{recipe}: {said}");
        }
    });
}

#[test]
fn root_does_without_user_namespaces_as_the_hint_says() {
    as_each_user(|bench| {
        let script = "echo 0 > /proc/sys/user/max_user_namespaces; exec \"$@\"";
        let outer = format!("exec unshare -Urm sh -ec '{script}' sh \"$@\"");
        let run = |guest: &str| {
            let script = "while read -r line; do echo \"$line\"; done < /proc/self/status";
            bench.script(guest, script).by_shell(&outer).end()
        };
        let guest = r#"sandbox("/").read_only_root().proc("/proc")"#;
        let said = run(guest).failed(125);
        assert!(said.contains("root can run without a new one: `.share(USER)`"), "{said}");
        let status = run(&format!("{guest}.share(USER)")).succeeded();
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(crate::support::field(&status, set), "0000000000000000");
        }
    });
}

#[test]
fn helpers_and_programs_that_are_hidden_are_missed() {
    as_each_user(|bench| {
        if !may_mount() || !User::this().is_root() || !have(&["newuidmap", "pasta"]) {
            return;
        }
        bench.file("nothing", "");
        let hide =
            |name| format!("mount --bind nothing \"$(readlink -f \"$(command -v {name})\")\";");
        let told =
            Told::of(bench.nsscript(&JSON).in_world(&["newuidmap", "pasta"].map(hide).concat()));
        assert_eq!((told.code, told.verdict("pasta")), (Some(0), "no"));
        assert!(told.cure("pasta").contains("`passt`"));
        if !bench.user.is_root() {
            assert_eq!(told.verdict("id_helpers"), "no");
            assert!(told.found("id_helpers").contains("`newuidmap` is not installed"));
            assert!(told.cure("id_helpers").contains("`uidmap`"));
        }
        // An empty file that may be executed is one that a shell would run.
        bench.mode("nothing", 0o755);
        let told = Told::of(bench.nsscript(&JSON).in_world(&hide("pasta")));
        assert_eq!(told.verdict("pasta"), "no", "{}", told.found("pasta"));
    });
}

#[test]
fn without_proc_what_it_tells_is_unknown() {
    as_each_user(|bench| {
        let told = machine(bench, "mount -t tmpfs none /proc; exec \"$@\"");
        told.is_hindered_by("own_id");
        told.is_hindered_by("sandbox");
        for key in ["userns_sysctl", "userns_apparmor", "seccomp_filter", "chroot", "binfmt"] {
            assert_eq!(told.verdict(key), "unknown", "{key}");
            assert!(told.found(key).contains("`/proc`"), "{key}: {}", told.found(key));
            assert!(told.cure(key).contains("mount -t proc proc /proc"), "{key}");
        }
        assert_eq!(told.verdict("user_namespace"), "ok");
        assert!(told.cure("sandbox").contains("mount -t proc proc /proc"));
    });
}

#[test]
fn a_proc_that_is_partly_hidden_is_named() {
    as_each_user(|bench| {
        let hide = "mount -t tmpfs none /proc/sys/net; exec unshare -Urm \"$@\"";
        let outer =
            format!("exec unshare -Urmpf --kill-child --mount-proc sh -ec '{hide}' sh \"$@\"");
        let told = Told::of(bench.nsscript(&JSON).by_shell(&outer));
        told.is_hindered_by("proc");
        assert!(told.cure("proc").contains("unmasked /proc"));
    });
}

#[test]
fn a_chroot_has_no_user_namespaces() {
    as_each_user(|bench| {
        fs::copy(bench.binary(), bench.path("nsscript")).unwrap();
        bench.directory("root/proc");
        let inside = "mount --rbind /proc root/proc; mount --bind nsscript root/nsscript; \
                      exec chroot root /nsscript doctor --json";
        bench.file("root/nsscript", "");
        let told = machine(bench, inside);
        told.is_hindered_by("user_namespace");
        assert_eq!(told.verdict("chroot"), "no");
        for key in ["user_namespace", "sandbox"] {
            let fact = told.fact(key).to_string();
            assert!(fact.contains("root was changed by `chroot`"), "{fact}");
        }
        // Without /proc the reason is not known.
        let told = machine(bench, &inside.replace("mount --rbind /proc root/proc;", ""));
        told.is_hindered_by("user_namespace");
        assert!(told.found("user_namespace").contains("a chroot"));
        assert_eq!(told.verdict("chroot"), "unknown");
    });
}

#[test]
fn files_in_memory_that_may_not_be_executed_keep_init_away() {
    as_each_user(|bench| {
        if setting("vm/memfd_noexec").is_none() {
            missing("the setting vm.memfd_noexec, of Linux 6.3");
            return;
        }
        // The setting is one of the PID namespace, and only root of the machine may change it.
        if !User::this().is_root() || !have(&["setpriv"]) {
            return;
        }
        let User { uid, gid, .. } = bench.user;
        let deny = format!(
            "echo 2 > /proc/sys/vm/memfd_noexec; \
             exec setpriv --reuid={uid} --regid={gid} --clear-groups \"$@\""
        );
        let namespaces = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
        let words = [&namespaces[..], &["sh", "-ec", &deny, "sh"]].concat();
        let told = Told::of(bench.nsscript(&JSON).becoming(&words));
        told.is_hindered_by("init");
        assert!(told.cure("init").contains("`sysctl vm.memfd_noexec=1`"));
    });
}

#[test]
fn a_filter_of_system_calls_is_told_from_an_old_kernel() {
    as_each_user(|bench| {
        if !have(&["bwrap"]) {
            return;
        }
        // Load the number of the call; clone3 answers ENOSYS, all others are allowed.
        let program: [(u16, u8, u8, u32); 4] =
            [(0x20, 0, 0, 0), (0x15, 0, 1, 435), (6, 0, 0, 0x0005_0026), (6, 0, 0, 0x7fff_0000)];
        let bytes = program.iter().flat_map(|(code, yes, no, k)| {
            [&code.to_ne_bytes()[..], &[*yes, *no], &k.to_ne_bytes()].concat()
        });
        let filter = bench.file("filter", bytes.collect::<Vec<u8>>());
        let script =
            format!("exec bwrap --dev-bind / / --seccomp 9 \"$@\" 9< {}", filter.to_str().unwrap());
        let told = Told::of(bench.nsscript(&JSON).by_shell(&script));
        told.is_hindered_by("user_namespace");
        assert!(
            told.found("user_namespace").contains("a seccomp filter around nsscript refuses it")
        );
        assert_eq!(told.verdict("seccomp_filter"), "part");
        assert!(told.cure("seccomp_filter").contains("seccomp=unconfined"));
    });
}

#[test]
fn nothing_is_left_that_was_tried() {
    as_each_user(|bench| {
        // Other tests attach loop devices meanwhile.
        let devices = || {
            let names = fs::read_dir("/dev").unwrap().map(|entry| entry.unwrap().file_name());
            let names = names.map(|name| name.to_string_lossy().into_owned());
            names.filter(|name| !name.starts_with("loop")).collect::<BTreeSet<_>>()
        };
        let (before, home) = (devices(), bench.directory("home"));
        for words in [&JSON[..], &JSON[..1]] {
            bench.nsscript(words).env("HOME", &home).end().succeeded();
        }
        assert_eq!(fs::read_dir(&home).unwrap().count(), 0, "the home has something new");
        assert_eq!(before, devices());
        let find = ["/sys/fs/cgroup", "-name", "nsscript-doctor-*"];
        let left = Command::new("find").args(find).output().unwrap().stdout;
        let left = String::from_utf8_lossy(&left).into_owned();
        // Those of other tests are gone by now.
        assert_eq!(left.lines().find(|line| Path::new(line).exists()), None);
    });
}
