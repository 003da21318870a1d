//! Sandboxes on the kernel of this machine: each test asserts what a program inside sees.

mod archives;
mod binds;
mod capabilities;
mod changes;
mod containers;
mod contents;
mod data;
mod defaults;
mod disk_images;
mod doctor;
mod ending;
mod escape;
mod exit_status;
mod files;
mod filesystems;
mod hints;
mod id_maps;
mod identity;
mod joining;
mod limits;
mod loop_devices;
mod namespaces;
mod networks;
mod overlays;
mod passed;
mod pods;
mod printed;
mod privileges;
mod processes;
mod progress;
mod propagation;
mod questions;
mod raw;
mod roots;
mod running;
mod start;
mod store;
mod streams;
mod sysctls;
mod terminals;
mod timeouts;
mod working_directory;

/// Waits, in a shell inside, until process 1 has become init: the program may be a moment faster.
const INIT_RUNS: &str = "until [ \"$(cat /proc/1/comm)\" = init ]; do :; done";
