//! What is left to do once the reply is out: messages first, records of what happened last.

use crate::host::Host;
use crate::signaling::Courier;
use crate::trace::Records;

/// What is left to do once the reply is out.
#[derive(Default)]
pub struct Aftermath {
    courier: Option<Courier>,
    records: Records,
}

impl From<Records> for Aftermath {
    fn from(records: Records) -> Self {
        Self {
            courier: None,
            records,
        }
    }
}

impl Aftermath {
    /// The same, with a message for the sidecar.
    pub(crate) fn with(self, courier: Option<Courier>) -> Self {
        Self { courier, ..self }
    }

    /// Does it, after the reply.
    pub fn run<H: Host>(self, host: &H) {
        self.finish(host, false);
    }

    /// Does what must be done where the reply waits for it: in a few seconds.
    pub fn run_before_reply<H: Host>(self, host: &H) {
        self.finish(host, true);
    }

    fn finish<H: Host>(self, host: &H, reply_waits: bool) {
        let told = self.courier.map(|courier| courier.run(host, reply_waits));
        self.records.post(host);
        if let Some(told) = told {
            told.post(host);
        }
    }
}
