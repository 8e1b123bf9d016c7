//! Searches over tables of records.

use super::*;

fn all() -> Usable {
    Usable::new(&Transport::ALL, false)
}

/// Runs a search over a table of records; returns questions and hops as text.
fn run(uri: &str, usable: Usable, records: &[(Question, Answer)]) -> (Vec<String>, Vec<String>) {
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
