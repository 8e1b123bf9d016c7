//! User-to-User (RFC 7433): what one party of a call tells the other one as it is set up, answered and ended.
//!
//! It goes from one party's INVITE, provisional response, answer, refusal or BYE into what the other party is sent, between
//! trusted trunks alone, as identities do. What a redirection or a transfer carries in its target's URI goes to that target,
//! as whoever redirects has written it for that. A `clientSessionId` is between Alexa and us: it goes no further.

use skillcall_protocol::user_to_user::decode_csi;
use skillcall_sip::headers::{Carried, UserToUser};
use skillcall_sip::message::{ExtraHeader, HeaderName, Headers, Request};

use super::Running;
use super::call::{CallEntry, CallKey, LegEntry, LegState};
use crate::engine::LegId;

/// What a leg's party has told.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// In its INVITE: each INVITE that follows from it says so.
    asked: Vec<UserToUser>,
    /// Later, and the other party has not been told yet.
    since: Vec<UserToUser>,
}

/// A value as a header of its own.
fn header(value: &UserToUser) -> Option<ExtraHeader> {
    ExtraHeader::new(
        HeaderName::UserToUser.as_str(),
        value.to_string().as_bytes(),
    )
    .ok()
}

/// Values for an INVITE: of the caller, but those that whoever redirects has put others of the same purpose in the place of
/// (our choice: RFC 7433 leaves open which of the two remains).
fn merged(asked: &[UserToUser], redirected: &[UserToUser]) -> Vec<ExtraHeader> {
    let kept = asked.iter().filter(|value| {
        let mut others = redirected.iter();
        !others.any(|other| other.is_for_the_same(value))
    });
    kept.chain(redirected).filter_map(header).collect()
}

/// The values of a header of an INVITE that can be read, as events show them. None: there are none.
pub(super) fn readable(value: &[u8]) -> Option<String> {
    let elements: Vec<_> = UserToUser::readable(value)
        .map(String::from_utf8_lossy)
        .collect();
    (!elements.is_empty()).then(|| elements.join(", "))
}

impl LegEntry {
    fn is_trusted(&self) -> bool {
        (self.trunk.as_ref()).is_some_and(|trunk| trunk.config.trusted)
    }
}

impl Running {
    /// What a caller's INVITE says.
    pub(super) fn hear_asking(&mut self, key: CallKey, leg: LegId, request: &Request) {
        if let Some(values) = self.heard(key, leg, request.headers())
            && let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(leg))
        {
            entry.told.asked = values;
        }
    }

    /// What a called party says, for a caller who has no answer yet.
    pub(super) fn hear_answering(&mut self, key: CallKey, leg: LegId, headers: Headers<'_>) {
        let legs = self.call(key).map_or(&[][..], |call| &call.legs);
        if legs.iter().any(|other| other.state == LegState::Incoming) {
            self.hear(key, leg, headers);
        }
    }

    /// What a party says later: in a response, or in its BYE.
    pub(super) fn hear(&mut self, key: CallKey, leg: LegId, headers: Headers<'_>) {
        if let Some(values) = self.heard(key, leg, headers)
            && let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(leg))
        {
            entry.told.since = values;
        }
    }

    /// What may go on of it. None: nothing is said.
    fn heard(&self, key: CallKey, leg: LegId, headers: Headers<'_>) -> Option<Vec<UserToUser>> {
        headers.get(HeaderName::UserToUser)?;
        let carried = self.legible(key, UserToUser::carried(headers));
        let entry = self.call(key)?.leg(leg)?;
        entry.is_trusted().then(|| {
            let ours = |value: &UserToUser| decode_csi([value.to_string().as_str()]).is_some();
            let values = carried.into_iter();
            values.filter(|value| !ours(value)).collect()
        })
    }

    /// The values, and a note about those that were left out.
    fn legible(&self, key: CallKey, carried: Carried) -> Vec<UserToUser> {
        if carried.left_out > 0 {
            let text = format!(
                "User-to-User: {} of {} values are malformed or too long, and left out",
                carried.left_out,
                carried.left_out + carried.values.len()
            );
            self.note(key, true, &text);
        }
        carried.values
    }

    /// Values in a target's URI.
    pub(super) fn redirected_with(
        &self,
        key: CallKey,
        uri: &skillcall_sip::message::Uri,
    ) -> Vec<UserToUser> {
        self.legible(key, UserToUser::carried_by(&uri.as_ref()))
    }

    /// The values of an INVITE to a leg; `trusted` says whether it may be told what the caller tells.
    pub(super) fn uui_of_invite(
        &self,
        key: CallKey,
        trusted: bool,
        redirected: &[UserToUser],
    ) -> Vec<ExtraHeader> {
        let caller = self.call(key).and_then(|call| call.leg(LegId::A));
        let asked = caller.filter(|_| trusted).map(|leg| &leg.told.asked);
        merged(asked.map_or(&[], Vec::as_slice), redirected)
    }

    /// What the other parties have told since, for a message to a leg. It is told once.
    pub(super) fn take_told(&mut self, key: CallKey, leg: LegId) -> Vec<ExtraHeader> {
        self.call_mut(key)
            .map(|call| call.take_told(leg))
            .unwrap_or_default()
    }
}

impl CallEntry {
    fn take_told(&mut self, leg: LegId) -> Vec<ExtraHeader> {
        if !self.leg(leg).is_some_and(LegEntry::is_trusted) {
            return Vec::new();
        }
        let others = self.legs.iter_mut().filter(|other| other.id != leg);
        let told = others.flat_map(|other| std::mem::take(&mut other.told.since));
        told.filter_map(|value| header(&value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_redirects_speaks_last() {
        let values = |texts: &[&str]| -> Vec<UserToUser> {
            let values = texts.iter();
            values
                .map(|text| UserToUser::parse(text.as_bytes()).unwrap())
                .collect()
        };
        let written = |asked: &[&str], redirected: &[&str]| -> Vec<String> {
            let headers = merged(&values(asked), &values(redirected));
            let text = |header: &ExtraHeader| String::from_utf8_lossy(header.value()).into_owned();
            headers.iter().map(text).collect()
        };
        assert_eq!(
            written(&["00", "11;purpose=p"], &[]),
            ["00", "11;purpose=p"]
        );
        assert_eq!(written(&[], &["22;encoding=hex"]), ["22;encoding=hex"]);
        assert_eq!(
            written(
                &["00;purpose=isdn-uui", "11;purpose=p"],
                &["22", "33;purpose=q"]
            ),
            ["11;purpose=p", "22", "33;purpose=q"]
        );
        assert_eq!(
            readable(b"00, a b, \"x, y\"").as_deref(),
            Some("00, \"x, y\"")
        );
        assert_eq!(readable(b"a b"), None);
    }
}
