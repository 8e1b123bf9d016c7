//! A telephone line: SIP and RTP on real sockets, for devices and the phone alike.
//!
//! One task drives the SIP endpoint of a line ([`skillcall_sip`]) and its sockets; each call with media has a task of
//! its own, with a clock of 20 ms and an [`AudioSession`](skillcall_media::session::AudioSession).
//!
//! | module | what |
//! |---|---|
//! | `book` | the calls, and what became of them |
//! | `script` | what is said and done in a call |
//! | `driver`, `incoming`, `outgoing` | the SIP endpoint and the calls |
//! | `transport` | UDP and TCP sockets |
//! | `description` | offer and answer |
//! | `media`, `ports`, `voice`, `loss` | RTP, the ear, the mouth, and what the network loses |
//! | `records` | what goes into the trace |

mod book;
mod description;
mod driver;
mod incoming;
mod loss;
mod media;
mod outgoing;
mod ports;
mod records;
mod script;
mod transport;
mod voice;

use std::net::SocketAddr;
use std::path::PathBuf;

use skillcall_protocol::trace::Party;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

pub use self::book::{
    Call, CallBook, CallState, EndedBy, Ending, MediaFigures, Side, WaitedInVain,
};
pub use self::script::{Act, Answering, Step, Voice, When};
pub(crate) use self::voice::prepare;
use crate::config::SipTransport;
use crate::trace::Trace;

/// Orders that wait for a line at once.
const MAX_ORDERS: usize = 256;
/// Digits that can be ordered at once.
const MAX_DIGITS: usize = 64;

/// Why an order to a line cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// A socket cannot be opened.
    #[error("no SIP or RTP socket at {address}: {source}")]
    Socket {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no such call, or it is over.
    #[error("there is no such call, or it is over")]
    NoSuchCall,
    /// The call is not answered, or does not ring.
    #[error("the call is not in the state for this: {0}")]
    State(&'static str),
    /// Not digits that can be sent.
    #[error("{0:?} are no digits; expected 1 to {MAX_DIGITS} of 0 to 9, *, #, A to D")]
    Digits(String),
    /// A URI, header or number that SIP cannot carry.
    #[error("SIP: {0}")]
    Sip(String),
    /// The line has stopped.
    #[error("the line has stopped")]
    Stopped,
}

/// How one takes part in a call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Manner {
    /// What is said.
    pub voice: Voice,
    /// What is done, step by step, once the call is answered.
    pub script: Vec<Step>,
    /// Folder for WAV files of what is heard.
    pub recordings: Option<PathBuf>,
    /// Seconds after which the call is hung up, 1 to 7200; 0 means 600.
    pub max_seconds: u32,
    /// Share of the packets sent that the network loses, 0 to 0.5, evenly spread.
    pub loss: f64,
}

/// A call to place.
#[derive(Debug, Clone)]
pub(crate) struct Dial {
    pub(crate) call_id: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) target: SocketAddr,
    pub(crate) transport: SipTransport,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) manner: Manner,
}

/// An order to a line's task.
#[derive(Debug)]
enum Order {
    Dial(Box<Dial>),
    Press {
        call_id: String,
        digits: String,
    },
    HangUp {
        call_id: String,
    },
    Answer {
        call_id: String,
    },
    SetHabits {
        answering: Answering,
        manner: Manner,
    },
}

type Ordered = (Order, oneshot::Sender<Result<(), LineError>>);

/// What a line is made of.
pub(crate) struct LineStart {
    pub(crate) side: Side,
    pub(crate) party: Party,
    pub(crate) listen: SocketAddr,
    pub(crate) book: CallBook,
    pub(crate) trace: Trace,
    pub(crate) stopping: watch::Receiver<bool>,
}

/// A handle to a line's task.
#[derive(Debug)]
pub(crate) struct Line {
    orders: mpsc::Sender<Ordered>,
    address: SocketAddr,
}

impl Line {
    /// Opens the sockets (UDP and TCP at the same port) and starts the task. Without `habits` the line is not called.
    pub(crate) async fn start(
        start: LineStart,
        habits: Option<(Answering, Manner)>,
    ) -> Result<(Self, JoinHandle<()>), LineError> {
        let (orders, incoming) = mpsc::channel(MAX_ORDERS);
        let driver = driver::Driver::open(start, habits, incoming).await?;
        let address = driver.address();
        Ok((Self { orders, address }, tokio::spawn(driver.run())))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn dial(&self, dial: Dial) -> Result<(), LineError> {
        self.order(Order::Dial(Box::new(dial))).await
    }

    pub(crate) async fn press(&self, call_id: &str, digits: &str) -> Result<(), LineError> {
        self.order(Order::Press {
            call_id: call_id.to_owned(),
            digits: digits.to_owned(),
        })
        .await
    }

    pub(crate) async fn hang_up(&self, call_id: &str) -> Result<(), LineError> {
        self.order(Order::HangUp {
            call_id: call_id.to_owned(),
        })
        .await
    }

    pub(crate) async fn answer(&self, call_id: &str) -> Result<(), LineError> {
        self.order(Order::Answer {
            call_id: call_id.to_owned(),
        })
        .await
    }

    pub(crate) async fn set_habits(
        &self,
        answering: Answering,
        manner: Manner,
    ) -> Result<(), LineError> {
        self.order(Order::SetHabits { answering, manner }).await
    }

    async fn order(&self, order: Order) -> Result<(), LineError> {
        let (reply, answer) = oneshot::channel();
        self.orders
            .send((order, reply))
            .await
            .map_err(|_| LineError::Stopped)?;
        answer.await.map_err(|_| LineError::Stopped)?
    }
}
