//! Who may call what.

use serde::{Deserialize, Serialize};

/// A rule. A list that is empty says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule<'a> {
    /// Accounts.
    #[serde(borrow)]
    pub users: Vec<&'a str>,
    /// Recognised speakers.
    #[serde(borrow)]
    pub persons: Vec<&'a str>,
    /// Devices.
    #[serde(borrow)]
    pub devices: Vec<&'a str>,
    /// Units, by either id.
    #[serde(borrow)]
    pub units: Vec<&'a str>,
    /// The places of the destinations that the rule is about; none: all.
    pub destinations: Option<Vec<u16>>,
    /// Whether the call is allowed.
    pub allow: bool,
}

/// Who wants to call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asking<'r> {
    /// The account.
    pub user: Option<&'r str>,
    /// The recognised speaker.
    pub person: Option<&'r str>,
    /// The device.
    pub device: Option<&'r str>,
    /// The unit's id.
    pub unit: Option<&'r str>,
    /// The unit's persistent id.
    pub persistent_unit: Option<&'r str>,
}

impl Rule<'_> {
    /// Whether the rule is about this caller and this destination: each list that says something names them.
    #[must_use]
    pub fn concerns(&self, asking: &Asking<'_>, destination: u16) -> bool {
        let named = |list: &[&str], ids: &[Option<&str>]| {
            list.is_empty() || ids.iter().flatten().any(|id| list.contains(id))
        };
        named(&self.users, &[asking.user])
            && named(&self.persons, &[asking.person])
            && named(&self.devices, &[asking.device])
            && named(&self.units, &[asking.unit, asking.persistent_unit])
            && self
                .destinations
                .as_ref()
                .is_none_or(|places| places.contains(&destination))
    }
}

/// Whether the rules allow a call: the first rule that concerns it decides; without any rule all is allowed, and what no
/// rule concerns is not.
#[must_use]
pub fn allowed(rules: &[Rule<'_>], asking: &Asking<'_>, destination: u16) -> bool {
    rules
        .iter()
        .find(|rule| rule.concerns(asking, destination))
        .map_or(rules.is_empty(), |rule| rule.allow)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(
        users: Vec<&'static str>,
        units: Vec<&'static str>,
        destinations: Option<Vec<u16>>,
        allow: bool,
    ) -> Rule<'static> {
        Rule {
            users,
            persons: Vec::new(),
            devices: Vec::new(),
            units,
            destinations,
            allow,
        }
    }

    #[test]
    fn the_first_rule_that_concerns_a_call_decides() {
        let guest = Asking {
            user: Some("guest"),
            unit: Some("room-12"),
            ..Asking::default()
        };
        assert!(allowed(&[], &guest, 0));
        let rules = [
            rule(vec!["staff"], vec![], None, true),
            rule(vec![], vec!["room-12"], Some(vec![1]), false),
            rule(vec![], vec![], Some(vec![0, 1]), true),
        ];
        let staff = Asking {
            user: Some("staff"),
            ..Asking::default()
        };
        for (asking, destination, expected) in [
            (&guest, 0, true),
            (&guest, 1, false),
            (&guest, 2, false),
            (&staff, 2, true),
        ] {
            assert_eq!(
                allowed(&rules, asking, destination),
                expected,
                "{destination}"
            );
        }
    }

    #[test]
    fn each_list_of_a_rule_must_name_the_caller_and_either_id_of_a_unit_counts() {
        let both = [rule(vec!["guest"], vec!["room-12"], None, true)];
        let at = |user, unit, persistent_unit| Asking {
            user,
            unit,
            persistent_unit,
            ..Asking::default()
        };
        assert!(allowed(&both, &at(Some("guest"), Some("room-12"), None), 0));
        assert!(allowed(&both, &at(Some("guest"), None, Some("room-12")), 0));
        assert!(!allowed(&both, &at(Some("guest"), None, None), 0));
        assert!(!allowed(&both, &at(None, Some("room-12"), None), 0));
    }
}
