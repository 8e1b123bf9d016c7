//! Messages and operations, and what each must have.

use serde::ser::{Error as _, SerializeMap};
use serde::{Serialize, Serializer};

use super::parts::{CallResult, CustomParams, Participant, RenegotiationKind, SdpDetails, SdpKind};
use super::read::ParseError;
use super::{PARTICIPANT_MAX_CHARS, PARTICIPANTS_MAX, SDP_MAX_BYTES, TYPE_PREFIX, WORD_MAX_CHARS};
use crate::ids::SessionId;

/// A message of a call, in either direction (facts G2, G3).
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The call. Of a call from a device it is Alexa's, of a call to a device it is ours.
    pub session_id: SessionId,
    /// What happens to it.
    pub operation: Operation,
}

/// What happens to a call (facts G2, G3).
#[derive(Debug, Clone, PartialEq)]
pub enum Operation {
    /// A device calls. Only from Alexa.
    InitiateOutboundCall {
        /// Who calls whom.
        participants: Vec<Participant>,
        /// The device's offer.
        sdp: SdpDetails,
    },
    /// A device is called. Only to Alexa.
    InitiateInboundCall {
        /// Who calls whom.
        participants: Vec<Participant>,
        /// Our offer.
        sdp: SdpDetails,
        /// What is given along.
        custom_params: Option<CustomParams>,
    },
    /// The callee rings.
    CallRinging,
    /// The caller's side has taken note of it.
    CallRingingAck,
    /// Early media, as with SIP 183.
    CallInProgress {
        /// The callee's answer.
        sdp: SdpDetails,
    },
    /// The caller's side has taken note of it.
    CallInProgressAck,
    /// The callee has accepted.
    CallAccepted {
        /// The callee's answer, unless it was in CallInProgress.
        sdp: Option<SdpDetails>,
    },
    /// The caller's side has taken note of it: the call begins.
    CallAcceptedAck,
    /// A new offer within the call.
    CallUpdate {
        /// What it is for.
        kind: RenegotiationKind,
        /// The offer.
        sdp: SdpDetails,
    },
    /// The offering side has taken note of the answer.
    CallUpdateAck,
    /// The answer to a new offer.
    CallUpdateResponse {
        /// What the offer was for.
        kind: RenegotiationKind,
        /// The answer.
        sdp: SdpDetails,
    },
    /// The call is over, for whatever reason.
    CallEnded {
        /// How it ended.
        result: CallResult,
    },
}

/// The operations by name (facts G2, G3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is documented at Operation")]
pub enum OperationName {
    InitiateOutboundCall,
    InitiateInboundCall,
    CallRinging,
    CallRingingAck,
    CallInProgress,
    CallInProgressAck,
    CallAccepted,
    CallAcceptedAck,
    CallUpdate,
    CallUpdateAck,
    CallUpdateResponse,
    CallEnded,
}

impl OperationName {
    /// All twelve.
    pub const ALL: [Self; 12] = [
        Self::InitiateOutboundCall,
        Self::InitiateInboundCall,
        Self::CallRinging,
        Self::CallRingingAck,
        Self::CallInProgress,
        Self::CallInProgressAck,
        Self::CallAccepted,
        Self::CallAcceptedAck,
        Self::CallUpdate,
        Self::CallUpdateAck,
        Self::CallUpdateResponse,
        Self::CallEnded,
    ];

    /// The name as it stands behind [`TYPE_PREFIX`].
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InitiateOutboundCall => "InitiateOutboundCall",
            Self::InitiateInboundCall => "InitiateInboundCall",
            Self::CallRinging => "CallRinging",
            Self::CallRingingAck => "CallRingingAck",
            Self::CallInProgress => "CallInProgress",
            Self::CallInProgressAck => "CallInProgressAck",
            Self::CallAccepted => "CallAccepted",
            Self::CallAcceptedAck => "CallAcceptedAck",
            Self::CallUpdate => "CallUpdate",
            Self::CallUpdateAck => "CallUpdateAck",
            Self::CallUpdateResponse => "CallUpdateResponse",
            Self::CallEnded => "CallEnded",
        }
    }

    /// The operation of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }

    /// Whether Alexa sends it to skills (facts G2).
    #[must_use]
    pub fn comes_from_alexa(self) -> bool {
        self != Self::InitiateInboundCall
    }

    /// Whether Alexa takes it (facts G3).
    #[must_use]
    pub fn goes_to_alexa(self) -> bool {
        self != Self::InitiateOutboundCall
    }

    /// What the session description in it must be; none where there is no description.
    #[must_use]
    pub fn sdp_kind(self) -> Option<SdpKind> {
        match self {
            Self::InitiateOutboundCall | Self::InitiateInboundCall | Self::CallUpdate => {
                Some(SdpKind::Offer)
            }
            Self::CallInProgress | Self::CallAccepted | Self::CallUpdateResponse => {
                Some(SdpKind::Answer)
            }
            _ => None,
        }
    }

    /// The acknowledgement that answers it, where there is one (the SPI's workflows).
    #[must_use]
    pub fn acknowledgement(self) -> Option<Self> {
        match self {
            Self::CallRinging => Some(Self::CallRingingAck),
            Self::CallInProgress => Some(Self::CallInProgressAck),
            Self::CallAccepted => Some(Self::CallAcceptedAck),
            Self::CallUpdateResponse => Some(Self::CallUpdateAck),
            _ => None,
        }
    }
}

impl std::fmt::Display for OperationName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Operation {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> OperationName {
        match self {
            Self::InitiateOutboundCall { .. } => OperationName::InitiateOutboundCall,
            Self::InitiateInboundCall { .. } => OperationName::InitiateInboundCall,
            Self::CallRinging => OperationName::CallRinging,
            Self::CallRingingAck => OperationName::CallRingingAck,
            Self::CallInProgress { .. } => OperationName::CallInProgress,
            Self::CallInProgressAck => OperationName::CallInProgressAck,
            Self::CallAccepted { .. } => OperationName::CallAccepted,
            Self::CallAcceptedAck => OperationName::CallAcceptedAck,
            Self::CallUpdate { .. } => OperationName::CallUpdate,
            Self::CallUpdateAck => OperationName::CallUpdateAck,
            Self::CallUpdateResponse { .. } => OperationName::CallUpdateResponse,
            Self::CallEnded { .. } => OperationName::CallEnded,
        }
    }

    /// The session description in it.
    #[must_use]
    pub fn sdp(&self) -> Option<&SdpDetails> {
        match self {
            Self::InitiateOutboundCall { sdp, .. }
            | Self::InitiateInboundCall { sdp, .. }
            | Self::CallInProgress { sdp }
            | Self::CallUpdate { sdp, .. }
            | Self::CallUpdateResponse { sdp, .. } => Some(sdp),
            Self::CallAccepted { sdp } => sdp.as_ref(),
            _ => None,
        }
    }

    /// Who calls whom.
    #[must_use]
    pub fn participants(&self) -> Option<&[Participant]> {
        match self {
            Self::InitiateOutboundCall { participants, .. }
            | Self::InitiateInboundCall { participants, .. } => Some(participants),
            _ => None,
        }
    }
}

impl Message {
    /// A message.
    #[must_use]
    pub fn new(session_id: SessionId, operation: Operation) -> Self {
        Self {
            session_id,
            operation,
        }
    }

    /// The value of its `type`.
    #[must_use]
    pub fn type_name(&self) -> String {
        format!("{TYPE_PREFIX}{}", self.operation.name())
    }

    /// Checks the rules of its members. Whatever was read obeys them.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn validate(&self) -> Result<(), ParseError> {
        let operation = self.operation.name();
        let wrong = |field: &str, found: String, expected: &'static str| ParseError::Wrong {
            operation,
            field: field.to_owned(),
            found,
            expected,
        };
        if let (Some(sdp), Some(kind)) = (self.operation.sdp(), operation.sdp_kind()) {
            if sdp.kind != kind {
                let found = format!("{:?}", sdp.kind.as_str());
                return Err(wrong("sdpDetails.type", found, kind.as_str()));
            }
            if sdp.value.is_empty() || sdp.value.len() > SDP_MAX_BYTES {
                let found = format!("{} bytes", sdp.value.len());
                return Err(wrong("sdpDetails.value", found, "1 to 32768 bytes"));
            }
        }
        if let Some(participants) = self.operation.participants() {
            check_participants(participants, &wrong)?;
        }
        let (field, word) = match &self.operation {
            Operation::CallUpdate { kind, .. } | Operation::CallUpdateResponse { kind, .. } => {
                ("renegotiationType", kind.as_str())
            }
            Operation::CallEnded { result } => ("callResult.code", result.code.as_str()),
            _ => return Ok(()),
        };
        if word.is_empty() || word.chars().count() > WORD_MAX_CHARS {
            let found = format!("{} characters", word.chars().count());
            return Err(wrong(field, found, "1 to 64 characters"));
        }
        Ok(())
    }
}

/// At most one calls, at least one is called, and each has a name.
fn check_participants(
    participants: &[Participant],
    wrong: &dyn Fn(&str, String, &'static str) -> ParseError,
) -> Result<(), ParseError> {
    if participants.len() > PARTICIPANTS_MAX {
        let found = format!("{} of them", participants.len());
        return Err(wrong("participants", found, "at most 16"));
    }
    let callers = participants.iter().filter(|one| one.is_originator).count();
    if callers > 1 || callers == participants.len() {
        let found = format!("{callers} originators of {}", participants.len());
        let expected = "at most one originator, and somebody who is called";
        return Err(wrong("participants", found, expected));
    }
    for (index, participant) in participants.iter().enumerate() {
        let value = &participant.id.value;
        let chars = value.chars().count();
        if chars == 0 || chars > PARTICIPANT_MAX_CHARS || value.chars().any(char::is_control) {
            let field = format!("participants[{index}].id.value");
            let expected = "1 to 512 characters, none a control";
            return Err(wrong(&field, format!("{chars} characters"), expected));
        }
        let kind = participant.id.kind.as_str();
        if kind.is_empty() || kind.chars().count() > WORD_MAX_CHARS {
            let field = format!("participants[{index}].id.type");
            let expected = "PHONE_NUMBER, RAW_ADDRESS or COMMUNICATION_PROFILE_ID";
            return Err(wrong(
                &field,
                format!("{} characters", kind.len()),
                expected,
            ));
        }
    }
    Ok(())
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.validate().map_err(S::Error::custom)?;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &self.type_name())?;
        map.serialize_entry("sessionId", &self.session_id)?;
        if let Some(participants) = self.operation.participants() {
            map.serialize_entry("participants", participants)?;
        }
        match &self.operation {
            Operation::CallUpdate { kind, .. } | Operation::CallUpdateResponse { kind, .. } => {
                map.serialize_entry("renegotiationType", kind)?;
            }
            Operation::CallEnded { result } => map.serialize_entry("callResult", result)?,
            _ => {}
        }
        if let Some(sdp) = self.operation.sdp() {
            map.serialize_entry("sdpDetails", sdp)?;
        }
        if let Operation::InitiateInboundCall {
            custom_params: Some(params),
            ..
        } = &self.operation
        {
            map.serialize_entry("customParams", params)?;
        }
        map.end()
    }
}
