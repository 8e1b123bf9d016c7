//! The devices' way into the telephone network: on order of the service, an INVITE to the sidecar (facts E1).

use std::net::SocketAddr;
use std::sync::Mutex;

use skillcall_protocol::ids::ClientSessionId;
use skillcall_protocol::user_to_user::encode_csi;

use crate::alexa::{CallOrder, lock};
use crate::config::{DeviceConfig, SipTransport};
use crate::line::{CallBook, Dial, EndedBy, Ending, Line, Manner};

/// The header with the client id of the calling skill (facts E1).
pub const LWA_CLIENT_ID_HEADER: &str = "X-Alexa-LWA-ClientId";
/// The header with the `clientSessionId` (facts E1).
pub const USER_TO_USER_HEADER: &str = "User-to-User";

/// All devices, which share one SIP socket.
#[derive(Debug)]
pub(crate) struct Devices {
    line: Line,
    book: CallBook,
    target: Mutex<SocketAddr>,
    transport: SipTransport,
    manner: Mutex<Manner>,
}

impl Devices {
    pub(crate) fn new(line: Line, book: CallBook, config: &DeviceConfig) -> Self {
        let manner = Manner {
            voice: config.voice.clone(),
            script: config.script.clone(),
            recordings: config.recordings.clone(),
            max_seconds: config.max_seconds,
            loss: config.loss,
        };
        Self {
            line,
            book,
            target: Mutex::new(config.sip_target),
            transport: config.transport,
            manner: Mutex::new(manner),
        }
    }

    pub(crate) fn line(&self) -> &Line {
        &self.line
    }

    pub(crate) fn set_target(&self, target: SocketAddr) {
        *lock(&self.target) = target;
    }

    pub(crate) fn change_manner(&self, change: impl FnOnce(&mut Manner)) {
        change(&mut lock(&self.manner));
    }

    /// Dials. What goes wrong is written into the call.
    pub(crate) async fn call(&self, order: &CallOrder, call_id: &str, lwa_client_id: &str) {
        let mut headers = vec![(LWA_CLIENT_ID_HEADER.to_owned(), lwa_client_id.to_owned())];
        // No clientContext, no header (facts E1, our choice).
        if let Some(csi) = order
            .csi
            .as_ref()
            .and_then(|csi| ClientSessionId::parse(csi.as_str()).ok())
        {
            headers.push((USER_TO_USER_HEADER.to_owned(), encode_csi(&csi)));
        }
        let dial = Dial {
            call_id: call_id.to_owned(),
            from: order.from.clone(),
            to: order.to.clone(),
            target: *lock(&self.target),
            transport: self.transport,
            headers,
            manner: lock(&self.manner).clone(),
        };
        if let Err(error) = self.line.dial(dial).await {
            self.book.end(
                call_id,
                Ending {
                    by: EndedBy::Failed,
                    status: 0,
                    reason: error.to_string(),
                },
            );
        }
    }
}
