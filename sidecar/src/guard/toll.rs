//! Toll fraud: how many outgoing calls somebody may cause within an hour, and how many a route may carry at once.
//!
//! Where outgoing calls may lead at all is said by `[[route]]`: what no route fits is refused before anything is sent.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::locked;
use crate::config::{GatewayRouteConfig, RouteConfig, TollConfig};

const HOUR: Duration = Duration::from_secs(3600);
/// An hour in parts of this length: a call counts for an hour, and up to this longer.
const PART: Duration = Duration::from_secs(60);

/// Why an outgoing call is not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TollLimit {
    /// Of the source that the call came from.
    Source(u32),
    /// Of the caller.
    Caller(u32),
    /// Of the route, in an hour.
    RouteHour(u32),
    /// Of the route, at once.
    RouteCalls(u32),
    /// Too many callers are being counted.
    Full,
}

impl fmt::Display for TollLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(most) => write!(
                f,
                "its source has caused {most} calls within an hour ([toll] calls-per-source-and-hour)"
            ),
            Self::Caller(most) => write!(
                f,
                "its caller has caused {most} calls within an hour ([toll] calls-per-caller-and-hour)"
            ),
            Self::RouteHour(most) => write!(
                f,
                "the route has taken {most} calls within an hour ([[route]] calls-per-hour)"
            ),
            Self::RouteCalls(most) => {
                write!(f, "the route carries {most} calls ([[route]] max-calls)")
            }
            Self::Full => write!(f, "more callers than [guard] table are being counted"),
        }
    }
}

/// What a route may carry, and what it is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RouteBounds {
    name: String,
    /// Calls at once; 0: no limit.
    max_calls: u32,
    /// Calls within an hour; 0: no limit.
    calls_per_hour: u32,
}

impl From<&RouteConfig> for RouteBounds {
    fn from(route: &RouteConfig) -> Self {
        Self {
            name: route.name().to_owned(),
            max_calls: route.max_calls,
            calls_per_hour: route.calls_per_hour,
        }
    }
}

impl From<&GatewayRouteConfig> for RouteBounds {
    fn from(route: &GatewayRouteConfig) -> Self {
        Self {
            // No prefix of a number begins so.
            name: format!("gateway {}", route.name()),
            max_calls: route.max_calls,
            calls_per_hour: route.calls_per_hour,
        }
    }
}

/// Calls of the last hour, in parts.
#[derive(Debug, Default)]
struct Hour {
    parts: VecDeque<(Instant, u32)>,
}

impl Hour {
    fn count(&mut self, now: Instant) -> u32 {
        while let Some((began, _)) = self.parts.front()
            && now.saturating_duration_since(*began) >= HOUR + PART
        {
            self.parts.pop_front();
        }
        self.parts
            .iter()
            .fold(0, |sum, (_, calls)| sum.saturating_add(*calls))
    }

    fn add(&mut self, now: Instant) {
        match self.parts.back_mut() {
            Some((began, calls)) if now.saturating_duration_since(*began) < PART => {
                *calls = calls.saturating_add(1)
            }
            _ => self.parts.push_back((now, 1)),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Payer {
    Source(String),
    Caller(String, String),
    Route(String),
}

#[derive(Debug, Default)]
struct Counts {
    hours: HashMap<Payer, Hour>,
    routes: HashMap<String, u32>,
}

/// The counts, shared by the workers; asked once for an outgoing call.
#[derive(Debug)]
pub(crate) struct Toll {
    counts: Arc<Mutex<Counts>>,
    table: usize,
}

/// A call on a route that is bounded, for as long as it lives.
#[derive(Debug)]
pub(crate) struct RouteHeld {
    counts: Arc<Mutex<Counts>>,
    route: String,
}

impl Drop for RouteHeld {
    fn drop(&mut self) {
        let mut counts = locked(&self.counts);
        if let Some(calls) = counts.routes.get_mut(&self.route) {
            *calls = calls.saturating_sub(1);
            if *calls == 0 {
                counts.routes.remove(&self.route);
            }
        }
    }
}

impl Toll {
    /// Nothing counted yet; at most `table` callers are.
    pub(crate) fn new(table: usize) -> Self {
        Self {
            counts: Arc::default(),
            table,
        }
    }

    /// Counts an outgoing call: `source` and `caller` caused it, `route` carries it.
    ///
    /// # Errors
    /// The limit that it would exceed; nothing is counted then.
    pub(crate) fn take(
        &self,
        limits: &TollConfig,
        source: &str,
        caller: &str,
        route: &RouteBounds,
        now: Instant,
    ) -> Result<Option<RouteHeld>, TollLimit> {
        let name = route.name.as_str();
        let bounds = [
            (
                limits.calls_per_source_and_hour,
                Payer::Source(source.to_owned()),
                TollLimit::Source as fn(u32) -> TollLimit,
            ),
            (
                limits.calls_per_caller_and_hour,
                Payer::Caller(source.to_owned(), caller.to_owned()),
                TollLimit::Caller,
            ),
            (
                route.calls_per_hour,
                Payer::Route(name.to_owned()),
                TollLimit::RouteHour,
            ),
        ];
        let mut counts = locked(&self.counts);
        let most = route.max_calls;
        if most > 0 && counts.routes.get(name).is_some_and(|calls| *calls >= most) {
            return Err(TollLimit::RouteCalls(most));
        }
        for (most, payer, limit) in &bounds {
            if *most == 0 {
                continue;
            }
            if !counts.hours.contains_key(payer) && counts.hours.len() >= self.table {
                counts.hours.retain(|_, hour| hour.count(now) > 0);
                if counts.hours.len() >= self.table {
                    return Err(TollLimit::Full);
                }
            }
            if counts
                .hours
                .get_mut(payer)
                .is_some_and(|hour| hour.count(now) >= *most)
            {
                return Err(limit(*most));
            }
        }
        for (most, payer, _) in bounds {
            if most > 0 {
                counts.hours.entry(payer).or_default().add(now);
            }
        }
        if most == 0 {
            return Ok(None);
        }
        *counts.routes.entry(name.to_owned()).or_insert(0) += 1;
        Ok(Some(RouteHeld {
            counts: Arc::clone(&self.counts),
            route: name.to_owned(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(max_calls: u32, calls_per_hour: u32) -> RouteBounds {
        RouteBounds::from(&RouteConfig {
            max_calls,
            calls_per_hour,
            ..RouteConfig::to("+", "sip:{number}@192.0.2.1")
        })
    }

    #[test]
    fn an_hour_has_its_limits() {
        let (toll, now) = (Toll::new(1000), Instant::now());
        let limits = TollConfig {
            calls_per_source_and_hour: 5,
            calls_per_caller_and_hour: 2,
        };
        let take = |caller: &str, now| toll.take(&limits, "trunk", caller, &route(0, 0), now);
        for caller in ["a", "a", "b", "b", "c"] {
            assert!(take(caller, now).is_ok());
        }
        assert_eq!(take("a", now).unwrap_err(), TollLimit::Source(5));
        assert!(
            toll.take(&limits, "another", "a", &route(0, 0), now)
                .is_ok(),
            "another's calls are its own"
        );
        let later = now + HOUR + PART;
        assert!(take("a", later).is_ok());
        assert!(take("a", later).is_ok());
        assert_eq!(take("a", later).unwrap_err(), TollLimit::Caller(2));
    }

    #[test]
    fn a_route_carries_so_many() {
        let (toll, now) = (Toll::new(1000), Instant::now());
        let none = TollConfig::default();
        let take = |route: &RouteBounds| toll.take(&none, "", "", route, now);
        let two = route(2, 0);
        let first = take(&two).unwrap();
        let _second = take(&two).unwrap();
        assert_eq!(take(&two).unwrap_err(), TollLimit::RouteCalls(2));
        drop(first);
        assert!(take(&two).is_ok());
        let hourly = route(0, 3);
        for _ in 0..3 {
            assert!(take(&hourly).is_ok());
        }
        assert_eq!(take(&hourly).unwrap_err(), TollLimit::RouteHour(3));
    }

    #[test]
    fn callers_are_counted_up_to_a_bound() {
        let (toll, now) = (Toll::new(100), Instant::now());
        let limits = TollConfig {
            calls_per_source_and_hour: 0,
            calls_per_caller_and_hour: 2,
        };
        let take = |n: u32, now| {
            toll.take(&limits, "trunk", &n.to_string(), &route(0, 0), now)
                .err()
        };
        for n in 0..100 {
            assert_eq!(take(n, now), None);
        }
        assert_eq!(take(100, now), Some(TollLimit::Full));
        assert_eq!(take(99, now), None);
        assert_eq!(take(100, now + HOUR + PART), None, "they are forgotten");
    }
}
