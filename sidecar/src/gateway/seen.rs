//! Which requests came before, and which sessions are over: bounded, the oldest are forgotten first.

use std::collections::{HashMap, HashSet, VecDeque};

/// Requests and sessions that are remembered.
const MOST: usize = 100_000;

/// How a request stands to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is new, and is being taken from now on.
    New,
    /// It is being taken: the same came a moment ago.
    Being,
    /// It was taken.
    Taken,
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    requests: HashMap<Box<str>, bool>,
    taken: VecDeque<Box<str>>,
    over: HashSet<Box<str>>,
    ended: VecDeque<Box<str>>,
}

impl Seen {
    /// A request comes.
    pub(crate) fn begin(&mut self, request: &str) -> Standing {
        match self.requests.get(request) {
            Some(true) => Standing::Taken,
            Some(false) => Standing::Being,
            None => {
                self.requests.insert(request.into(), false);
                Standing::New
            }
        }
    }

    /// A new request was taken, or not.
    pub(crate) fn finish(&mut self, request: &str, taken: bool) {
        if !taken {
            self.requests.remove(request);
            return;
        }
        self.requests.insert(request.into(), true);
        self.taken.push_back(request.into());
        if self.taken.len() > MOST
            && let Some(oldest) = self.taken.pop_front()
        {
            self.requests.remove(&oldest);
        }
    }

    /// The requests that were taken, the oldest first.
    pub(crate) fn requests(&self) -> impl Iterator<Item = &str> {
        self.taken.iter().map(|request| &**request)
    }

    /// A session is over.
    pub(crate) fn over(&mut self, session: &str) {
        if !self.over.insert(session.into()) {
            return;
        }
        self.ended.push_back(session.into());
        if self.ended.len() > MOST
            && let Some(oldest) = self.ended.pop_front()
        {
            self.over.remove(&oldest);
        }
    }

    /// Whether a session is over: what still comes for it is late.
    pub(crate) fn is_over(&self, session: &str) -> bool {
        self.over.contains(session)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_once_and_one_that_was_not_taken_again() {
        let mut seen = Seen::default();
        assert_eq!(seen.begin("a"), Standing::New);
        assert_eq!(seen.begin("a"), Standing::Being);
        seen.finish("a", false);
        assert_eq!(seen.begin("a"), Standing::New);
        seen.finish("a", true);
        assert_eq!(seen.begin("a"), Standing::Taken);
        assert_eq!(seen.begin("b"), Standing::New);
        assert_eq!(
            seen.requests().collect::<Vec<_>>(),
            ["a"],
            "b is being taken"
        );
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut seen = Seen::default();
        for number in 0..=MOST {
            let name = number.to_string();
            seen.begin(&name);
            seen.finish(&name, true);
            seen.over(&name);
        }
        assert_eq!(seen.begin("0"), Standing::New);
        assert!(!seen.is_over("0") && seen.is_over("1"));
        assert_eq!(seen.requests.len(), MOST + 1);
    }
}
