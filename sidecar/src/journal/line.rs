//! The journal's lines.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use skillcall_protocol::sma::CallDetails;
use skillcall_sip::dialog::SavedDialog;
use skillcall_sip::endpoint::{SavedInvite, Transport};

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "what")]
pub(super) enum Line {
    /// A handler is asked.
    Asked {
        sequence: u32,
        details: Box<CallDetails>,
    },
    /// A leg is answered.
    #[serde(rename_all = "camelCase")]
    Leg {
        transaction: String,
        call_id: String,
        dialog: Box<DialogText>,
    },
    /// A leg is called at a place.
    #[serde(rename_all = "camelCase")]
    Ringing {
        transaction: String,
        call_id: String,
        invite: Box<InviteText>,
    },
    /// A peer calls, and waits for an answer, which makes the dialog.
    #[serde(rename_all = "camelCase")]
    Waiting {
        transaction: String,
        call_id: String,
        invite: Box<InviteText>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dialog: Option<Box<DialogText>>,
    },
    /// A leg has ended.
    #[serde(rename_all = "camelCase")]
    LegEnded {
        transaction: String,
        call_id: String,
    },
    /// A message of CallSignaling's, from Alexa or the first one to Alexa. `begins`: there was no such call before.
    #[serde(rename_all = "camelCase")]
    Signal {
        transaction: String,
        account: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        api_endpoint: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<String>,
        operation: String,
        begins: bool,
    },
    /// A call is over.
    Ended { transaction: String },
}

/// A dialog in hexadecimal: SIP's texts are bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DialogText {
    call_id: String,
    local: String,
    remote: String,
    target: String,
    routes: Vec<String>,
    cseq: u32,
    transport: String,
    from: SocketAddr,
    to: SocketAddr,
}

impl DialogText {
    pub(super) fn of(dialog: &SavedDialog) -> Self {
        Self {
            call_id: hex::encode(&dialog.call_id),
            local: hex::encode(&dialog.local),
            remote: hex::encode(&dialog.remote),
            target: hex::encode(&dialog.target),
            routes: dialog.routes.iter().map(hex::encode).collect(),
            cseq: dialog.cseq,
            transport: dialog.transport.as_str().to_owned(),
            from: dialog.from,
            to: dialog.to,
        }
    }

    /// None for what this program has not written.
    pub(super) fn dialog(&self) -> Option<SavedDialog> {
        let bytes = |text: &String| hex::decode(text).ok();
        Some(SavedDialog {
            call_id: bytes(&self.call_id)?,
            local: bytes(&self.local)?,
            remote: bytes(&self.remote)?,
            target: bytes(&self.target)?,
            routes: self.routes.iter().map(bytes).collect::<Option<_>>()?,
            cseq: self.cseq,
            transport: Transport::named(&self.transport)?,
            from: self.from,
            to: self.to,
        })
    }
}

/// An INVITE in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct InviteText {
    request: String,
    transport: String,
    to: SocketAddr,
}

impl InviteText {
    pub(super) fn of(invite: &SavedInvite) -> Self {
        Self {
            request: hex::encode(&invite.request),
            transport: invite.transport.as_str().to_owned(),
            to: invite.to,
        }
    }

    /// None for what this program has not written.
    pub(super) fn invite(&self) -> Option<SavedInvite> {
        Some(SavedInvite {
            request: hex::decode(&self.request).ok()?,
            transport: Transport::named(&self.transport)?,
            to: self.to,
        })
    }
}
