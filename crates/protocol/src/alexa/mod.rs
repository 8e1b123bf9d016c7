//! A custom skill's requests and responses (facts A), and the rules of their signature that need no
//! cryptography (facts B).

mod can_fulfill;
pub mod dialog;
mod events;
mod freshness;
mod grant;
mod intent;
mod limits;
mod progressive;
mod request;
mod response;
mod signature_url;

pub use can_fulfill::{Ability, CanFulfill, CanFulfillSlot, Sureness};
pub use events::{
    AcceptedPermissions, AcceptedScope, Cause, ExceptionEncountered, Fault, MessageReceived,
    SessionEnded, TaskDone, TaskStatus,
};
pub use freshness::{Freshness, FreshnessError, SKILL_EVENT_TOLERANCE, TOLERANCE};
pub use grant::{GrantAnswer, GrantEvent, GrantHeader};
pub use intent::{
    ConfirmationStatus, DialogState, EntityValue, Intent, Reading, Resolution, ResolutionStatus,
    Resolutions, ResolvedValue, Slot, SlotValue, StatusCode,
};
pub use limits::{Cut, sentences};
pub use progressive::{DIRECTIVES_PATH, ProgressiveHeader, ProgressiveResponse, SpeakDirective};
pub use request::{
    Application, Context, Device, Envelope, EnvelopeError, Kind, Permissions, Person, Request,
    Session, System, Unit, User,
};
pub use response::{
    Card, OutputSpeech, Reprompt, Response, ResponseEnvelope, SPEECH_MAX_CHARS, WHOLE_MAX_BYTES,
    is_ssml,
};
pub use signature_url::{SignatureUrl, SignatureUrlError};

/// Header with the URL of the signing certificate's chain (facts B). Names are case-insensitive.
pub const CHAIN_URL_HEADER: &str = "SignatureCertChainUrl";

/// Header with the signature: base64 of RSA-SHA256 over the raw body (facts B).
pub const SIGNATURE_HEADER: &str = "Signature-256";

/// The name that the signing certificate must carry (facts B).
pub const CERTIFICATE_NAME: &str = "echo-api.amazon.com";

/// The seconds within which a skill must answer (facts A4).
pub const ANSWER_WITHIN_SECONDS: u64 = 8;
