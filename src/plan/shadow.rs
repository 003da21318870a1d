//! Mounts that hide earlier ones.

use crate::diag::{Origin, Report, quoted};
use crate::ops::Op;
use crate::spec::GuestPath;

/// Warns of every mount of the recipe that a later one hides completely. Mounts that come with the
/// root are there to be replaced.
pub(super) fn shadowed(actions: &[(Op, Option<Origin>)], root: Option<&Origin>) -> Vec<Report> {
    let mut warnings: Vec<Report> = Vec::new();
    let mounts: Vec<_> = actions.iter().filter_map(mounted).collect();
    for (index, (target, later)) in mounts.iter().enumerate() {
        for (number, (hidden, earlier)) in mounts[..index].iter().enumerate() {
            // Mounts of the same line (`/dev/pts` of `dev`) belong together, and may be replaced
            // one by one.
            let is_part = mounts[..number]
                .iter()
                .any(|(whole, line)| line == earlier && hidden != whole && hidden.is_within(whole));
            let is_whole = !is_part || hidden != target;
            if later == earlier || root == Some(*earlier) || !hidden.is_within(target) || !is_whole
            {
                continue;
            }
            let (shown, by) = (quoted(hidden.as_str()), quoted(target.as_str()));
            let message = format!("the mount on {shown} is hidden by a later one on {by}");
            let warning = Report::warning(message).at(Some((*later).clone()));
            let warning = warning.related(Some(earlier), "hidden");
            let said = warnings
                .iter()
                .any(|other| other.origin == warning.origin && other.related == warning.related);
            if !said {
                let hint = if hidden == target {
                    "remove one of the two mounts"
                } else {
                    "mount the outer directory first"
                };
                warnings.push(warning.advise("mount_hidden", hint));
            }
        }
    }
    warnings
}

fn mounted(planned: &(Op, Option<Origin>)) -> Option<(&GuestPath, &Origin)> {
    let (op, origin) = planned;
    Some((op.facts().leaves.mounted_on()?, origin.as_ref()?))
}
