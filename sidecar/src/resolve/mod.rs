//! Names looked up for SIP (RFC 3263): the procedure, and the name servers that answer it.

mod record;
mod search;
mod usable;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};

use crate::config::DnsConfig;
use crate::leg::Target;
use record::{Answer, Naptr, Question, Srv};
pub(crate) use search::{Hop, Search};
pub(crate) use usable::Usable;

/// Looks names up; answers are kept for as long as their records say.
pub(crate) struct Names {
    resolver: TokioResolver,
    usable: Usable,
}

impl Names {
    /// Name servers of the configuration, or the system's.
    ///
    /// # Errors
    /// The system's settings cannot be read.
    pub(crate) fn new(config: &DnsConfig, usable: Usable) -> Result<Self, NetError> {
        let mut builder = if config.servers.is_empty() {
            Resolver::builder_tokio()?
        } else {
            let servers = config.servers.iter().map(|server| name_server(*server));
            let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
            Resolver::builder_with_config(config, TokioRuntimeProvider::default())
        };
        let options = builder.options_mut();
        options.timeout = Duration::from_millis(config.timeout_ms.into());
        options.attempts = 1;
        Ok(Self {
            resolver: builder.build()?,
            usable,
        })
    }

    /// What can be sent by.
    pub(crate) fn usable(&self) -> Usable {
        self.usable
    }

    /// Where to send for a target, the best place first.
    ///
    /// # Errors
    /// A text for the trace: nothing was found, or no name server answered.
    pub(crate) async fn find(&self, target: &Target, udp_only: bool) -> Result<Vec<Hop>, String> {
        let usable = if udp_only {
            self.usable.only_udp()
        } else {
            self.usable
        };
        let mut search = Search::new(target, usable);
        let mut trouble = None;
        while let Some(question) = search.question() {
            let answer = match self.ask(&question).await {
                Ok(answer) => answer,
                Err(error) => {
                    trouble = Some(error.to_string());
                    nothing(&question)
                }
            };
            search.answer(answer, |most| rand::random_range(0..=most));
        }
        let hops = search.hops();
        if hops.is_empty() {
            let why = trouble.unwrap_or_else(|| "no address that can be sent to".into());
            return Err(format!("{}: {why}", target.host));
        }
        Ok(hops)
    }

    async fn ask(&self, question: &Question) -> Result<Answer, NetError> {
        let found = match question {
            Question::Naptr(name) => self
                .records(name, RecordType::NAPTR)
                .await
                .map(|found| Answer::Naptr(found.iter().filter_map(naptr).collect())),
            Question::Srv(name) => self
                .records(name, RecordType::SRV)
                .await
                .map(|found| Answer::Srv(found.iter().filter_map(srv).collect())),
            Question::Addresses(name) => {
                self.resolver.lookup_ip(absolute(name)).await.map(|found| {
                    // IPv4 first: our choice, because more peers are reached by it.
                    let mut found: Vec<IpAddr> = found.iter().collect();
                    found.sort_by_key(IpAddr::is_ipv6);
                    Answer::Addresses(found)
                })
            }
        };
        match found {
            Err(error) if error.is_no_records_found() => Ok(nothing(question)),
            other => other,
        }
    }

    async fn records(&self, name: &str, kind: RecordType) -> Result<Vec<RData>, NetError> {
        let found = self.resolver.lookup(absolute(name), kind).await?;
        Ok(found
            .answers()
            .iter()
            .map(|record| record.data.clone())
            .collect())
    }
}

/// A name that no search list is put behind; a name without a dot is left to the search list and the hosts file.
fn absolute(name: &str) -> String {
    if name.contains('.') && !name.ends_with('.') {
        format!("{name}.")
    } else {
        name.to_owned()
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.into())
}

fn nothing(question: &Question) -> Answer {
    match question {
        Question::Naptr(_) => Answer::Naptr(Vec::new()),
        Question::Srv(_) => Answer::Srv(Vec::new()),
        Question::Addresses(_) => Answer::Addresses(Vec::new()),
    }
}

fn plain(name: &hickory_resolver::proto::rr::Name) -> String {
    let name = name.to_utf8();
    name.strip_suffix('.').unwrap_or(&name).to_owned()
}

fn naptr(data: &RData) -> Option<Naptr> {
    let RData::NAPTR(found) = data else {
        return None;
    };
    Some(Naptr {
        order: found.order,
        preference: found.preference,
        flags: String::from_utf8_lossy(&found.flags).into_owned(),
        service: String::from_utf8_lossy(&found.services).into_owned(),
        replacement: plain(&found.replacement),
    })
}

fn srv(data: &RData) -> Option<Srv> {
    let RData::SRV(found) = data else {
        return None;
    };
    Some(Srv {
        priority: found.priority,
        weight: found.weight,
        port: found.port,
        target: plain(&found.target),
    })
}
