//! Files as loop devices.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nsscript::internal::run::{LoopDevice, LoopSettings, attach_loop};

use crate::support::{Bench, User, missing};

/// Bytes of a file.
fn bytes_at<const N: usize>(path: &Path, offset: u64) -> [u8; N] {
    let mut bytes = [0; N];
    File::open(path).unwrap().read_exact_at(&mut bytes, offset).unwrap();
    bytes
}

/// Makes a file of 64 KiB that says where its blocks are; whether files can be attached here. If
/// not, that is said.
fn attachable(bench: &Bench) -> bool {
    let content: Vec<u8> = (0..64_u8).flat_map(|block| [block; 1024]).collect();
    let path = bench.file("disk.img", content);
    let Err(report) = attach_loop(&path, &LoopSettings::default()) else { return true };
    // Root in a container is told so by EPERM, a user by EACCES.
    let refused = [1, 2, 6, 13, 19].map(Some).contains(&report.facts.errno);
    assert!(refused && !report.hints.is_empty(), "{report:?}");
    missing(&format!("loop devices: {}", report.message));
    false
}

/// What a file of `/sys/block/loopN` says.
fn told(device: &LoopDevice, name: &str) -> String {
    let block = device.path().file_name().unwrap().to_str().unwrap();
    let text = fs::read_to_string(format!("/sys/block/{block}/{name}"));
    text.unwrap_or_default().trim_end().to_owned()
}

#[test]
fn a_loop_device_is_what_the_settings_say_and_detaches_itself() {
    let bench = Bench::new(User::this());
    if !attachable(&bench) {
        return;
    }
    let image = bench.path("disk.img");
    let settings = LoopSettings { offset: 2048, size_limit: 4096, read_only: true };
    let device = attach_loop(&image, &settings).unwrap();
    assert_eq!(told(&device, "size"), "8");
    assert_eq!(told(&device, "ro"), "1");
    assert_eq!(told(&device, "loop/autoclear"), "1");
    assert_eq!(told(&device, "loop/dio"), "0");
    assert_eq!(told(&device, "loop/offset"), "2048");
    let backing = told(&device, "loop/backing_file");
    assert_eq!(backing, image.to_str().unwrap());
    assert_eq!(bytes_at(device.path(), 1024), [3; 512]);
    let writes = File::options().write(true).open(device.path());
    let written = writes.and_then(|file| file.write_at(&[0; 512], 0));
    assert!(written.is_err(), "it is read-only");

    // As long as one is attached, the next file is at another device, which can be written to.
    let whole = attach_loop(&image, &LoopSettings::default()).unwrap();
    assert_ne!(whole.path(), device.path());
    assert_eq!((told(&whole, "size"), told(&whole, "ro")), ("128".into(), "0".into()));
    let written = File::options().write(true).open(whole.path()).unwrap();
    written.write_all_at(&[9; 4096], 0).unwrap();
    written.sync_all().unwrap();
    assert_eq!(bytes_at(&image, 0), [9; 4096]);
    drop((written, whole));

    let block = device.path().file_name().unwrap().to_str().unwrap().to_owned();
    let attached = format!("/sys/block/{block}/loop/backing_file");
    drop(device);
    let is_ours = || fs::read_to_string(&attached).is_ok_and(|text| text.trim_end() == backing);
    // Where something of the machine looks at the new device, that has to be done first.
    let end = Instant::now() + Duration::from_secs(30);
    while is_ours() {
        assert!(Instant::now() < end, "the device is still attached");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn loop_devices_are_taken_by_many_at_once() {
    let bench = Bench::new(User::this());
    if !attachable(&bench) {
        return;
    }
    let image = bench.path("disk.img");
    let attach = || attach_loop(&image, &LoopSettings::default()).unwrap();
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..4).map(|_| scope.spawn(|| [attach(), attach()])).collect();
        let all: Vec<_> = all.into_iter().flat_map(|one| one.join().unwrap()).collect();
        let mut paths: Vec<_> = all.iter().map(LoopDevice::path).collect();
        paths.sort_unstable();
        paths.dedup();
        assert_eq!(paths.len(), 8);
    });
}

#[test]
fn what_cannot_be_attached_is_said() {
    let bench = Bench::new(User::this());
    if !attachable(&bench) {
        return;
    }
    let report = attach_loop(&bench.directory("d"), &LoopSettings::default()).unwrap_err();
    assert!(report.message.ends_with("is a directory (EISDIR)"), "{report:?}");
    let read = LoopSettings { read_only: true, ..LoopSettings::default() };
    let report = attach_loop(Path::new("/dev/null"), &read).unwrap_err();
    assert!(report.message.ends_with("invalid argument (EINVAL)"), "{report:?}");
    assert!(report.notes[0].starts_with("the call was ioctl(2) on `/dev/loop"), "{report:?}");
}
