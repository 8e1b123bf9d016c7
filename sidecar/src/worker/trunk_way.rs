//! How a request to a trunk begins its way, and whose it says it is.

use std::net::IpAddr;

use skillcall_sip::message::{Host, Uri, escaped_user};

use super::Running;
use super::ringing::target_of;
use crate::leg::Target;
use crate::trunks::Trunk;

impl Running {
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
