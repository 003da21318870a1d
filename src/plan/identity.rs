//! User and group of the program, and its id maps.

use std::path::Path;

use super::settings::{Asked, Settings};
use crate::diag::{Origin, Report, os_error, quoted};
use crate::host::{Host, accounts};
use crate::ops::Maps;
use crate::spec::{AllIds, Id, IdMap, IdRange, Kind, Root};

/// Looks up the number of a name in a file of the root; `None` if it has none.
pub type Named<'a> = &'a dyn Fn(&str, &str) -> std::io::Result<Option<u32>>;

/// Determines the ids of the program; adds errors to `reports`, and warnings to `warnings`.
pub fn maps(
    settings: &Settings,
    host: &Host,
    named: Named<'_>,
    (reports, warnings): (&mut Vec<Report>, &mut Vec<Report>),
) -> Maps {
    // Only a root that the recipe assembles can be given names.
    let named = (named, matches!(settings.root.value, Root::Rootfs(_)));
    let (user, group) = usual(settings, host);
    let user = Wanted { asked: settings.user.as_ref(), own: host.uid, usual: user };
    let group = Wanted { asked: settings.group.as_ref(), own: host.gid, usual: group };
    let uid = user.number("user", "/etc/passwd", named, reports);
    let gid = group.number("group", "/etc/group", named, reports);
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
        let ranges = settings.users.iter().chain(&settings.groups).map(|range| &range.origin);
        let all = settings.all_users.iter().chain(&settings.all_groups).map(|all| &all.origin);
        for origin in ranges.chain(all) {
            let report = Report::error("cannot map ids in a shared user namespace");
            let report = report.at(origin.clone());
            reports.push(report.related(settings.shared.as_ref(), "shared here"));
        }
        let (users, groups) = (IdMap::default(), IdMap::default());
        return Maps { users, groups, uid, gid, own: false };
    }
    let users = Side { noun: "user", file: "/etc/subuid", own: host.uid, id: uid };
    let groups = Side { noun: "group", file: "/etc/subgid", own: host.gid, id: gid };
    // Both are missing for the same reason, and given in one command.
    let (mut missing, mut missed) = (Vec::new(), Vec::new());
    let all_users = users.all(settings.all_users.as_ref(), host, (&mut missing, &mut missed));
    let all_groups = groups.all(settings.all_groups.as_ref(), host, (&mut missing, &mut missed));
    reports.extend(missing.into_iter().next());
    warnings.extend(missed.into_iter().next());
    let asked = settings.user.as_ref().and_then(|asked| asked.origin.clone());
    let of_users = [&settings.users[..], &all_users[..]].concat();
    let user_map = users.map(&of_users, asked, host, reports);
    let asked = settings.group.as_ref().and_then(|asked| asked.origin.clone());
    let of_groups = [&settings.groups[..], &all_groups[..]].concat();
    let group_map = groups.map(&of_groups, asked, host, reports);
    let own = |map: &IdMap, own| map.one().is_some_and(|range| range.outside == own);
    let own = own(&user_map, host.uid) && own(&group_map, host.gid);
    Maps { users: user_map, groups: group_map, uid, gid, own }
}

/// The user and the group of a program for which the recipe does not name them.
///
/// In the host's tree they are the caller's, so that files belong to whom they belong outside. In
/// other roots, and if the recipe maps the caller's ids to others, they are 0.
fn usual(settings: &Settings, host: &Host) -> (u32, u32) {
    let caller = settings
        .user
        .as_ref()
        .map_or_else(|| settings.root.value.is_host(), |asked| asked.value == Id::Caller);
    let kept = |ranges: &[Asked<IdRange>], own: u32| {
        let map = IdMap { ranges: ranges.iter().map(|asked| asked.value).collect() };
        caller && (ranges.is_empty() || map.outside(own) == Some(own))
    };
    let id = |ranges: &[Asked<IdRange>], own| if kept(ranges, own) { own } else { 0 };
    (id(&settings.users, host.uid), id(&settings.groups, host.gid))
}

/// The user or the group of a program.
struct Wanted<'a> {
    asked: Option<&'a Asked<Id>>,
    own: u32,
    usual: u32,
}

impl Wanted<'_> {
    fn number(
        &self,
        noun: &str,
        file: &str,
        (named, is_built): (Named<'_>, bool),
        reports: &mut Vec<Report>,
    ) -> u32 {
        let Some(asked) = self.asked else { return self.usual };
        match &asked.value {
            Id::Number(number) => *number,
            Id::Caller => self.own,
            Id::Name(name) => {
                let (said, shown) = (quoted(name), quoted(file));
                let report = match named(file, name) {
                    Ok(Some(number)) => return number,
                    Ok(None) => {
                        Report::error(format!("{noun} {said} is not in {shown} of the root"))
                            .advise(
                                "name_unknown",
                                if is_built {
                                    "use the number, or add the name to the root with `users([…])`"
                                } else {
                                    "use the number"
                                },
                            )
                    }
                    Err(error) => {
                        let error = os_error(&error);
                        let message =
                            format!("cannot look up {noun} {said} in {shown} of the root");
                        Report::error(format!("{message}: {error}"))
                            .advise("names_not_read", "use the number")
                    }
                };
                reports.push(report.at(asked.origin.clone()));
                0
            }
        }
    }
}

/// These ranges `(first, count)`, one after the other inside, from `inside` on.
fn in_a_row(mut inside: u32, ranges: &[(u32, u32)]) -> Vec<IdRange> {
    let mut all = Vec::new();
    for (outside, count) in ranges {
        // What does not fit any more is left out, as is an empty range.
        let count = (*count).min(u32::MAX - inside).min(u32::MAX - *outside);
        if count > 0 {
            all.push(IdRange { inside, outside: *outside, count });
            inside += count;
        }
    }
    all
}

/// Users or groups: the differences between them.
struct Side {
    noun: &'static str,
    file: &'static str,
    own: u32,
    id: u32,
}

/// Where root looks for ids that belong to nobody: the first one of those that systemd reserves for
/// containers, and how many a container gets.
const FREE: (u32, u32) = (524_288, 65_536);

impl Side {
    /// The ranges of all ids that the caller may map. Adds an error, or the warning that there are
    /// none but the caller's own.
    fn all(
        &self,
        asked: Option<&Asked<AllIds>>,
        host: &Host,
        (reports, warnings): (&mut Vec<Report>, &mut Vec<Report>),
    ) -> Vec<Asked<IdRange>> {
        let Some(Asked { value: AllIds { optional }, origin }) = asked else { return Vec::new() };
        let range = |range| Asked { value: range, origin: origin.clone() };
        let ranges = accounts::subordinate(&host.tree, self.file, host.uid);
        if host.is_root() {
            let own = self.own_map(host);
            let is_mapped = |first: u32, count: u32| {
                let end = u64::from(first) + u64::from(count);
                own.iter().any(|(known, number)| {
                    *known <= first && end <= u64::from(*known) + u64::from(*number)
                })
            };
            // In a container, the ids of the file are those of the machine outside of it.
            if !ranges.is_empty() && ranges.iter().all(|(first, count)| is_mapped(*first, *count)) {
                return in_a_row(0, &ranges).into_iter().map(range).collect();
            }
            let (mut first, count) = FREE;
            let taken = accounts::all_subordinate(&host.tree, self.file);
            let is_taken = |first: u32| {
                let mut ranges = taken.iter();
                ranges.any(|(other, number)| {
                    u64::from(*other) < u64::from(first) + u64::from(count)
                        && u64::from(first) < u64::from(*other) + u64::from(*number)
                })
            };
            while is_taken(first) && is_mapped(first, count) {
                first += count;
            }
            let ranges = if is_mapped(first, count) {
                vec![IdRange { inside: 0, outside: first, count }]
            } else {
                let one = |(first, count)| IdRange { inside: first, outside: first, count };
                own.into_iter().map(one).collect()
            };
            if ranges.is_empty() {
                let file = format!("`/proc/self/{}_map`", self.noun_id());
                let message =
                    format!("cannot tell which {} ids there are: cannot read {file}", self.noun);
                let report = Report::error(message).at(origin.clone());
                let hint = "map single ranges with `map_user` and `map_group`";
                reports.push(report.advise("own_ids_unread", hint));
            }
            return ranges.into_iter().map(range).collect();
        }
        let helper = format!("new{}map", self.noun_id());
        let has_helper = host.tree.which(&helper, None).is_some();
        if !ranges.is_empty() && has_helper {
            let mut all = vec![IdRange::single(0, self.own)];
            all.extend(in_a_row(1, &ranges));
            return all.into_iter().map(range).collect();
        }
        let (noun, file, uid) = (self.noun, quoted(self.file), host.uid);
        let missing = if ranges.is_empty() {
            format!("{file} assigns no subordinate {noun} ids to user {uid}")
        } else {
            let helper = quoted(helper);
            format!("{helper} is missing, which is needed to map subordinate ids")
        };
        let report = if *optional {
            Report::warning(format!("the sandbox has no {noun} but {}: {missing}", self.id))
        } else {
            Report::error(missing)
        };
        let report = report.at(origin.clone());
        let to = if *optional { warnings } else { reports };
        to.push(if ranges.is_empty() {
            report.advise("further_ids_missing", accounts::giving(&host.tree, uid))
        } else {
            report.advise("further_ids_helper", accounts::HELPERS)
        });
        Vec::new()
    }

    /// The ids of the user namespace that nsscript is in, as it sees them.
    fn own_map(&self, host: &Host) -> Vec<(u32, u32)> {
        let file = format!("/proc/self/{}_map", self.noun_id());
        let text = host.tree.read(Path::new(&file)).unwrap_or_default();
        let line = |line: &str| {
            let mut numbers = line.split_whitespace();
            let first = numbers.next()?.parse().ok()?;
            Some((first, numbers.nth(1)?.parse().ok()?))
        };
        String::from_utf8_lossy(&text).lines().filter_map(line).collect()
    }

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
