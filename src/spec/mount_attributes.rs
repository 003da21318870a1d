//! Mount attributes: what can be done with the files of a mount.

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
}

impl Default for MountAttributes {
    /// Files can be written and executed; device files and set-user-ID bits mean nothing.
    fn default() -> Self {
        Self { read_only: false, suid: false, devices: false, exec: true }
    }
}

impl MountAttributes {
    /// The attributes of a mount that holds no programs.
    pub const DATA: Self = Self { read_only: false, suid: false, devices: false, exec: false };

    /// The words of mount(8).
    #[must_use]
    pub fn words(self) -> Vec<&'static str> {
        let Self { read_only, suid, devices, exec } = self;
        let words = [(read_only, "ro"), (!suid, "nosuid"), (!devices, "nodev"), (!exec, "noexec")];
        words.iter().filter(|(has, _)| *has).map(|(_, word)| *word).collect()
    }

    /// What differs from `usual`, as the end of a sentence: ", read-only, with devices".
    #[must_use]
    pub fn differing(self, usual: Self) -> String {
        let Self { read_only, suid, devices, exec } = self;
        let words = [
            (read_only, usual.read_only, ", read-only", ", writable"),
            (suid, usual.suid, ", with suid", ", without suid"),
            (devices, usual.devices, ", with devices", ", without devices"),
            (exec, usual.exec, ", with exec", ", without exec"),
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
        let all = MountAttributes { read_only: true, suid: true, devices: true, exec: false };
        let said = ", read-only, with suid, with devices, without exec";
        assert_eq!(all.differing(usual), said);
        assert_eq!(all.words(), ["ro", "noexec"]);
    }
}
