//! Mount attributes: permitted operations on the files of a mount.

/// The attributes of a mount: mount_setattr(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a mount attribute of its own")]
pub struct MountAttributes {
    /// Writing fails with EROFS, in the mounts of a bind below its source, too.
    pub read_only: bool,
    /// Set-user-ID bits and file capabilities work.
    pub suid: bool,
    /// Device files work.
    pub devices: bool,
    /// Programs can be executed.
    pub exec: bool,
    /// Paths follow symbolic links; reading a link itself always works. Linux 5.14.
    pub symlinks: bool,
}

impl Default for MountAttributes {
    /// Files can be written and executed, and links followed; device files and set-user-ID bits are
    /// ignored.
    fn default() -> Self {
        Self { read_only: false, suid: false, devices: false, exec: true, symlinks: true }
    }
}

impl MountAttributes {
    /// The attributes of a mount that holds no programs.
    pub const DATA: Self =
        Self { read_only: false, suid: false, devices: false, exec: false, symlinks: true };

    /// The words of mount(8).
    #[must_use]
    pub fn words(self) -> Vec<&'static str> {
        let Self { read_only, suid, devices, exec, symlinks } = self;
        let words = [
            (read_only, "ro"),
            (!suid, "nosuid"),
            (!devices, "nodev"),
            (!exec, "noexec"),
            (!symlinks, "nosymfollow"),
        ];
        words.iter().filter(|(has, _)| *has).map(|(_, word)| *word).collect()
    }

    /// The differences from `usual`, as the end of a sentence: ", read-only, with devices".
    #[must_use]
    pub fn differing(self, usual: Self) -> String {
        let Self { read_only, suid, devices, exec, symlinks } = self;
        let words = [
            (read_only, usual.read_only, ", read-only", ", writable"),
            (suid, usual.suid, ", with suid", ", without suid"),
            (devices, usual.devices, ", with devices", ", without devices"),
            (exec, usual.exec, ", with exec", ", without exec"),
            (symlinks, usual.symlinks, ", with symlinks", ", without symlinks"),
        ];
        let differing = words.iter().filter(|(has, usual, ..)| has != usual);
        differing.map(|(has, _, with, without)| if *has { *with } else { *without }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::MountAttributes;

    #[test]
    fn what_differs_is_said() {
        let usual = MountAttributes::default();
        assert_eq!(usual.differing(usual), "");
        let all = MountAttributes {
            read_only: true,
            suid: true,
            devices: true,
            exec: false,
            symlinks: false,
        };
        let said = ", read-only, with suid, with devices, without exec, without symlinks";
        assert_eq!(all.differing(usual), said);
        assert_eq!(all.words(), ["ro", "noexec", "nosymfollow"]);
    }
}
