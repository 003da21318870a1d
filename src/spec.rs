//! The values that a recipe describes: immutable sandboxes and root filesystems.
//!
//! Nothing here reads or writes the machine. An error in a value itself is a [`ValueError`],
//! reported when the value is created.

mod archive;
mod capability;
mod command;
mod data;
mod idmap;
mod link;
mod mount_attributes;
mod mount_flags;
mod mount_options;
mod namespace;
mod network;
mod outbound;
mod parts;
mod path;
mod policy;
mod resource;
mod rootfs;
mod value_error;

pub use archive::{Archive, Compression};
pub use capability::{Capabilities, Capability};
pub use command::{Command, OutputFile, Redirected, Sink, Streams, shell_word, variable};
pub use data::{DataRow, DataTable};
pub use idmap::{AllIds, Id, IdMap, IdRange};
pub use link::{Direction, IpProtocol, IpvlanMode, MacvlanMode};
pub use mount_attributes::MountAttributes;
pub use mount_flags::{MOUNT_WORDS, MountFlags, MountWord, PROPAGATIONS};
pub use mount_options::{BindOptions, FileOptions, MountOptions, ProcOptions};
pub use namespace::{Kind, Namespaces};
pub use network::{
    Destination, InterfaceName, JoinedNetwork, Mac, NetworkChoice, NetworkName, PortRange, Prefix,
    address,
};
pub use outbound::{Forwarded, Outbound};
pub use parts::{Parts, ProcessPart};
pub use path::GuestPath;
pub use policy::{
    CallAction, Circumstances, Condition, Instruction, Policy, Ruled, Wanted, constant,
    without_user_namespaces,
};
pub use resource::{Resource, UNLIMITED, Unit};
pub use rootfs::{
    Applets, Ingredient, KeptLayer, Mixed, Part, Root, Rootfs, check_file, check_link, users,
};
pub use value_error::ValueError;
