//! How a request to a trunk begins its way, and whose it says it is.

use std::net::IpAddr;

use skillcall_sip::message::{Host, Uri, escaped_user};

use super::Running;
use super::call::CallKey;
use super::ringing::target_of;
use crate::engine::LegId;
use crate::leg::Target;
use crate::trunks::{Fate, Placed, Trunk, Way};

impl Running {
    /// Counts what has become of an INVITE of a leg by its trunk.
    pub(super) fn count_call(&self, key: CallKey, leg: LegId, way: Way, fate: Fate) {
        let entry = self.call(key).and_then(|call| call.leg(leg));
        if let Some(trunk) = entry.and_then(|entry| entry.trunk.as_ref()) {
            let counts = self.shared.trunks.counts();
            counts.of(trunk.name()).count(way, fate);
        }
    }

    /// A call that goes by a trunk, for as long as the result is kept.
    pub(super) fn placed_by(&self, trunk: Option<&Trunk>) -> Option<Placed> {
        let counts = self.shared.trunks.counts();
        trunk.map(|trunk| Placed::new(counts.of(trunk.name())))
    }

    /// Where the calls of a trunk begin their way: its proxy, else the first hop of the route that its registrar has
    /// told (RFC 3608 §5), else the target.
    pub(super) fn first_hop(&self, trunk: &Trunk) -> (Vec<String>, Option<Target>) {
        let mut routes: Vec<String> = trunk.route().into_iter().collect();
        let told = self
            .shared
            .trunks
            .registrations()
            .service_route(trunk.name());
        let first = trunk
            .proxy
            .clone()
            .or_else(|| told.first().and_then(|route| target_of(route)));
        routes.extend(told);
        (routes, first)
    }

    /// From of a request to `peer`, by a trunk or not.
    pub(super) fn caller_uri(
        &self,
        trunk: Option<&Trunk>,
        caller: &str,
        peer: IpAddr,
    ) -> Result<Uri, String> {
        let domain = trunk.and_then(|trunk| {
            let domain = trunk.config.from_domain.clone();
            domain.or_else(|| trunk.config.register_domain())
        });
        let user = trunk.and_then(|trunk| trunk.config.from_user.as_deref());
        let user = user.unwrap_or(caller);
        match domain {
            Some(domain) => Uri::parse(&format!("sip:{}@{domain}", escaped_user(user))),
            None => {
                let own = self.shared.reachable.sip(peer);
                Uri::sip(Some(user), &Host::Ip(own.ip()), Some(own.port()))
            }
        }
        .map_err(|error| error.to_string())
    }
}
