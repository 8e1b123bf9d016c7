//! RFC 3263: from a URI's host to the addresses and transports to try, in order. What has to be looked up is asked for,
//! one question at a time; nothing here knows a name server.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use skillcall_sip::endpoint::Transport;
use skillcall_sip::message::Host;

use crate::leg::Target;
use crate::trunks::by_priority;

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

/// What has to be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Question {
    Naptr(String),
    Srv(String),
    Addresses(String),
}

/// A NAPTR record, as far as it is needed (RFC 3403 §4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Naptr {
    pub(crate) order: u16,
    pub(crate) preference: u16,
    pub(crate) flags: String,
    pub(crate) service: String,
    pub(crate) replacement: String,
}

/// An SRV record (RFC 2782).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Srv {
    pub(crate) priority: u16,
    pub(crate) weight: u16,
    pub(crate) port: u16,
    pub(crate) target: String,
}

/// What was found; an empty list: there is no such record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Naptr(Vec<Naptr>),
    Srv(Vec<Srv>),
    Addresses(Vec<IpAddr>),
}

/// Which transports and address families can be sent by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Usable {
    transports: [bool; 5],
    /// The family of the UDP listener; streams take both.
    udp_v6: bool,
}

impl Usable {
    /// `transports`: those that can be sent by. `udp_v6`: whether UDP is spoken over IPv6.
    pub(crate) fn new(transports: &[Transport], udp_v6: bool) -> Self {
        Self {
            transports: Transport::ALL.map(|known| transports.contains(&known)),
            udp_v6,
        }
    }

    /// The same with UDP alone.
    pub(crate) fn only_udp(self) -> Self {
        let transports = Transport::ALL.map(|known| self.has(known) && known == Transport::Udp);
        Self { transports, ..self }
    }

    pub(crate) fn has(&self, transport: Transport) -> bool {
        Transport::ALL
            .iter()
            .zip(self.transports)
            .any(|(known, usable)| usable && *known == transport)
    }

    fn reaches(&self, transport: Transport, ip: IpAddr) -> bool {
        self.has(transport) && (transport != Transport::Udp || ip.is_ipv6() == self.udp_v6)
    }
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
mod tests {
    use super::*;

    fn all() -> Usable {
        Usable::new(&Transport::ALL, false)
    }

    /// Runs a search over a table of records; returns questions and hops as text.
    fn run(
        uri: &str,
        usable: Usable,
        records: &[(Question, Answer)],
    ) -> (Vec<String>, Vec<String>) {
        let mut search = Search::new(&Target::parse(uri).unwrap(), usable);
        let mut questions = Vec::new();
        while let Some(question) = search.question() {
            questions.push(format!("{question:?}"));
            let none = match &question {
                Question::Naptr(_) => Answer::Naptr(Vec::new()),
                Question::Srv(_) => Answer::Srv(Vec::new()),
                Question::Addresses(_) => Answer::Addresses(Vec::new()),
            };
            let found = records.iter().find(|(asked, _)| *asked == question);
            search.answer(found.map_or(none, |(_, answer)| answer.clone()), |_| 0);
        }
        let hops = search.hops();
        let hops = hops
            .iter()
            .map(|hop| format!("{} {}", hop.transport, hop.address));
        (questions, hops.collect())
    }

    fn addresses(name: &str, ips: &[&str]) -> (Question, Answer) {
        let ips = ips.iter().map(|ip| ip.parse().unwrap()).collect();
        (Question::Addresses(name.into()), Answer::Addresses(ips))
    }

    fn srv(name: &str, records: &[(u16, u16, u16, &str)]) -> (Question, Answer) {
        let records = records.iter().map(|(priority, weight, port, target)| Srv {
            priority: *priority,
            weight: *weight,
            port: *port,
            target: (*target).into(),
        });
        (Question::Srv(name.into()), Answer::Srv(records.collect()))
    }

    fn naptr(name: &str, records: &[(u16, u16, &str, &str)]) -> (Question, Answer) {
        let records = records
            .iter()
            .map(|(order, preference, service, to)| Naptr {
                order: *order,
                preference: *preference,
                flags: "s".into(),
                service: (*service).into(),
                replacement: (*to).into(),
            });
        (
            Question::Naptr(name.into()),
            Answer::Naptr(records.collect()),
        )
    }

    #[test]
    fn literals_need_no_question() {
        for (uri, hop) in [
            ("sip:127.0.0.1", "UDP 127.0.0.1:5060"),
            ("sip:127.0.0.1:5070;transport=tcp", "TCP 127.0.0.1:5070"),
            ("sips:127.0.0.1", "TLS 127.0.0.1:5061"),
            ("sip:127.0.0.1;transport=ws", "WS 127.0.0.1:80"),
            ("sip:[2001:db8::1];transport=tcp", "TCP [2001:db8::1]:5060"),
        ] {
            assert_eq!(
                run(uri, all(), &[]),
                (vec![], vec![hop.to_owned()]),
                "{uri}"
            );
        }
        // Nothing that cannot be sent by.
        assert!(run("sip:[2001:db8::1]", all(), &[]).1.is_empty());
        assert!(run("sips:127.0.0.1", all().only_udp(), &[]).1.is_empty());
    }

    #[test]
    fn a_port_means_addresses_alone() {
        let records = [addresses("pbx.example", &["192.0.2.1", "192.0.2.2"])];
        let (questions, hops) = run("sip:pbx.example:5070", all(), &records);
        assert_eq!(questions, ["Addresses(\"pbx.example\")"]);
        assert_eq!(hops, ["UDP 192.0.2.1:5070", "UDP 192.0.2.2:5070"]);
    }

    /// The example of RFC 3263 §4.1 and §4.2.
    #[test]
    fn naptr_then_srv_then_addresses() {
        let records = [
            naptr(
                "example.com",
                &[
                    (90, 50, "SIP+D2T", "_sip._tcp.example.com"),
                    (100, 50, "SIP+D2U", "_sip._udp.example.com"),
                    (50, 50, "SIPS+D2T", "_sips._tcp.example.com"),
                    (10, 10, "E2U+email", "mail.example.com"),
                ],
            ),
            srv(
                "_sip._tcp.example.com",
                &[
                    (1, 1, 5060, "server2.example.com"),
                    (0, 1, 5060, "server1.example.com"),
                ],
            ),
            srv(
                "_sip._udp.example.com",
                &[(0, 0, 5080, "server1.example.com")],
            ),
            addresses("server1.example.com", &["192.0.2.1"]),
            addresses("server2.example.com", &["192.0.2.2"]),
        ];
        let usable = Usable::new(&[Transport::Udp, Transport::Tcp], false);
        let (_, hops) = run("sip:user@example.com", usable, &records);
        assert_eq!(
            hops,
            [
                "TCP 192.0.2.1:5060",
                "TCP 192.0.2.2:5060",
                "UDP 192.0.2.1:5080"
            ]
        );
        // A transport that is asked for needs no NAPTR; a trunk that has UDP alone gets nothing else.
        let (questions, _) = run("sip:example.com;transport=tcp", usable, &records);
        assert_eq!(questions[0], "Srv(\"_sip._tcp.example.com\")");
        let (_, hops) = run("sip:user@example.com", usable.only_udp(), &records);
        assert_eq!(hops, ["UDP 192.0.2.1:5080"]);
    }

    #[test]
    fn without_naptr_and_srv_the_host_itself() {
        let records = [addresses("pbx.example", &["192.0.2.9", "2001:db8::9"])];
        let (questions, hops) = run("sip:pbx.example", all(), &records);
        assert_eq!(questions.len(), 5, "{questions:?}");
        assert_eq!(hops, ["UDP 192.0.2.9:5060"]);
        let (_, hops) = run("sips:pbx.example", all(), &records);
        assert_eq!(hops, ["TLS 192.0.2.9:5061", "TLS [2001:db8::9]:5061"]);
    }

    #[test]
    fn a_sips_uri_never_leaves_tls() {
        let records = [
            naptr(
                "example.com",
                &[
                    (10, 50, "SIP+D2U", "_sip._udp.example.com"),
                    (50, 50, "SIPS+D2T", "_sips._tcp.example.com"),
                ],
            ),
            srv("_sip._udp.example.com", &[(0, 0, 5060, "a.example")]),
            srv("_sips._tcp.example.com", &[(0, 0, 5061, "a.example")]),
            addresses("a.example", &["192.0.2.1"]),
        ];
        assert_eq!(
            run("sips:example.com", all(), &records).1,
            ["TLS 192.0.2.1:5061"]
        );
    }

    #[test]
    fn a_service_that_is_not_there_is_not_guessed() {
        let records = [
            srv("_sip._tcp.pbx.example", &[(0, 0, 0, ".")]),
            addresses("pbx.example", &["192.0.2.9"]),
        ];
        assert!(
            run("sip:pbx.example;transport=tcp", all(), &records)
                .1
                .is_empty()
        );
    }

    #[test]
    fn a_search_is_bounded() {
        let many: Vec<(u16, u16, u16, String)> = (0..500)
            .map(|n| (n, 0, 5060, format!("h{n}.example")))
            .collect();
        let many: Vec<_> = many
            .iter()
            .map(|(p, w, port, t)| (*p, *w, *port, t.as_str()))
            .collect();
        let (questions, _) = run(
            "sip:pbx.example;transport=udp",
            all(),
            &[srv("_sip._udp.pbx.example", &many)],
        );
        assert!(questions.len() <= MOST_QUESTIONS);
    }
}
