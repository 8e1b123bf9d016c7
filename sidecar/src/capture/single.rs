//! Captures of single calls: asked for by a running call's id, or for the next call from or to a number.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::{Captured, pcap};
use crate::guard::locked;

/// Captures that are kept at once.
const MOST: usize = 16;
/// The largest capture, in bytes.
const LARGEST: usize = 64 << 20;

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// A number or user part that calls or is called; none: the capture is begun by a call's id.
    pub(crate) number: Option<String>,
    /// With the audio's packets.
    pub(crate) rtp: bool,
    /// Bytes after which nothing more is taken.
    pub(crate) most_bytes: usize,
}

/// How a capture stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CaptureState {
    /// For a call.
    Waiting,
    /// Its call runs.
    Running,
    /// Its call is over.
    Over,
}

impl CaptureState {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Over => "over",
        }
    }
}

/// One call's packets.
#[derive(Debug)]
pub(crate) struct CallCapture {
    /// By what the control API knows it.
    pub(crate) id: String,
    wanted: Wanted,
    taken: AtomicBool,
    over: AtomicBool,
    file: Mutex<Vec<u8>>,
}

impl CallCapture {
    /// Whether the audio's packets are wanted.
    pub(crate) fn wants_rtp(&self) -> bool {
        self.wanted.rtp
    }

    /// Takes a packet, if there is room.
    pub(crate) fn put(&self, captured: &Captured) {
        let packet = pcap::packet(captured);
        let mut file = locked(&self.file);
        if file.len() + packet.len() <= self.wanted.most_bytes {
            file.extend(packet);
        }
    }

    /// How it stands.
    pub(crate) fn state(&self) -> CaptureState {
        let said = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        match (said(&self.over), said(&self.taken)) {
            (true, _) => CaptureState::Over,
            (false, true) => CaptureState::Running,
            (false, false) => CaptureState::Waiting,
        }
    }

    /// Its call is over; what still comes for it is taken, too.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// The file so far.
    pub(crate) fn file(&self) -> Vec<u8> {
        locked(&self.file).clone()
    }
}

/// All captures.
#[derive(Debug, Default)]
pub(crate) struct Captures {
    all: Mutex<Vec<Arc<CallCapture>>>,
    count: AtomicUsize,
}

impl Captures {
    /// Whether there are any.
    pub(crate) fn is_on(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// A new capture; none when there are as many as may be.
    pub(crate) fn add(&self, id: String, wanted: Wanted) -> Option<Arc<CallCapture>> {
        let mut all = locked(&self.all);
        if all.len() >= MOST {
            return None;
        }
        let wanted = Wanted {
            most_bytes: wanted.most_bytes.min(LARGEST),
            ..wanted
        };
        let capture = Arc::new(CallCapture {
            id,
            // A running call's id names who takes it.
            taken: AtomicBool::new(wanted.number.is_none()),
            over: AtomicBool::new(false),
            wanted,
            file: Mutex::new(pcap::head()),
        });
        all.push(Arc::clone(&capture));
        self.count.store(all.len(), Ordering::Relaxed);
        Some(capture)
    }

    /// The capture that waits for a call of one of these numbers, if any; it waits no longer.
    pub(crate) fn claim(&self, numbers: [&str; 2]) -> Option<Arc<CallCapture>> {
        if !self.is_on() {
            return None;
        }
        let bare = |number: &str| number.trim_start_matches('+').to_owned();
        let all = locked(&self.all);
        let waiting = all.iter().find(|capture| {
            let number = capture.wanted.number.as_deref();
            number.is_some_and(|wanted| numbers.iter().any(|n| bare(n) == bare(wanted)))
                && !capture.taken.swap(true, Ordering::Relaxed)
        });
        waiting.map(Arc::clone)
    }

    /// A capture by its id.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<CallCapture>> {
        let all = locked(&self.all);
        all.iter().find(|capture| capture.id == id).map(Arc::clone)
    }

    /// Ends a capture and forgets it; false when there is none.
    pub(crate) fn remove(&self, id: &str) -> bool {
        let mut all = locked(&self.all);
        let before = all.len();
        all.retain(|capture| capture.id != id);
        self.count.store(all.len(), Ordering::Relaxed);
        all.len() < before
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn a_capture_is_claimed_once_and_bounded() {
        let captures = Captures::default();
        assert!(captures.claim(["+1607", ""]).is_none());
        let wanted = Wanted {
            number: Some("+1607".into()),
            rtp: true,
            most_bytes: 200,
        };
        captures.add("a".into(), wanted.clone()).unwrap();
        assert!(captures.claim(["+1608", "x"]).is_none());
        assert_eq!(captures.get("a").unwrap().state(), CaptureState::Waiting);
        let capture = captures.claim(["", "1607"]).unwrap();
        assert_eq!(captures.get("a").unwrap().state(), CaptureState::Running);
        assert!(captures.claim(["", "1607"]).is_none());
        let packet = Captured {
            at: SystemTime::now(),
            from: "192.0.2.1:1".parse().unwrap(),
            to: "192.0.2.1:1".parse().unwrap(),
            by_stream: false,
            bytes: vec![0; 50].into(),
        };
        for _ in 0..10 {
            capture.put(&packet);
        }
        assert_eq!(capture.file().len(), 24 + 94);
        capture.end();
        assert_eq!(captures.get("a").unwrap().state(), CaptureState::Over);
        for n in 1..MOST {
            assert!(captures.add(n.to_string(), wanted.clone()).is_some());
        }
        assert!(captures.add("more".into(), wanted).is_none());
        assert!(captures.remove("a"));
        assert!(!captures.remove("a"));
    }
}
