//! Forks, route sets and connections: an endpoint against hand-written messages.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use skillcall_sip::endpoint::{
    CallHandle, ConnectionId, Destination, Endpoint, EndpointConfig, Event, Flow, OutgoingInvite,
    Party, Transmit, Transport,
};
use skillcall_sip::message::Uri;
use skillcall_sip::peek::peek;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

struct Caller {
    endpoint: Endpoint,
    now: Instant,
    flow: Flow,
    call: CallHandle,
    invite: String,
}

fn text(transmit: &Transmit) -> String {
    String::from_utf8(transmit.bytes.to_vec()).unwrap()
}

fn line<'a>(message: &'a str, name: &str) -> &'a str {
    message
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap_or_else(|| panic!("no {name} in {message}"))
}

impl Caller {
    fn new(transport: Transport) -> Self {
        let (ours, theirs) = (address("127.0.0.1:5060"), address("127.0.0.1:5070"));
        let mut endpoint = Endpoint::new(EndpointConfig::new(ours, [3; 32]));
        let now = Instant::now();
        let uri = Uri::parse("sip:desk@127.0.0.1:5070").unwrap();
        let mut invite = OutgoingInvite::new(
            uri.clone(),
            theirs,
            Party::new(uri),
            Some(Bytes::from_static(b"v=0")),
        );
        invite.transport = transport;
        let call = endpoint.invite(now, invite).unwrap();
        let invite = text(&endpoint.poll_transmit().unwrap());
        let flow = match transport {
            Transport::Udp => Flow::udp(ours, theirs),
            _ => Flow::tcp(ours, theirs, ConnectionId(9)),
        };
        Self {
            endpoint,
            now,
            flow,
            call,
            invite,
        }
    }

    /// Answers the INVITE.
    fn answer(&mut self, status: &str, tag: &str, extra: &str) -> Vec<Transmit> {
        let response = format!(
            "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {};tag={tag}\r\nCall-ID: {}\r\nCSeq: 1 INVITE\r\n{extra}\
             Content-Length: 0\r\n\r\n",
            line(&self.invite, "Via: "),
            line(&self.invite, "From: "),
            line(&self.invite, "To: "),
            line(&self.invite, "Call-ID: ")
        );
        self.endpoint
            .receive(self.now, &self.flow, response.as_bytes());
        std::iter::from_fn(|| self.endpoint.poll_transmit()).collect()
    }

    fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.endpoint.poll_event()).collect()
    }
}

const CONTACT: &str = "Contact: <sip:desk@127.0.0.1:5071>\r\n";

#[test]
fn of_two_forks_the_first_to_answer_wins_and_the_other_is_ended() {
    let mut caller = Caller::new(Transport::Udp);
    caller.answer("180 Ringing", "one", CONTACT);
    caller.answer("183 Session Progress", "two", CONTACT);
    assert_eq!(caller.events().len(), 2);

    let sent = caller.answer("200 OK", "two", CONTACT);
    assert_eq!(sent.len(), 1);
    let ack = text(&sent[0]);
    assert!(
        ack.starts_with("ACK sip:desk@127.0.0.1:5071 SIP/2.0\r\n"),
        "{ack}"
    );
    assert!(line(&ack, "To: ").ends_with(";tag=two"));
    assert_ne!(
        line(&ack, "Via: "),
        line(&caller.invite, "Via: "),
        "the ACK for a 2xx has a branch of its own"
    );
    assert!(matches!(caller.events()[..], [Event::Answered { .. }]));

    let sent = caller.answer("200 OK", "one", CONTACT);
    let starts: Vec<_> = sent
        .iter()
        .map(|transmit| text(transmit)[..4].to_owned())
        .collect();
    assert_eq!(starts, ["ACK ", "BYE "]);
    assert!(line(&text(&sent[1]), "To: ").ends_with(";tag=one"));
    assert_eq!(line(&text(&sent[1]), "CSeq: "), "2 BYE");

    // Both 200s come again: each gets its ACK again, and nothing else.
    for tag in ["one", "two"] {
        let sent = caller.answer("200 OK", tag, CONTACT);
        assert_eq!(sent.len(), 1);
        assert!(text(&sent[0]).starts_with("ACK ") && line(&text(&sent[0]), "To: ").ends_with(tag));
    }
    assert!(caller.events().is_empty());
    assert_eq!(caller.endpoint.counts().calls, 1);
}

#[test]
fn a_flood_of_forks_is_bounded() {
    let mut caller = Caller::new(Transport::Udp);
    for i in 0..100 {
        caller.answer("180 Ringing", &format!("early{i}"), CONTACT);
    }
    assert_eq!(caller.events().len(), 16);
    let answers: usize = (0..100)
        .map(|i| caller.answer("200 OK", &format!("late{i}"), CONTACT).len())
        .sum();
    assert_eq!(
        answers,
        1 + 15 * 2,
        "one call, fifteen refused forks, the rest ignored"
    );
}

#[test]
fn requests_follow_the_route_set() {
    let record = "Record-Route: <sip:127.0.0.2;lr>, \"B\" <sip:127.0.0.3:5080;lr>\r\nRecord-Route: <sip:p4.example;lr>\r\n";
    let mut caller = Caller::new(Transport::Udp);
    let sent = caller.answer("200 OK", "a", &format!("{record}{CONTACT}"));
    let ack = text(&sent[0]);
    assert!(
        ack.starts_with("ACK sip:desk@127.0.0.1:5071 SIP/2.0\r\n"),
        "{ack}"
    );
    let routes: Vec<_> = ack
        .lines()
        .filter_map(|line| line.strip_prefix("Route: "))
        .collect();
    assert_eq!(
        routes,
        [
            "<sip:p4.example;lr>",
            "\"B\" <sip:127.0.0.3:5080;lr>",
            "<sip:127.0.0.2;lr>"
        ]
    );
    // A name is not looked up here: the request goes where the answer came from.
    assert_eq!(
        sent[0].destination,
        Destination::Addr(address("127.0.0.1:5070"))
    );

    // A strict router: the Request-URI is its own, the target comes last (RFC 3261 §12.2.1.1).
    let mut caller = Caller::new(Transport::Udp);
    let record = "Record-Route: <sip:127.0.0.2;lr>, <sip:127.0.0.3:5080>\r\n";
    let sent = caller.answer("200 OK", "a", &format!("{record}{CONTACT}"));
    let ack = text(&sent[0]);
    assert!(
        ack.starts_with("ACK sip:127.0.0.3:5080 SIP/2.0\r\n"),
        "{ack}"
    );
    let routes: Vec<_> = ack
        .lines()
        .filter_map(|line| line.strip_prefix("Route: "))
        .collect();
    assert_eq!(routes, ["<sip:127.0.0.2;lr>", "<sip:desk@127.0.0.1:5071>"]);
    assert_eq!(
        sent[0].destination,
        Destination::Addr(address("127.0.0.3:5080"))
    );
}

#[test]
fn an_answer_no_dialog_can_be_made_of_fails_the_call() {
    let mut caller = Caller::new(Transport::Udp);
    assert!(
        caller
            .answer("200 OK", "a", "Contact: <not a uri>\r\n")
            .is_empty()
    );
    assert!(matches!(caller.events()[..], [Event::Failed { status, .. }] if status.get() == 502));
    assert_eq!(caller.endpoint.counts().calls, 0);
}

#[test]
fn over_tcp_nothing_is_retransmitted_and_the_connection_is_kept() {
    let mut caller = Caller::new(Transport::Tcp);
    assert!(
        caller
            .invite
            .contains("Contact: <sip:skillcall@127.0.0.1:5060;transport=tcp>\r\n")
    );
    caller
        .endpoint
        .handle_timeout(caller.now + Duration::from_secs(31));
    assert!(caller.endpoint.poll_transmit().is_none());
    // The desk's Contact names a port that nobody listens on: behind a NAT only the connection leads back.
    let sent = caller.answer(
        "200 OK",
        "a",
        "Contact: <sip:desk@127.0.0.1:49152;transport=tcp>\r\n",
    );
    assert_eq!(
        (sent[0].transport, sent[0].connection),
        (Transport::Tcp, Some(ConnectionId(9)))
    );
    caller.endpoint.bye(caller.now, caller.call, &[]).unwrap();
    let bye = caller.endpoint.poll_transmit().unwrap();
    assert_eq!(
        (bye.transport, bye.connection),
        (Transport::Tcp, Some(ConnectionId(9)))
    );
    let seen = peek(&bye.bytes).unwrap();
    assert_eq!(seen.method, b"BYE");
    // Another transport in the Contact is another path.
    let mut caller = Caller::new(Transport::Tcp);
    let sent = caller.answer(
        "200 OK",
        "a",
        "Contact: <sip:desk@127.0.0.1:5071;transport=udp>\r\n",
    );
    assert_eq!(
        (sent[0].transport, sent[0].connection),
        (Transport::Udp, None)
    );
}

#[test]
fn a_request_to_a_host_name_goes_where_the_dialog_came_from() {
    for contact in [
        "Contact: <sip:desk@phone.example>\r\n",
        "Contact: <sip:desk@phone.example:5090;transport=tcp>\r\n",
    ] {
        let mut caller = Caller::new(Transport::Udp);
        caller.answer("200 OK", "a", contact);
        caller.endpoint.bye(caller.now, caller.call, &[]).unwrap();
        let bye = caller.endpoint.poll_transmit().unwrap();
        assert!(text(&bye).starts_with("BYE sip:desk@phone.example"));
        assert_eq!(
            (bye.transport, bye.destination),
            (Transport::Udp, Destination::Addr(address("127.0.0.1:5070")))
        );
    }
}

#[test]
fn guessed_branches_and_tags_reach_nothing() {
    let mut caller = Caller::new(Transport::Udp);
    let via = line(&caller.invite, "Via: ").to_owned();
    let guess = format!("{}0000", &via[..via.len() - 4]);
    caller.invite = caller.invite.replace(&via, &guess);
    assert!(caller.answer("200 OK", "a", CONTACT).is_empty());
    assert!(caller.events().is_empty());
}

#[test]
fn prefixes_lead_back_to_the_worker() {
    let ours = address("127.0.0.1:5060");
    let mut config = EndpointConfig::new(ours, [3; 32]);
    config.id_prefix = "w7-".to_owned();
    let mut endpoint = Endpoint::new(config);
    let uri = Uri::parse("sip:desk@127.0.0.1:5070").unwrap();
    endpoint
        .invite(
            Instant::now(),
            OutgoingInvite::new(uri.clone(), ours, Party::new(uri), None),
        )
        .unwrap();
    let sent = endpoint.poll_transmit().unwrap();
    let seen = peek(&sent.bytes).unwrap();
    assert!(seen.branch.unwrap().starts_with(b"z9hG4bKw7-"));
    assert!(seen.call_id.starts_with(b"w7-") && seen.from_tag.unwrap().starts_with(b"w7-"));
}
