//! Host owners that give files the intended owner inside.

use std::collections::BTreeMap;
use std::path::Path;

use super::contents::{Contents, Kind};
use super::hash::sha256;
use super::tree;
use crate::diag::{Report, count, list, quoted};
use crate::host::accounts;
use crate::ops::{BuildLayer, Came, Kept, Layer, Maps, Op};
use crate::plan::Plan;
use crate::run::layers::Layers;
use crate::spec::IdMap;
use crate::sys::Errno;

/// A variant of a layer, whose files do not all belong to the caller.
#[derive(Clone, Debug)]
pub(in crate::run) struct Variant {
    /// Its name.
    pub name: String,
    /// Owners on the host by owners inside.
    owners: BTreeMap<(u32, u32), (u32, u32)>,
}

impl Layers {
    /// The variant for the owners `owners` inside; `None` if all are the caller. Unmapped ids
    /// become 0.
    pub(in crate::run) fn variant(
        &self,
        owners: impl IntoIterator<Item = (u32, u32)>,
        maps: &Maps,
    ) -> Option<Variant> {
        let host = self.host();
        let outside = |map: &IdMap, id: u32, own: u32| {
            // In a shared user namespace, ids are unchanged, which only root can use.
            if map.ranges.is_empty() {
                return if host.is_root() { id } else { own };
            }
            map.outside(id).or_else(|| map.outside(0)).unwrap_or(own)
        };
        let both = |(uid, gid): (u32, u32)| {
            (outside(&maps.users, uid, host.uid), outside(&maps.groups, gid, host.gid))
        };
        let owners: BTreeMap<_, _> = owners.into_iter().map(|owner| (owner, both(owner))).collect();
        if owners.values().all(|owner| *owner == (host.uid, host.gid)) {
            return None;
        }
        let name = sha256(format!("{owners:?}"))[..16].to_owned();
        Some(Variant { name, owners })
    }

    /// Sets the owners of the entries of a tree.
    pub(in crate::run) fn give(
        &self,
        directory: &Path,
        contents: &Contents,
        variant: &Variant,
    ) -> Result<(), Report> {
        let own = (self.host().uid, self.host().gid);
        let number = |id: u32, users: bool| {
            self.number_with_all_ids(id, users)?.ok_or_else(|| {
                let noun = if users { "user" } else { "group" };
                Report::error(format!(
                    "cannot give files to {noun} {id} of the host: the id is \
                                       not one of yours"
                ))
            })
        };
        let mut wanted = Vec::new();
        for (path, item) in &contents.items {
            let outside = variant.owners.get(&item.owner).copied().unwrap_or(own);
            if outside != own && !matches!(item.kind, Kind::Gone | Kind::HardLink(_)) {
                wanted.push((path.clone(), (number(outside.0, true)?, number(outside.1, false)?)));
            }
        }
        let cannot = |path: &Path, errno: Errno| {
            let message =
                format!("cannot change the owner of {}: {errno}", quoted(path.to_string_lossy()));
            let mut report = Report::error(message);
            report.facts.operation = Some("build".into());
            report.facts.errno = Some(errno.code());
            report.facts.target = Some(path.to_string_lossy().into_owned());
            match errno.name().as_str() {
                "EINVAL" => report.hint(crate::run::remedy::few_ids().hint()),
                _ => report,
            }
        };
        self.with_all_ids(&mut || {
            let given = tree::give(directory, &wanted);
            given.map(|()| Vec::new()).map_err(|(path, errno)| cannot(&path, errno))
        })?;
        Ok(())
    }

    /// Warnings about files whose owners are not mapped, each shown once.
    pub(in crate::run) fn unmapped_owners(&self, plan: &Plan) -> Vec<Report> {
        let kept = plan.actions.iter().filter_map(|planned| match &planned.action {
            Op::BuildLayer(BuildLayer { tree, number }) => match &tree.layers[*number] {
                Layer::Kept(kept) => Some(kept),
                Layer::Assembled(_) => None,
            },
            _ => None,
        });
        let unwarned = kept.filter(|kept| !kept.directory.join(mark_name(&plan.maps)).exists());
        unwarned.filter_map(|kept| self.unmapped_owners_of(kept, &plan.maps)).collect()
    }

    /// Notes that the warning about a layer was shown.
    pub(in crate::run) fn note_unmapped_owners(kept: &Kept, maps: &Maps) {
        let _ = std::fs::write(kept.directory.join(mark_name(maps)), "");
    }

    fn unmapped_owners_of(&self, kept: &Kept, maps: &Maps) -> Option<Report> {
        let unknown = |map: &IdMap, ids: Vec<u32>| {
            let known = |id: u32| id == 0 || map.ranges.is_empty() || map.outside(id).is_some();
            let mut ids: Vec<u32> = ids.into_iter().filter(|id| !known(*id)).collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        let users = unknown(&maps.users, kept.owners.iter().map(|owner| owner.0).collect());
        let groups = unknown(&maps.groups, kept.owners.iter().map(|owner| owner.1).collect());
        let named = [named("user", &users), named("group", &groups)];
        let named: Vec<String> = named.into_iter().flatten().collect();
        if named.is_empty() {
            return None;
        }
        let Came::Archive(file) = &kept.came else { return None };
        let text = format!(
            "files in {} that belong to {} belong to user and group 0 in this sandbox, which does \
             not map these ids",
            quoted(file.to_string_lossy()),
            list(&named, "and")
        );
        let report = Report::warning(text).at(kept.origin.clone());
        let highest = users.iter().chain(&groups).max().copied().unwrap_or_default();
        Some(match self.range(highest) {
            Some(range) => report.hint(format!("map them with {range}")),
            None => report,
        })
    }

    /// The verbs that map a range of ids, if `highest` is in it.
    fn range(&self, highest: u32) -> Option<String> {
        let host = self.host();
        let first = |file: &str| {
            if host.is_root() {
                return Some((100_000, 65_536));
            }
            accounts::subordinate(&host.tree, file, host.uid).first().copied()
        };
        let ((uid, users), (gid, groups)) = (first("/etc/subuid")?, first("/etc/subgid")?);
        if highest >= users.min(groups) {
            return None;
        }
        Some(format!("`.map_user(0, {uid}, {users}).map_group(0, {gid}, {groups})`"))
    }
}

/// Ids in words, such as `user 42` or `groups 8, 42 and 50`; many ids as a number.
fn named(noun: &str, ids: &[u32]) -> Option<String> {
    const SHOWN: usize = 5;
    let shown: Vec<String> = ids.iter().take(SHOWN).map(ToString::to_string).collect();
    match ids.len() {
        0 => None,
        1 => Some(format!("{noun} {}", shown[0])),
        2..=SHOWN => Some(format!("{noun}s {}", list(&shown, "and"))),
        all => Some(count(all, noun)),
    }
}

/// The name of the file that marks a shown warning for these maps.
fn mark_name(maps: &Maps) -> String {
    format!("said-{}", &sha256(maps.to_string())[..16])
}
