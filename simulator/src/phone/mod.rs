//! A SIP phone that can be called: rings, answers, speaks, listens, hangs up, refuses.

use std::net::SocketAddr;

use crate::config::PhoneConfig;
use crate::line::{Answering, Line, Manner};

/// The phone.
#[derive(Debug)]
pub(crate) struct Phone {
    line: Line,
}

impl Phone {
    pub(crate) fn new(line: Line) -> Self {
        Self { line }
    }

    /// How the phone takes calls, as configured.
    pub(crate) fn habits(config: &PhoneConfig) -> (Answering, Manner) {
        let manner = Manner {
            voice: config.voice.clone(),
            script: config.script.clone(),
            recordings: config.recordings.clone(),
            max_seconds: config.max_seconds,
            loss: config.loss,
        };
        (config.answering.clone(), manner)
    }

    pub(crate) fn line(&self) -> &Line {
        &self.line
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.line.address()
    }
}
