//! The registrar (RFC 3261 §10.3, RFC 3327, RFC 3608, RFC 5626 §6).

use std::collections::{BTreeMap, BTreeSet};

use super::binding::{Binding, FlowId};
use super::contacts::{Asked, Asking, expires_of};
use super::rules::{
    address_of_record, is_older, is_same, out_of_order, path_of, supports_outbound,
};
use crate::endpoint::{Flow, OwnReply};
use crate::message::{ExtraHeader, HeaderName, Request, StatusCode, UriRef, text};

/// How a registrar behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistrarConfig {
    /// The hosts whose addresses of record are kept, in lower case; empty for any.
    pub domains: Vec<String>,
    /// The host that all addresses of record are kept under, in lower case, whichever of `domains` To names: then a user
    /// is one, by every name and address of ours. `None` keeps each host's users apart.
    pub one_domain: Option<String>,
    /// Whether the oldest bindings of an address give way when it has too many; otherwise the REGISTER is refused (403).
    pub replace_oldest: bool,
    /// The shortest time in seconds; what is shorter gets 423 (RFC 3261 §10.3 point 7).
    pub min_expires: u32,
    /// The time given to a phone that names none, in seconds.
    pub default_expires: u32,
    /// The longest time in seconds; what is longer is cut.
    pub max_expires: u32,
    /// The most bindings of one address of record.
    pub bindings_per_address: usize,
    /// The most bindings in all.
    pub bindings: usize,
    /// The Service-Route that a phone learns, first hop first (RFC 3608); empty for none.
    pub service_route: Vec<String>,
}

impl Default for RegistrarConfig {
    /// Any domain, 60 s to 2 h, 1 h by default, 8 bindings an address, 100,000 in all, no Service-Route.
    fn default() -> Self {
        Self {
            domains: Vec::new(),
            one_domain: None,
            replace_oldest: false,
            min_expires: 60,
            default_expires: 3600,
            max_expires: 7200,
            bindings_per_address: 8,
            bindings: 100_000,
            service_route: Vec::new(),
        }
    }
}

/// What became of a binding: to be written to where bindings outlive a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// New, or renewed.
    Bound {
        /// The address of record.
        address: String,
        /// The binding.
        binding: Binding,
    },
    /// Gone: taken back by its phone, replaced, or run out.
    Removed {
        /// The address of record.
        address: String,
        /// The Contact URI.
        contact: String,
        /// The device and flow.
        flow: Option<FlowId>,
    },
}

/// The outcome of a REGISTER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// What to answer.
    pub reply: OwnReply,
    /// What changed; nothing unless the answer is 200.
    pub changes: Vec<Change>,
}

/// The bindings of phones that register with us. Times are Unix seconds that the caller gives.
#[derive(Debug, Default)]
pub struct Registrar {
    config: RegistrarConfig,
    bindings: BTreeMap<String, Vec<Binding>>,
    /// When the bindings of which address have to be looked at.
    ends: BTreeSet<(u64, String)>,
    count: usize,
}

impl Registrar {
    /// A registrar without bindings.
    pub fn new(config: RegistrarConfig) -> Self {
        Self {
            config,
            ..Self::default()
        }
    }

    /// Takes bindings back that were kept through a restart; what has run out by `now`, or exceeds a bound, is left.
    pub fn restore(&mut self, now: u64, kept: impl IntoIterator<Item = (String, Binding)>) {
        for (address, binding) in kept {
            let of_address = self.bindings.get(&address).map_or(0, Vec::len);
            if binding.expires_at > now
                && self.count < self.config.bindings
                && of_address < self.config.bindings_per_address
            {
                self.bind(&address, binding);
            }
        }
    }

    /// Takes bindings that another registrar has kept, in the place of all that there are.
    pub fn replace(&mut self, now: u64, kept: impl IntoIterator<Item = (String, Binding)>) {
        self.bindings.clear();
        self.ends.clear();
        self.count = 0;
        self.restore(now, kept);
    }

    /// All bindings, with their addresses of record.
    pub fn bindings(&self) -> impl Iterator<Item = (&str, &Binding)> {
        self.bindings
            .iter()
            .flat_map(|(address, list)| list.iter().map(move |binding| (address.as_str(), binding)))
    }

    /// How many bindings there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Where an address of record is reached at `now`: the preferred first, of equals the youngest.
    pub fn lookup(&self, now: u64, address: &UriRef<'_>) -> Vec<&Binding> {
        let Some(address) = address_of_record(address) else {
            return Vec::new();
        };
        let address = self.kept_under(address);
        let list = self.bindings.get(&address).map_or(&[][..], Vec::as_slice);
        let mut found: Vec<&Binding> = list
            .iter()
            .filter(|binding| binding.expires_at > now)
            .collect();
        found.sort_by_key(|binding| {
            (
                std::cmp::Reverse(binding.q),
                std::cmp::Reverse(binding.registered_at),
            )
        });
        found
    }

    /// When the next binding runs out.
    pub fn next_end(&self) -> Option<u64> {
        self.ends.first().map(|(at, _)| *at)
    }

    /// Forgets what has run out by `now`.
    pub fn expire(&mut self, now: u64) -> Vec<Change> {
        let mut changes = Vec::new();
        while let Some((at, _)) = self.ends.first()
            && *at <= now
        {
            let Some((_, address)) = self.ends.pop_first() else {
                break;
            };
            self.remove_where(&address, &mut changes, |binding| binding.expires_at <= now);
        }
        changes
    }

    /// Carries out a REGISTER, whose sender the caller has authenticated and found entitled to the address in To.
    /// Either all its Contacts take effect or none.
    pub fn register(&mut self, now: u64, request: &Request, flow: &Flow) -> Registered {
        self.register_within(now, request, flow, self.config.bindings_per_address)
    }

    /// The same for an address that may have `most` bindings.
    pub fn register_within(
        &mut self,
        now: u64,
        request: &Request,
        flow: &Flow,
        most: usize,
    ) -> Registered {
        let expired = self.expire(now);
        let mut outcome = match self.try_register(now, request, flow, most) {
            Ok(outcome) => outcome,
            Err(reply) => Registered {
                reply: *reply,
                changes: Vec::new(),
            },
        };
        outcome.changes.splice(0..0, expired);
        outcome
    }

    fn try_register(
        &mut self,
        now: u64,
        request: &Request,
        flow: &Flow,
        most: usize,
    ) -> Result<Registered, Box<OwnReply>> {
        let refuse = |status: StatusCode, reason: &str| {
            Box::new(OwnReply {
                reason: reason.to_owned(),
                ..OwnReply::from(status)
            })
        };
        let to = request.headers().to();
        let address = to
            .as_ref()
            .ok()
            .and_then(|to| to.uri().ok())
            .as_ref()
            .and_then(address_of_record)
            .ok_or_else(|| refuse(StatusCode::NOT_FOUND, "No SIP Address In To"))?;
        let host = address.rsplit('@').next().unwrap_or_default();
        if !self.config.domains.is_empty() && !self.config.domains.iter().any(|own| own == host) {
            return Err(refuse(StatusCode::NOT_FOUND, "Not A Domain Of Ours"));
        }
        let address = self.kept_under(address);
        let asking = Asking::read(request, most)
            .map_err(|reason| refuse(StatusCode::BAD_REQUEST, reason))?;
        let call_id = text(request.headers().call_id()).into_owned();
        if call_id.len() > 256 || address.len() > 256 {
            return Err(refuse(
                StatusCode::BAD_REQUEST,
                "Call-ID Or Address Too Long",
            ));
        }
        let cseq = request.headers().cseq().number;
        let mut changes = Vec::new();
        let mut outbound = false;
        match asking {
            Asking::Query => {}
            Asking::All => {
                let list = self.bindings.get(&address).map_or(&[][..], Vec::as_slice);
                if list.iter().any(|old| is_older(old, &call_id, cseq)) {
                    return Err(out_of_order());
                }
                self.remove_where(&address, &mut changes, |_| true);
            }
            Asking::Contacts(asked) => {
                let general = expires_of(request).unwrap_or(self.config.default_expires);
                let path = path_of(request)
                    .ok_or_else(|| refuse(StatusCode::BAD_REQUEST, "Malformed Path"))?;
                outbound = supports_outbound(request, &path);
                let mut plan = Vec::new();
                for mut contact in asked {
                    let expires = contact.expires.unwrap_or(general);
                    // Longer than an hour is never too brief, whatever our minimum is (RFC 3261 §10.3 point 7).
                    if expires > 0 && expires < self.config.min_expires.min(3600) {
                        let least = self.config.min_expires.to_string();
                        return Err(Box::new(
                            OwnReply::from(StatusCode::INTERVAL_TOO_BRIEF)
                                .with(ExtraHeader::new("Min-Expires", least)),
                        ));
                    }
                    if !outbound && let Some(flow) = &mut contact.flow {
                        flow.reg_id = None;
                    }
                    let old = self.find(&address, &contact);
                    if old.is_some_and(|old| is_older(old, &call_id, cseq)) {
                        return Err(out_of_order());
                    }
                    plan.push((contact, expires.min(self.config.max_expires)));
                }
                let have = self.bindings.get(&address).map_or(0, Vec::len);
                let new = plan
                    .iter()
                    .filter(|(contact, expires)| {
                        *expires > 0 && self.find(&address, contact).is_none()
                    })
                    .count();
                let excess = (have + new).saturating_sub(most);
                if excess > 0 && !self.config.replace_oldest {
                    return Err(refuse(StatusCode::FORBIDDEN, "Too Many Bindings"));
                }
                if self.count + new > self.config.bindings {
                    return Err(Box::new(
                        OwnReply::from(StatusCode::SERVICE_UNAVAILABLE)
                            .with([ExtraHeader::retry_after(60)]),
                    ));
                }
                self.remove_oldest(&address, excess, &plan, &mut changes);
                for (contact, expires) in plan {
                    let mut replaced = Vec::new();
                    self.remove_where(&address, &mut replaced, |old| is_same(old, &contact));
                    if expires == 0 {
                        changes.append(&mut replaced);
                        continue;
                    }
                    // A device that moved has another Contact: the old one is gone for whoever keeps them by Contact.
                    replaced.retain(|change| {
                        matches!(change, Change::Removed { contact: old, .. } if *old != contact.uri.as_str())
                    });
                    changes.append(&mut replaced);
                    let binding = Binding {
                        contact: contact.uri.as_str().to_owned(),
                        params: contact.params,
                        expires_at: now.saturating_add(u64::from(expires)),
                        q: contact.q,
                        call_id: call_id.clone(),
                        cseq,
                        flow: contact.flow,
                        path: path.clone(),
                        source: flow.remote,
                        transport: flow.transport.to_string(),
                        registered_at: now,
                    };
                    self.bind(&address, binding.clone());
                    changes.push(Change::Bound {
                        address: address.clone(),
                        binding,
                    });
                }
            }
        }
        Ok(Registered {
            reply: self.success(now, &address, request, outbound),
            changes,
        })
    }

    fn success(&self, now: u64, address: &str, request: &Request, outbound: bool) -> OwnReply {
        let mut reply = OwnReply::from(StatusCode::OK);
        let list = self.bindings.get(address).map_or(&[][..], Vec::as_slice);
        reply.contacts = list.iter().map(|binding| binding.listed(now)).collect();
        let supports_path = request
            .headers()
            .tokens(HeaderName::Supported)
            .any(|tag| tag.eq_ignore_ascii_case(b"path"));
        if supports_path {
            let paths = request.headers().all(HeaderName::Path);
            reply
                .headers
                .extend(paths.filter_map(|value| ExtraHeader::new("Path", value).ok()));
        }
        if outbound {
            reply
                .headers
                .extend(ExtraHeader::new("Require", "outbound"));
        }
        let routes = self.config.service_route.iter();
        reply
            .headers
            .extend(routes.filter_map(|route| ExtraHeader::new("Service-Route", route).ok()));
        reply
    }

    fn kept_under(&self, address: String) -> String {
        match (&self.config.one_domain, address.rsplit_once('@')) {
            (Some(domain), Some((user, _))) => format!("{user}@{domain}"),
            _ => address,
        }
    }

    /// Makes room for new bindings: those that the plan is not about, the oldest first.
    fn remove_oldest(
        &mut self,
        address: &str,
        excess: usize,
        plan: &[(Asked, u32)],
        changes: &mut Vec<Change>,
    ) {
        for _ in 0..excess {
            let list = self.bindings.get(address).map_or(&[][..], Vec::as_slice);
            let stays = |old: &Binding| plan.iter().any(|(contact, _)| is_same(old, contact));
            let oldest = list.iter().filter(|old| !stays(old));
            let oldest = oldest.min_by_key(|old| old.registered_at);
            let Some(oldest) = oldest.map(|old| (old.contact.clone(), old.flow.clone())) else {
                return;
            };
            self.remove_where(address, changes, |old| {
                (&old.contact, &old.flow) == (&oldest.0, &oldest.1)
            });
        }
    }

    fn find(&self, address: &str, contact: &Asked) -> Option<&Binding> {
        let list = self.bindings.get(address)?;
        list.iter().find(|old| is_same(old, contact))
    }

    fn bind(&mut self, address: &str, binding: Binding) {
        self.ends.insert((binding.expires_at, address.to_owned()));
        self.bindings
            .entry(address.to_owned())
            .or_default()
            .push(binding);
        self.count += 1;
    }

    fn remove_where(
        &mut self,
        address: &str,
        changes: &mut Vec<Change>,
        gone: impl Fn(&Binding) -> bool,
    ) {
        let Some(list) = self.bindings.get_mut(address) else {
            return;
        };
        let before = list.len();
        let mut ended = Vec::new();
        list.retain(|binding| {
            if !gone(binding) {
                return true;
            }
            ended.push(binding.expires_at);
            changes.push(Change::Removed {
                address: address.to_owned(),
                contact: binding.contact.clone(),
                flow: binding.flow.clone(),
            });
            false
        });
        self.count = self.count.saturating_sub(before - list.len());
        for at in ended {
            // Another binding of the address may end in the same second.
            if !list.iter().any(|binding| binding.expires_at == at) {
                self.ends.remove(&(at, address.to_owned()));
            }
        }
        if list.is_empty() {
            self.bindings.remove(address);
        }
    }
}
