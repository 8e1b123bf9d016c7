//! Replays a corpus, and deterministic mutations of it, through every fuzz target.

use fuzz_replay::Replay;
use skillcall_sip::fuzz::TARGETS;

/// Mutations of each seed; a fuzzer goes on where this ends.
const ROUNDS: u32 = 300;

/// Bytes that matter in SIP and SDP.
const SPICE: &[&[u8]] = &[
    b"\r\n",
    b"\r\n ",
    b"\r\n\r\n",
    b"\0",
    b"\xff",
    b"\xf6",
    b"\"",
    b"<",
    b">",
    b";",
    b",",
    b":",
    b"@",
    b"=",
    b"%",
    b"%4",
    b"\\",
    b"[::1]",
    b"99999999999999999999",
    b"-1",
    b";tag=",
    b";branch=z9hG4bK",
    b"{T}",
    b"{C}",
    b"{B}",
    b"SIP/2.0 ",
    b"m=audio 0 RTP/AVP 0\r\n",
    b"c=IN IP6 ::\r\n",
    b"a=rtpmap:",
];

fn corpus() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = Vec::new();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rfc4475")).unwrap() {
        seeds.push(std::fs::read(entry.unwrap().path()).unwrap());
    }
    for text in [
        "sip:user:pass@[2001:db8::1]:5061;transport=tls;lr?Subject=a%20b&X=y",
        "tel:+1-607-555-0199;phone-context=example.com",
        "\"J\\\"\u{f6}rg\" <sip:a@b;lr>;tag=1;q=0.5, <sip:c@d>",
        "SIP/2.0/UDP [::1]:5060;branch=z9hG4bKx;rport;received=1.2.3.4, SIP / 2.0 / TCP b",
        "multipart/mixed;boundary=\"a b\"",
        "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendonly\r\nm=video 0 RTP/AVP 31\r\n",
    ] {
        seeds.push(text.as_bytes().to_vec());
    }
    for text in [
        "Digest realm=\"a\", nonce=\"b\", qop=\"auth,auth-int\", algorithm=MD5, stale=true",
        "Digest username=\"a\", realm=\"b\", nonce=\"c\", uri=\"sip:d\", response=\"e\", cnonce=\"f\", qop=auth, nc=00000001",
        "\"x\" <sip:a@b?Reason=SIP%3Bcause%3D302&X=y>;reason=no-answer;counter=2;index=1.1;rc=1",
        "SIP;cause=200;text=\"a, \\\"b\\\"\", Q.850;cause=16",
        "1@h;to-tag=a;from-tag=b;early-only",
        "a.b.c;info=<https://x>;alg=ES256;ppt=\"shaken\"",
        "00aa;encoding=hex;purpose=isdn-uui",
        "REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:Bob@x>;tag=1\r\nTo: <sip:Bob@x>\r\n\
         Call-ID: one\r\nCSeq: 1 REGISTER\r\nContact: <sip:a@h>;q=0.5;expires=60;+sip.instance=\"<urn:uuid:1>\";reg-id=1, <sip:b@h>\r\n\
         Path: <sip:p;lr;ob>\r\nSupported: path, outbound\r\nRefer-To: <sip:a@b?Replaces=1%3Bto-tag%3D2%3Bfrom-tag%3D3>\r\n\
         Authorization: Digest username=\"b\", realm=\"x\", nonce=\"0\", uri=\"sip:x\", response=\"0\"\r\nContent-Length: 0\r\n\r\n",
    ] {
        seeds.push(text.as_bytes().to_vec());
    }
    let described = "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\n\
        a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20\r\na=sendonly\r\n";
    let mut exchange = Vec::new();
    for action in [5u8, 1, 4, 0, 3, 5, 2, 4] {
        exchange.push(action);
        exchange.extend_from_slice(described.as_bytes());
        exchange.push(0xff);
    }
    seeds.push(exchange);
    // Conversations for the endpoint: pieces cut at 0xFF, each with what the user does first.
    let invite = "INVITE sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1;rport\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n\
        Call-ID: 1\r\nCSeq: 1 INVITE\r\nContact: <sip:a@127.0.0.1:5070>\r\nContent-Length: 0\r\n\r\n";
    let inside = |method: &str, branch: &str, cseq: u32| {
        format!(
            "{method} sip:x@y SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{branch};rport\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:c@d>;tag={{T}}\r\nCall-ID: {{C}}\r\nCSeq: {cseq} {method}\r\nContent-Length: 0\r\n\r\n"
        )
    };
    let answer = |status: &str, method: &str| {
        format!(
            "SIP/2.0 {status}\r\nVia: SIP/2.0/UDP h;branch={{B}}\r\nFrom: <sip:x@127.0.0.1:5070>;tag={{T}}\r\n\
             To: <sip:x@127.0.0.1:5070>;tag=9\r\nCall-ID: {{C}}\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:z@127.0.0.1:5071>\r\nContent-Length: 0\r\n\r\n"
        )
    };
    let talk = |pieces: &[(u8, String)]| {
        let mut out = Vec::new();
        for (action, text) in pieces {
            out.push(*action);
            out.extend_from_slice(text.as_bytes());
            out.push(0xff);
        }
        out
    };
    let none = String::new();
    seeds.push(talk(&[
        (6, invite.to_owned()),
        (0, none.clone()),
        (6, inside("ACK", "2", 1)),
        (6, inside("INVITE", "3", 2)),
        (0, none.clone()),
        (6, inside("ACK", "4", 2)),
        (6, inside("BYE", "5", 3)),
    ]));
    seeds.push(talk(&[
        (6, invite.to_owned()),
        (2, none.clone()),
        (6, inside("CANCEL", "1", 1).replace(";tag={T}", "")),
    ]));
    seeds.push(talk(&[
        (8, none.clone()),
        (6, answer("180 R", "INVITE")),
        (6, answer("200 OK", "INVITE")),
        (5, none.clone()),
        (3, none.clone()),
    ]));
    // What trunks do: challenged, rung reliably, changed by either side, transferred.
    let more = |text: String, lines: &str| {
        text.replace("Content-Length", &format!("{lines}Content-Length"))
    };
    seeds.push(talk(&[
        (8, none.clone()),
        (
            6,
            more(
                answer("401 U", "INVITE"),
                "WWW-Authenticate: Digest realm=\"x\", nonce=\"y\", qop=\"auth\"\r\n",
            ),
        ),
        (
            6,
            more(answer("183 P", "INVITE"), "Require: 100rel\r\nRSeq: 7\r\n")
                .replace("CSeq: 1", "CSeq: 2"),
        ),
        (19, none.clone()),
        (6, answer("200 OK", "INVITE").replace("CSeq: 1", "CSeq: 2")),
        (17, none.clone()),
        (6, answer("491 P", "INVITE").replace("CSeq: 1", "CSeq: 3")),
        (21, none.clone()),
        (26, none.clone()),
        (3, none.clone()),
    ]));
    seeds.push(talk(&[
        (
            6,
            more(
                invite.to_owned(),
                "Supported: 100rel, timer\r\nSession-Expires: 90\r\n",
            ),
        ),
        (16, none.clone()),
        (6, more(inside("PRACK", "2", 2), "RAck: 1 1 INVITE\r\n")),
        (0, none.clone()),
        (6, inside("ACK", "3", 1)),
        (6, inside("UPDATE", "4", 3)),
        (6, more(inside("REFER", "5", 4), "Refer-To: <sip:a@b>\r\n")),
        (23, none.clone()),
        (24, none.clone()),
        (20, none.clone()),
        (6, inside("BYE", "6", 5)),
    ]));
    seeds.push(talk(&[
        (8, none.clone()),
        (6, answer("100 T", "INVITE")),
        (4, none),
        (6, answer("487 T", "INVITE")),
    ]));
    seeds
}

#[test]
fn no_target_fails_on_the_corpus_or_its_mutations() {
    let corpus = corpus();
    assert!(corpus.len() > 55, "the corpus is not there");
    let replay = Replay {
        rounds: ROUNDS,
        spice: SPICE,
    };
    for (name, target) in TARGETS {
        replay.run(name, *target, &corpus);
    }
}
