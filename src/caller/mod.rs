//! Who calls: the caller's own number, from where the plan says, in its order (facts C1, C2, D1, D5).

mod api;
mod linked;
mod profile;
mod unit;

use skillcall_plan::compiled::{CallerSource, FixedCaller, Place};
use skillcall_plan::{DecodeError, Plan};
use skillcall_protocol::alexa::Envelope;
use skillcall_protocol::communication::Originator;
use skillcall_protocol::e164::E164;
use skillcall_protocol::profile::{
    MOBILE_NUMBER, MOBILE_NUMBER_SCOPE, PERSON_MOBILE_NUMBER, PERSON_SCOPE,
};

pub use api::{Api, ApiError};

use crate::host::{Deadline, Host};
use crate::trace::Recorder;

/// Why the caller's number is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallerError {
    /// 403: the customer has not granted the permission for these scopes.
    #[error("the customer has not granted the permission to read the number")]
    NotGranted(&'static [&'static str]),
    /// No account is linked, or its token is refused.
    #[error("no account is linked: {0}")]
    NotLinked(&'static str),
    /// 204, or no number in the answer.
    #[error("there is no number: {0}")]
    NotStored(String),
    /// A number that is none.
    #[error("the number is none: {0}")]
    Malformed(String),
    /// 401.
    #[error("the profile API refuses the token")]
    BadToken,
    /// 429.
    #[error("the API is throttled")]
    Throttled,
    /// The speaker was not recognised.
    #[error("the speaker was not recognised")]
    NotRecognised,
    /// The plan has no number for this device or unit.
    #[error("the plan has no number for this device or unit")]
    UnknownPlace,
    /// Another status, or no answer.
    #[error("the number could not be asked for: {0}")]
    Failed(String),
    /// The plan is damaged.
    #[error("the call plan: {0}")]
    Plan(String),
}

impl CallerError {
    /// Whether the customer can do something about it.
    fn is_mendable(&self) -> bool {
        matches!(
            self,
            Self::NotGranted(_) | Self::NotLinked(_) | Self::NotStored(_) | Self::Malformed(_)
        )
    }
}

impl From<DecodeError> for CallerError {
    fn from(error: DecodeError) -> Self {
        Self::Plan(error.to_string())
    }
}

const ACCOUNT_SCOPES: &[&str] = &[MOBILE_NUMBER_SCOPE];
const PERSON_SCOPES: &[&str] = &[MOBILE_NUMBER_SCOPE, PERSON_SCOPE];

/// What the caller's number is looked for with.
pub struct Search<'s, H> {
    /// The outside.
    pub host: &'s H,
    /// The request's trace.
    pub recorder: &'s Recorder,
    /// The call plan.
    pub plan: &'s Plan<'s>,
    /// The request.
    pub envelope: &'s Envelope,
    /// The request's APIs.
    pub api: &'s Api<'s>,
    /// Until when the answer must be out.
    pub deadline: Deadline,
}

impl<H: Host> Search<'_, H> {
    /// The caller by the first source that knows. If none does, the first failure that the customer can mend, else the
    /// first one.
    ///
    /// # Errors
    /// That failure.
    pub fn originator(&self, order: &[CallerSource]) -> Result<Originator, CallerError> {
        let mut failures = Vec::new();
        for source in order {
            match self.by(*source) {
                Ok(originator) => return Ok(originator),
                Err(error) => failures.push(error),
            }
        }
        let told = failures
            .iter()
            .position(CallerError::is_mendable)
            .unwrap_or(0);
        Err(failures
            .into_iter()
            .nth(told)
            .unwrap_or_else(|| CallerError::Failed("the plan names no source".to_owned())))
    }

    fn by(&self, source: CallerSource) -> Result<Originator, CallerError> {
        match source {
            CallerSource::Profile => {
                profile::number(self, MOBILE_NUMBER, ACCOUNT_SCOPES).map(Originator::Number)
            }
            CallerSource::Person => {
                if self.envelope.context.system.person.is_none() {
                    return Err(CallerError::NotRecognised);
                }
                profile::number(self, PERSON_MOBILE_NUMBER, PERSON_SCOPES).map(Originator::Number)
            }
            CallerSource::AccountLink => linked::number(self).map(Originator::Number),
            CallerSource::Fixed => self.fixed(),
            CallerSource::Unit => unit::profile(self),
        }
    }

    fn fixed(&self) -> Result<Originator, CallerError> {
        let system = &self.envelope.context.system;
        let device = system
            .device
            .as_ref()
            .map(|device| device.device_id.as_str());
        let unit = system.unit.as_ref();
        let places = [
            device.map(Place::Device),
            unit.and_then(|unit| unit.unit_id.as_deref())
                .map(Place::Unit),
            unit.and_then(|unit| unit.persistent_unit_id.as_deref())
                .map(Place::PersistentUnit),
        ];
        match self.plan.callers()?.at(places.into_iter().flatten()) {
            Some(FixedCaller::Number(number)) => E164::parse(number)
                .map(Originator::Number)
                .map_err(|error| CallerError::Plan(error.to_string())),
            Some(FixedCaller::Profile(id, provider)) => Ok(Originator::Profile {
                id: id.to_owned(),
                provider: provider.to_owned(),
            }),
            None => Err(CallerError::UnknownPlace),
        }
    }
}
