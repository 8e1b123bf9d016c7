//! Trouble on order: errors, delays and silences that the simulator shall make, so that a test can see what becomes of them.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use skillcall_protocol::signaling::OperationName;

use crate::authority::ChainFault;

/// Orders that can wait at once.
const MAX_ORDERS: usize = 256;
/// The longest delay that can be ordered, in milliseconds: ten minutes.
const MAX_DELAY: u64 = 600_000;

/// Where trouble is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The customer profile API (facts C1).
    Profile,
    /// StartCommunicationSession (facts D2).
    StartSession,
    /// Progressive responses (facts A5).
    Directives,
    /// Login with Amazon's token endpoint (facts H).
    Login,
    /// The userinfo endpoints of linked accounts (facts C2).
    Userinfo,
    /// The Skill Messaging API (facts H).
    Messaging,
    /// The communication profile of a unit (facts D5).
    CommunicationProfile,
    /// The certificate chain's download (facts B).
    Chain,
    /// The counterpart of CallSignaling (facts G3, G5).
    Signaling,
    /// The messages of CallSignaling to the skill (facts G2).
    Signals,
    /// The signed request to the skill (facts B).
    Request,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "fault",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
pub enum Fault {
    /// An answer with this status; code and message are those of the facts unless given.
    Answer {
        /// 100 to 599.
        status: u16,
        /// The error code in the body.
        #[serde(default)]
        code: Option<String>,
        /// The error message in the body.
        #[serde(default)]
        message: Option<String>,
    },
    /// The right answer, later.
    Delay {
        /// At most 600 000.
        milliseconds: u64,
    },
    /// No answer; the connection stays open.
    Silence,
    /// No answer; the connection is closed.
    Close,
    /// 200 with a body that is not what it should be.
    Nonsense,
    /// The call is started, but the answer has this status. Start-session only.
    StartedThenAnswer {
        /// 100 to 599.
        status: u16,
    },
    /// The call is started, but no answer comes and the connection stays open. Start-session only.
    StartedThenSilence,
    /// The call is started, but the connection is closed without an answer. Start-session only.
    StartedThenClose,
    /// 200, but the device never calls. Start-session only.
    NoCall,
    /// The chain that the request names has a fault. Request only.
    BadChain {
        /// Which.
        chain: ChainFault,
    },
    /// The request names this chain URL. Request only.
    ChainUrl {
        /// The value of `SignatureCertChainUrl`.
        url: String,
    },
    /// The request has no `SignatureCertChainUrl`. Request only.
    NoChainUrl,
    /// The request has no signature at all. Request only.
    Unsigned,
    /// The request has only the old SHA-1 `Signature`. Request only.
    LegacySignatureOnly,
    /// The signature is over another body. Request only.
    Tampered,
    /// The time stamp is this old. Request only.
    Stale {
        /// Seconds into the past.
        seconds: u64,
    },
    /// The time stamp is this far ahead. Request only.
    Future {
        /// Seconds into the future.
        seconds: u64,
    },
    /// The request has no time stamp. Request only.
    NoTimestamp,
    /// The request is for this other skill. Request only.
    OtherSkill {
        /// The application id it carries.
        skill_id: String,
    },
    /// The request names another API endpoint. Request only.
    OtherApiEndpoint {
        /// The value of `apiEndpoint`.
        url: String,
    },
    /// The request carries a token that has already expired. Request only.
    ExpiredToken,
    /// The request carries no `apiAccessToken`. Request only.
    NoToken,
    /// The same signed request is sent this many times more, at the same moment. Request only.
    Repeated {
        /// 1 to 100.
        copies: u16,
    },
    /// The message is never sent. Signals only.
    Lost,
    /// The message waits until the session's next one has passed, or for a second. Signals only.
    Overtaken,
}

/// How often an order holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Times {
    /// Until it is taken back.
    Always,
    /// Each time with a chance of one in so many, until it is taken back.
    OneIn(u32),
    /// So often.
    #[serde(untagged)]
    Count(u32),
}

fn once() -> Times {
    Times::Count(1)
}

/// One order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Trouble {
    /// Where.
    pub at: Place,
    /// What.
    #[serde(flatten)]
    pub fault: Fault,
    /// How often; once unless said.
    #[serde(default = "once")]
    pub times: Times,
    /// Of messages of CallSignaling only this operation, such as `CallRinging`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
}

impl Trouble {
    /// This fault, once.
    pub fn once(at: Place, fault: Fault) -> Self {
        Self {
            at,
            fault,
            times: once(),
            operation: None,
        }
    }

    /// The same for one operation of CallSignaling alone.
    pub fn of(self, operation: OperationName) -> Self {
        Self {
            operation: Some(operation.as_str().to_owned()),
            ..self
        }
    }

    /// This fault, until it is taken back.
    pub fn always(at: Place, fault: Fault) -> Self {
        Self {
            at,
            fault,
            times: Times::Always,
            operation: None,
        }
    }

    /// This fault, so many times.
    pub fn times(at: Place, fault: Fault, count: u32) -> Self {
        Self {
            at,
            fault,
            times: Times::Count(count),
            operation: None,
        }
    }

    /// This fault, each time with a chance of one in `many`, until it is taken back.
    pub fn one_in(at: Place, fault: Fault, many: u32) -> Self {
        Self {
            at,
            fault,
            times: Times::OneIn(many),
            operation: None,
        }
    }

    /// Whether it is due now, where it is due by chance.
    fn is_due(&self) -> bool {
        match self.times {
            Times::OneIn(many) => rand::random::<u32>().is_multiple_of(many),
            Times::Always | Times::Count(_) => true,
        }
    }

    fn is_for(&self, at: Place, operation: &str) -> bool {
        let wanted = self.operation.as_deref();
        self.at == at && wanted.is_none_or(|wanted| wanted == operation)
    }

    fn check(&self) -> Result<(), TroubleError> {
        if self.times == Times::OneIn(0) {
            return Err(TroubleError::Chance);
        }
        let signals = [Place::Signaling, Place::Signals];
        if let Some(name) = &self.operation
            && (!signals.contains(&self.at) || OperationName::from_name(name).is_none())
        {
            return Err(TroubleError::Operation(name.chars().take(40).collect()));
        }
        let fits = match &self.fault {
            Fault::Answer { status, .. } | Fault::StartedThenAnswer { status }
                if !(100..=599).contains(status) =>
            {
                return Err(TroubleError::Status(*status));
            }
            Fault::Delay { milliseconds } if *milliseconds > MAX_DELAY => {
                return Err(TroubleError::Delay(*milliseconds));
            }
            Fault::Repeated { copies } if !(1..=100).contains(copies) => {
                return Err(TroubleError::Copies(*copies));
            }
            Fault::Delay { .. } => self.at != Place::Request,
            Fault::Answer { .. } | Fault::Silence | Fault::Close | Fault::Nonsense => {
                ![Place::Request, Place::Signals].contains(&self.at)
            }
            Fault::StartedThenAnswer { .. }
            | Fault::StartedThenSilence
            | Fault::StartedThenClose => [Place::StartSession, Place::Signaling].contains(&self.at),
            Fault::NoCall => self.at == Place::StartSession,
            Fault::Lost | Fault::Overtaken => self.at == Place::Signals,
            Fault::Repeated { .. } => [Place::Request, Place::Signals].contains(&self.at),
            _ => self.at == Place::Request,
        };
        if fits {
            Ok(())
        } else {
            Err(TroubleError::Place(self.at))
        }
    }
}

/// Why an order cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TroubleError {
    /// No HTTP status.
    #[error("status {0} is none of 100 to 599")]
    Status(u16),
    /// Too long a delay.
    #[error("a delay of {0} ms is longer than {MAX_DELAY} ms")]
    Delay(u64),
    /// Not that many copies.
    #[error("{0} copies are not 1 to 100")]
    Copies(u16),
    /// One in none.
    #[error("one-in is 0; expected 1 or more")]
    Chance,
    /// The fault cannot happen there.
    #[error("this fault cannot happen at {0:?}")]
    Place(Place),
    /// No such operation, or not there.
    #[error(
        "operation {0:?} is none of CallSignaling, or the place is neither signaling nor signals"
    )]
    Operation(String),
    /// Too many orders.
    #[error("more than {MAX_ORDERS} orders at once")]
    TooMany,
}

/// The orders that are open.
#[derive(Debug, Default)]
pub struct Orders(Mutex<Vec<Trouble>>);

impl Orders {
    /// Replaces all orders.
    pub fn replace(&self, orders: Vec<Trouble>) -> Result<(), TroubleError> {
        if orders.len() > MAX_ORDERS {
            return Err(TroubleError::TooMany);
        }
        orders.iter().try_for_each(Trouble::check)?;
        *self.open() = orders;
        Ok(())
    }

    /// Adds an order behind the others.
    pub fn add(&self, order: Trouble) -> Result<(), TroubleError> {
        order.check()?;
        let mut open = self.open();
        if open.len() >= MAX_ORDERS {
            return Err(TroubleError::TooMany);
        }
        open.push(order);
        Ok(())
    }

    /// What is still open.
    pub fn list(&self) -> Vec<Trouble> {
        self.open().clone()
    }

    /// The first fault ordered for this place; counts it as made.
    pub(crate) fn take(&self, at: Place) -> Option<Fault> {
        self.take_of(at, "")
    }

    /// The first fault ordered for this place and a message of CallSignaling.
    pub(crate) fn take_of(&self, at: Place, operation: &str) -> Option<Fault> {
        let mut open = self.open();
        let index = open
            .iter()
            .position(|order| order.is_for(at, operation) && order.is_due())?;
        take_at(&mut open, index)
    }

    /// One fault of each order for this place: a request may have several at once.
    pub(crate) fn take_all(&self, at: Place) -> Vec<Fault> {
        self.take_all_of(at, "")
    }

    /// The same for a message of CallSignaling.
    pub(crate) fn take_all_of(&self, at: Place, operation: &str) -> Vec<Fault> {
        let mut open = self.open();
        let mut faults = Vec::new();
        for index in (0..open.len()).rev() {
            if open
                .get(index)
                .is_some_and(|order| order.is_for(at, operation) && order.is_due())
            {
                faults.extend(take_at(&mut open, index));
            }
        }
        faults.reverse();
        faults
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Vec<Trouble>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take_at(open: &mut Vec<Trouble>, index: usize) -> Option<Fault> {
    let order = open.get_mut(index)?;
    let fault = order.fault.clone();
    match &mut order.times {
        Times::Always | Times::OneIn(_) => Some(fault),
        Times::Count(0) => {
            open.remove(index);
            None
        }
        Times::Count(count) => {
            *count -= 1;
            if *count == 0 {
                open.remove(index);
            }
            Some(fault)
        }
    }
}
