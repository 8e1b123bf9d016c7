//! A call that was sent elsewhere by a 3xx (RFC 3261 §8.1.3.4): which of its targets may be called.

use std::collections::VecDeque;
use std::time::Instant;

use skillcall_sip::message::{Response, Uri};

use super::Running;
use super::call::CallKey;
use crate::config::RouteTarget;
use crate::engine::LegId;
use crate::guard::RouteBounds;
use crate::leg::Target;

impl Running {
    /// Tries the targets of a 3xx that may be called, preferred first. False: there are none, or too many in a row.
    pub(super) fn follow_redirect(
        &mut self,
        key: CallKey,
        leg: LegId,
        response: &Response,
    ) -> bool {
        let status = response.status().get();
        if !(300..400).contains(&status) {
            return false;
        }
        let targets = response.headers().redirect_targets();
        let permitted = targets
            .iter()
            .find_map(|target| Some((self.redirected(key, &target.uri)?, &target.uri)));
        let most = self.shared.config.dialog.redirects;
        let now = Instant::now();
        let Some(mut attempt) = self.take_attempt(key, leg) else {
            return false;
        };
        let (Some(((uri, target, bounds), named)), true) = (permitted, attempt.redirects < most)
        else {
            self.note(
                key,
                true,
                &format!("{status}: none of its targets is followed"),
            );
            return false;
        };
        // The other route has limits of its own.
        let Ok(held) = self.take_toll(key, &bounds, now) else {
            return false;
        };
        // Its credentials, its proxy and what it is trusted with stay behind with the trunk that sends the call elsewhere.
        let trunk = self.shared.trunks.now().of_target(&target).cloned();
        let next = trunk.as_ref().and_then(|trunk| self.first_hop(trunk).1);
        let placed = self.placed_by(trunk.as_deref());
        if let Some(entry) = self.call_mut(key).and_then(|call| call.leg_mut(leg)) {
            entry.handle = None;
            entry.route = held;
            entry.placed = placed;
            entry.trunk.clone_from(&trunk);
        }
        attempt.trunk = trunk;
        self.note(key, false, &format!("{status}: its target is called"));
        attempt.redirects += 1;
        attempt.redirected_with = self.redirected_with(key, named);
        attempt.hops.clear();
        attempt.places = VecDeque::from([(uri, next.unwrap_or(target))]);
        attempt.failure = (status, response.reason().into_owned());
        self.try_next(key, leg, attempt, now);
        true
    }

    /// The place of a redirection's target: as it stands where a route leads there, else by the number's route. Never to
    /// ourselves.
    fn redirected(&self, key: CallKey, uri: &Uri) -> Option<(Uri, Target, RouteBounds)> {
        let (endpoint, direct) = self.permitted(key, &uri.as_ref())?;
        let config = self.shared.live.now();
        let (text, bounds) = match direct {
            Some(_) => {
                // What stands behind `?` is no part of a Request-URI (RFC 3261 §19.1.5).
                let text = uri.as_ref().without_headers().to_owned();
                let target = Target::parse(&text).ok()?;
                (text, self.bounds_of_target(key, &target)?)
            }
            None => {
                let route = RouteTarget::Number(endpoint.uri()).route(&config.route)?;
                (route.uri_for(endpoint.uri())?, route.into())
            }
        };
        let target = Target::parse(&text).ok()?;
        Some((target.uri.clone(), target, bounds))
    }

    /// What the route carries that leads to this host and port, by its own URI or by its trunk's targets. The gateway's
    /// calls have its routes, too.
    pub(super) fn bounds_of_target(&self, key: CallKey, target: &Target) -> Option<RouteBounds> {
        let config = self.shared.live.now();
        let trunks = self.shared.trunks.now();
        let same = |known: &Target| known.host == target.host && known.port == target.port;
        let leads = |trunk: &Option<String>, uri: Option<String>| {
            let trunk = trunk.as_ref().and_then(|name| trunks.named(name));
            trunk.is_some_and(|trunk| trunk.places.iter().any(|place| same(&place.target)))
                || uri
                    .and_then(|uri| Target::parse(&uri).ok())
                    .is_some_and(|known| same(&known))
        };
        let mut routes = config.route.iter();
        if let Some(route) = routes.find(|route| leads(&route.trunk, route.uri_for("0"))) {
            return Some(route.into());
        }
        let mut routes = (config.gateway.route.iter()).filter(|_| self.is_gateway(key));
        routes
            .find(|route| leads(&route.trunk, route.uri_for("0")))
            .map(RouteBounds::from)
    }
}
