//! Users and groups that commands run as. Looking them up may ask a server, and so blocks.

use std::path::PathBuf;

use rustix::process::{Gid, Uid};
use sockeye_sys::guard::Identity;
use uzers::os::unix::UserExt as _;

use crate::error::Cause;

/// Whom a command runs as.
pub(super) struct Account {
    pub(super) user: Option<Uid>,
    group: Gid,
    groups: Vec<Gid>,
    /// Where `user=` names somebody who is known here.
    pub(super) login: Option<Login>,
}

/// What the variables of a user's programs say of the user.
pub(super) struct Login {
    pub(super) name: String,
    pub(super) home: PathBuf,
    pub(super) shell: PathBuf,
}

impl From<Account> for Identity {
    fn from(account: Account) -> Self {
        Self { user: account.user, group: account.group, groups: account.groups }
    }
}

/// The account that `user=` and `group=` ask for, each a name or a number. A user brings the groups that it is in, but
/// `group=` alone leaves no other group than that one: those of whoever started us are not the command's.
///
/// # Errors
/// There is no such user or group, or a user that only has a number, without a group.
pub(super) fn find(user: Option<&str>, group: Option<&str>) -> Result<Option<Account>, Cause> {
    let group = group.map(find_group).transpose()?;
    let Some(name) = user else {
        let only = |group| Account { user: None, group, groups: vec![group], login: None };
        return Ok(group.map(only));
    };
    let number = number(name);
    let known = uzers::get_user_by_name(name).or_else(|| uzers::get_user_by_uid(number?));
    let unknown = || Cause::UnknownOwner(name.to_owned());
    let Some(known) = known else {
        let (user, group) = (Uid::from_raw(number.ok_or_else(unknown)?), group.ok_or_else(unknown)?);
        return Ok(Some(Account { user: Some(user), group, groups: vec![group], login: None }));
    };
    let group = group.unwrap_or_else(|| Gid::from_raw(known.primary_group_id()));
    let others = uzers::get_user_groups(known.name(), known.primary_group_id()).unwrap_or_default();
    let mut groups: Vec<Gid> = others.iter().map(|group| Gid::from_raw(group.gid())).collect();
    if !groups.contains(&group) {
        groups.push(group);
    }
    let login = Login {
        name: known.name().to_string_lossy().into_owned(),
        home: known.home_dir().to_owned(),
        shell: known.shell().to_owned(),
    };
    Ok(Some(Account { user: Some(Uid::from_raw(known.uid())), group, groups, login: Some(login) }))
}

fn find_group(name: &str) -> Result<Gid, Cause> {
    let known = uzers::get_group_by_name(name).map(|group| group.gid()).or_else(|| number(name));
    known.map(Gid::from_raw).ok_or_else(|| Cause::UnknownOwner(name.to_owned()))
}

/// The number of an account. The highest is none: the kernel takes it to mean "as it is" (setresuid(2)).
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number != u32::MAX && !text.starts_with('+'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(user: Option<&str>, group: Option<&str>) -> Option<(Option<u32>, u32)> {
        let account = find(user, group).ok()??;
        Some((account.user.map(Uid::as_raw), account.group.as_raw()))
    }

    #[test]
    fn accounts_are_found_by_name_and_by_number() {
        assert!(find(None, None).unwrap().is_none());
        assert_eq!(found(Some("root"), None), Some((Some(0), 0)));
        assert_eq!(found(Some("0"), Some("4000000001")), Some((Some(0), 4_000_000_001)));
        assert_eq!(found(Some("4000000000"), Some("root")), Some((Some(4_000_000_000), 0)));
        assert_eq!(found(None, Some("root")), Some((None, 0)));
    }

    /// Whoever is unknown would be run with rights that nobody chose; the highest number would be run with ours.
    #[test]
    fn who_is_unknown_is_nobody() {
        for (user, group) in [
            (Some("no such user"), None),
            (Some("4000000000"), None),
            (Some("4294967295"), Some("root")),
            (Some("+0"), Some("root")),
            (Some("root"), Some("4294967295")),
            (None, Some("no such group")),
        ] {
            assert!(find(user, group).is_err(), "{user:?} {group:?}");
        }
    }
}
