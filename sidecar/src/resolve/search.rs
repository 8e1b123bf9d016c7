//! RFC 3263: from a URI's host to the addresses and transports to try, in order. What has to be looked up is asked for,
//! one question at a time; nothing here knows a name server.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use skillcall_sip::endpoint::Transport;
use skillcall_sip::message::Host;

use crate::leg::Target;
use crate::trunks::by_priority;

use super::record::{Answer, Naptr, Question, Srv};
use super::usable::Usable;

/// Questions that one search asks at most: records of a stranger's name must not keep it going.
const MOST_QUESTIONS: usize = 24;
/// Hops that one search finds at most.
const MOST_HOPS: usize = 16;

/// A place to send to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hop {
    /// Address and port.
    pub(crate) address: SocketAddr,
    /// The transport.
    pub(crate) transport: Transport,
    /// The name that a certificate has to carry: that of the URI, whatever the records have made of it (RFC 5922 §7.2).
    pub(crate) name: Arc<str>,
}

#[derive(Debug)]
enum Task {
    Naptr,
    Srv(String, Transport),
    Addresses(String, u16, Transport),
}

/// One search.
#[derive(Debug)]
pub(crate) struct Search {
    host: String,
    name: Arc<str>,
    secure: bool,
    wanted: Option<Transport>,
    usable: Usable,
    tasks: VecDeque<Task>,
    hops: Vec<Hop>,
    asked: usize,
    /// The addresses of the host itself were looked for, or its records say that the service is not there.
    last: bool,
}

/// The port of a transport where none is written (RFC 3261 §19.1.2, RFC 7118 §5.2.4 and the schemes of RFC 6455 §3).
pub(crate) const fn default_port(transport: Transport) -> u16 {
    match transport {
        Transport::Udp | Transport::Tcp => 5060,
        Transport::Tls => 5061,
        Transport::Ws => 80,
        Transport::Wss => 443,
    }
}

impl Search {
    /// Begins a search (RFC 3263 §4.1, §4.2).
    pub(crate) fn new(target: &Target, usable: Usable) -> Self {
        let plain = if target.secure {
            Transport::Tls
        } else {
            Transport::Udp
        };
        let mut search = Self {
            host: target.host.to_string(),
            name: target.host.to_string().trim_matches(['[', ']']).into(),
            secure: target.secure,
            wanted: target.transport,
            usable,
            tasks: VecDeque::new(),
            hops: Vec::new(),
            asked: 0,
            last: false,
        };
        let chosen = target.transport.unwrap_or(plain);
        match (&target.host, target.port) {
            (Host::Ip(ip), port) => {
                let port = port.unwrap_or(default_port(chosen));
                search.last = true;
                search.add(SocketAddr::new(*ip, port), chosen);
            }
            (Host::Name(name), Some(port)) => {
                search.last = true;
                search
                    .tasks
                    .push_back(Task::Addresses(name.to_string(), port, chosen));
            }
            (Host::Name(name), None) => match target.transport {
                Some(transport) => search.ask_srv(name, transport),
                None => search.tasks.push_back(Task::Naptr),
            },
        }
        search
    }

    fn ask_srv(&mut self, host: &str, transport: Transport) {
        let service = match transport {
            Transport::Udp => "_sip._udp",
            Transport::Tcp => "_sip._tcp",
            Transport::Tls => "_sips._tcp",
            Transport::Ws => "_sip._ws",
            Transport::Wss => "_sips._ws",
        };
        if self.usable.has(transport) {
            self.tasks
                .push_back(Task::Srv(format!("{service}.{host}"), transport));
        }
    }

    fn add(&mut self, address: SocketAddr, transport: Transport) {
        let hop = Hop {
            address,
            transport,
            name: Arc::clone(&self.name),
        };
        let fits = self.usable.reaches(transport, address.ip());
        if fits && self.hops.len() < MOST_HOPS && !self.hops.contains(&hop) {
            self.hops.push(hop);
        }
    }

    /// What has to be looked up next; `None`: nothing more.
    pub(crate) fn question(&mut self) -> Option<Question> {
        if self.asked >= MOST_QUESTIONS {
            return None;
        }
        if self.tasks.is_empty() && self.hops.is_empty() && !self.last {
            // Neither NAPTR nor SRV: the host's own addresses (RFC 3263 §4.2).
            self.last = true;
            let plain = if self.secure {
                Transport::Tls
            } else {
                Transport::Udp
            };
            let transport = self.wanted.unwrap_or(plain);
            let port = default_port(transport);
            self.tasks
                .push_back(Task::Addresses(self.host.clone(), port, transport));
        }
        Some(match self.tasks.front()? {
            Task::Naptr => Question::Naptr(self.host.clone()),
            Task::Srv(name, _) => Question::Srv(name.clone()),
            Task::Addresses(name, ..) => Question::Addresses(name.clone()),
        })
    }

    /// Takes what was found for the last question. `draw` as in [`by_priority`].
    pub(crate) fn answer(&mut self, answer: Answer, draw: impl FnMut(u32) -> u32) {
        self.asked += 1;
        let Some(task) = self.tasks.pop_front() else {
            return;
        };
        match (task, answer) {
            (Task::Naptr, Answer::Naptr(records)) => self.on_naptr(records),
            (Task::Srv(_, transport), Answer::Srv(records)) => {
                self.on_srv(transport, &records, draw);
            }
            (Task::Addresses(_, port, transport), Answer::Addresses(found)) => {
                for ip in found {
                    self.add(SocketAddr::new(ip, port), transport);
                }
            }
            _ => {}
        }
    }

    fn on_naptr(&mut self, mut records: Vec<Naptr>) {
        records.sort_by_key(|record| (record.order, record.preference));
        for record in &records {
            let transport = match record.service.to_ascii_uppercase().as_str() {
                "SIP+D2U" => Transport::Udp,
                "SIP+D2T" => Transport::Tcp,
                "SIPS+D2T" => Transport::Tls,
                "SIP+D2W" => Transport::Ws,
                "SIPS+D2W" => Transport::Wss,
                _ => continue,
            };
            let fits = self.usable.has(transport) && (transport.is_secure() || !self.secure);
            if fits && record.flags.eq_ignore_ascii_case("s") {
                self.tasks
                    .push_back(Task::Srv(record.replacement.clone(), transport));
            }
        }
        if self.tasks.is_empty() {
            let host = self.host.clone();
            // Without NAPTR each transport is asked for; the order is our choice.
            let tried: &[Transport] = if self.secure {
                &[Transport::Tls]
            } else {
                &[Transport::Udp, Transport::Tcp, Transport::Tls]
            };
            for transport in tried {
                self.ask_srv(&host, *transport);
            }
        }
    }

    fn on_srv(&mut self, transport: Transport, records: &[Srv], draw: impl FnMut(u32) -> u32) {
        if let [only] = records
            && matches!(only.target.as_str(), "" | ".")
        {
            // "The service is decidedly not available at this domain" (RFC 2782, "Target").
            self.last = true;
            return;
        }
        let ranks: Vec<(u16, u16)> = records.iter().map(|r| (r.priority, r.weight)).collect();
        let ordered = by_priority(&ranks, draw);
        // Their addresses are looked up before the next transport's records.
        for record in ordered.iter().rev().filter_map(|place| records.get(*place)) {
            self.tasks.push_front(Task::Addresses(
                record.target.clone(),
                record.port,
                transport,
            ));
        }
    }

    /// Where to send, the best first.
    pub(crate) fn hops(self) -> Vec<Hop> {
        self.hops
    }
}

#[cfg(test)]
mod tests;
