//! User and group of the program, and its id maps.

use super::settings::{Asked, Settings};
use crate::diag::{Origin, Report, os_error, quoted};
use crate::host::{Host, accounts};
use crate::ops::Maps;
use crate::spec::{Id, IdMap, IdRange, Kind, Root};

/// Looks up the number of a name in a file of the root; `None` if it has none.
pub type Named<'a> = &'a dyn Fn(&str, &str) -> std::io::Result<Option<u32>>;

/// Determines the ids of the program; adds errors to `reports`.
pub fn maps(settings: &Settings, host: &Host, named: Named<'_>, reports: &mut Vec<Report>) -> Maps {
    // Only a root that the recipe assembles can be given names.
    let named = (named, matches!(settings.root.value, Root::Rootfs(_)));
    let uid = number(settings.user.as_ref(), "user", "/etc/passwd", named, reports);
    let gid = number(settings.group.as_ref(), "group", "/etc/group", named, reports);
    let pod = settings.pod.as_ref().map(|pod| &pod.value).filter(|pod| pod.enters.has(Kind::User));
    if let Some(pod) = pod
        && settings.users.is_empty()
        && settings.groups.is_empty()
    {
        let uid = if settings.user.is_some() { uid } else { pod.maps.uid };
        let gid = if settings.group.is_some() { gid } else { pod.maps.gid };
        let unmapped = [
            ("user", uid, &pod.maps.users, settings.user.as_ref()),
            ("group", gid, &pod.maps.groups, settings.group.as_ref()),
        ];
        for (noun, id, map, asked) in unmapped {
            if map.outside(id).is_none() {
                let message = format!("{noun} {id} is not mapped in the sandbox that is joined");
                let report = Report::error(message).at(asked.and_then(|it| it.origin.clone()));
                reports.push(report.note(format!("its map is {map}")));
            }
        }
        return Maps { uid, gid, ..pod.maps.clone() };
    }
    if !settings.namespaces.has(Kind::User) {
        for range in settings.users.iter().chain(&settings.groups) {
            let report = Report::error("cannot map ids in a shared user namespace");
            let report = report.at(range.origin.clone());
            reports.push(report.related(settings.shared.as_ref(), "shared here"));
        }
        let (users, groups) = (IdMap::default(), IdMap::default());
        return Maps { users, groups, uid, gid, own: false };
    }
    let users = Side { noun: "user", file: "/etc/subuid", own: host.uid, id: uid };
    let groups = Side { noun: "group", file: "/etc/subgid", own: host.gid, id: gid };
    let asked = settings.user.as_ref().and_then(|asked| asked.origin.clone());
    let user_map = users.map(&settings.users, asked, host, reports);
    let asked = settings.group.as_ref().and_then(|asked| asked.origin.clone());
    let group_map = groups.map(&settings.groups, asked, host, reports);
    let own = |map: &IdMap, own| map.one().is_some_and(|range| range.outside == own);
    let own = own(&user_map, host.uid) && own(&group_map, host.gid);
    Maps { users: user_map, groups: group_map, uid, gid, own }
}

fn number(
    id: Option<&Asked<Id>>,
    noun: &str,
    file: &str,
    (named, is_built): (Named<'_>, bool),
    reports: &mut Vec<Report>,
) -> u32 {
    let Some(asked) = id else { return 0 };
    match &asked.value {
        Id::Number(number) => *number,
        Id::Name(name) => {
            let (said, shown) = (quoted(name), quoted(file));
            let report = match named(file, name) {
                Ok(Some(number)) => return number,
                Ok(None) => Report::error(format!("{noun} {said} is not in {shown} of the root"))
                    .advise(
                        "name_unknown",
                        if is_built {
                            "use the number, or add the name to the root with `users([…])`"
                        } else {
                            "use the number"
                        },
                    ),
                Err(error) => {
                    let error = os_error(&error);
                    let message = format!("cannot look up {noun} {said} in {shown} of the root");
                    Report::error(format!("{message}: {error}"))
                        .advise("names_not_read", "use the number")
                }
            };
            reports.push(report.at(asked.origin.clone()));
            0
        }
    }
}

/// Users or groups: the differences between them.
struct Side {
    noun: &'static str,
    file: &'static str,
    own: u32,
    id: u32,
}

impl Side {
    fn map(
        &self,
        asked: &[Asked<IdRange>],
        who: Option<Origin>,
        host: &Host,
        reports: &mut Vec<Report>,
    ) -> IdMap {
        if asked.is_empty() {
            return IdMap::single(self.id, self.own);
        }
        let map = IdMap { ranges: asked.iter().map(|asked| asked.value).collect() };
        let noun = self.noun;
        if let Some((first, second, side)) = map.overlap() {
            let (one, other) = (asked[first].value, asked[second].value);
            let (is_inside, place) =
                if side == "inside" { (true, "in the sandbox") } else { (false, "outside") };
            let start = |it: IdRange| if is_inside { it.inside } else { it.outside };
            let end = |it: IdRange| u64::from(start(it)) + u64::from(it.count) - 1;
            let from = start(one).max(start(other));
            let to = end(one).min(end(other));
            let message = if u64::from(from) == to {
                format!("the {noun} id {from} is mapped twice {place}")
            } else {
                format!("the {noun} ids {from}–{to} are mapped twice {place}")
            };
            let report = Report::error(message).at(asked[second].origin.clone());
            let what = format!("first as {}", asked[first].value);
            reports.push(report.related(asked[first].origin.as_ref(), what));
        }
        if map.outside(self.id).is_none() {
            let message = format!("{noun} {} is not mapped in this sandbox", self.id);
            let at = who.or_else(|| asked[0].origin.clone());
            let hint = format!("the map is {map}; choose another {noun}, or map {} too", self.id);
            reports.push(Report::error(message).at(at).advise("program_not_mapped", hint));
        }
        if !host.is_root() {
            let ranges = accounts::subordinate(&host.tree, self.file, host.uid);
            for asked in asked {
                self.check(asked, &ranges, host, reports);
            }
            let own = map.one().is_some_and(|range| range.outside == self.own);
            if !own && host.tree.which(&format!("new{}map", self.noun_id()), None).is_none() {
                let helper = quoted(format!("new{}map", self.noun_id()));
                let message = format!(
                    "{helper} is missing, which is needed to map ids other than \
                                       your own"
                );
                let report = Report::error(message).at(asked[0].origin.clone());
                reports.push(report.advise("map_helper_missing", accounts::HELPERS));
            }
        }
        map
    }

    /// `uid` or `gid`.
    fn noun_id(&self) -> &'static str {
        if self.noun == "user" { "uid" } else { "gid" }
    }

    /// Reports a range that the caller may not map.
    fn check(
        &self,
        asked: &Asked<IdRange>,
        ranges: &[(u32, u32)],
        host: &Host,
        reports: &mut Vec<Report>,
    ) {
        let range = asked.value;
        let end = u64::from(range.outside) + u64::from(range.count);
        let inside = |(first, count): &(u32, u32)| {
            *first <= range.outside && end <= u64::from(*first) + u64::from(*count)
        };
        if (range.count == 1 && range.outside == self.own) || ranges.iter().any(inside) {
            return;
        }
        let file = quoted(self.file);
        let (noun, uid) = (self.noun, host.uid);
        let message = format!("user {uid} may not map the {noun} ids {range}");
        let ranges: Vec<_> = ranges
            .iter()
            .map(|(first, count)| format!("{first}–{}", u64::from(*first) + u64::from(*count) - 1))
            .collect();
        let own = format!("your own id, {}, is always allowed, by itself", self.own);
        let report = Report::error(message).at(asked.origin.clone()).note(own);
        reports.push(if ranges.is_empty() {
            let giving = accounts::giving(&host.tree, uid);
            report.advise("no_ids_given", format!("{file} assigns no ids to user {uid}; {giving}"))
        } else {
            let ranges = ranges.join(", ");
            report.advise("other_ids_given", format!("{file} assigns user {uid} the ids {ranges}"))
        });
    }
}
