//! The headers that trunks tell about a call: what is read, what is written, and that both are the same.

use bytes::Bytes;
use proptest::prelude::*;
use skillcall_sip::headers::{
    Diversion, Encoding, HistoryEntry, Identities, MAX_BYTES, MAX_VALUES, Privacy, PrivacyValue,
    Reason, SignedIdentity, TargetKind, UserToUser, Verstat,
};
use skillcall_sip::message::{Framing, HeaderName, Message, StatusCode, UriRef, parse};

fn with(lines: &str) -> Message {
    let text = format!(
        "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\n\
         Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n{lines}Content-Length: 0\r\n\r\n"
    );
    parse(Bytes::from(text), Framing::Stream).unwrap()
}

#[test]
fn reasons() {
    let message = with(
        "Reason: SIP ;cause=600 ;text=\"Busy, \\\"Everywhere\\\"\", Q.850;cause=17\r\nReason: nonsense;=\r\nReason: X;cause=y\r\n",
    );
    let found = Reason::list(message.headers());
    let written: Vec<String> = found.iter().map(Reason::to_string).collect();
    assert_eq!(
        written,
        [
            "SIP;cause=600;text=\"Busy, \\\"Everywhere\\\"\"",
            "Q.850;cause=17",
            "X"
        ]
    );
    assert_eq!(Reason::q850_of(&found), Some(17));
    for (status, cause) in [
        (200, 16),
        (404, 1),
        (486, 17),
        (480, 18),
        (603, 21),
        (488, 88),
        (503, 41),
        (599, 31),
    ] {
        let reason = Reason::sip(StatusCode::new(status).unwrap());
        assert_eq!(Reason::q850_of(&[reason]), Some(cause), "{status}");
    }
    assert_eq!(Reason::q850_of(&[]), None);
    assert_eq!(Reason::q850(16).to_string(), "Q.850;cause=16");
}

#[test]
fn diversions() {
    let message = with(
        "Diversion: \"Desk, front\" <sip:100@pbx;x=y>;reason=user-busy;counter=2;privacy=off;screen=no, <tel:+1607>;reason=\"custom one\"\r\n\
         Diversion: <sip:200@pbx>\r\nDiversion: <nonsense>\r\n",
    );
    let found = Diversion::list(message.headers());
    let written: Vec<String> = found.iter().map(Diversion::to_string).collect();
    assert_eq!(
        written,
        [
            "\"Desk, front\" <sip:100@pbx;x=y>;reason=user-busy;counter=2;privacy=off;screen=no",
            "<tel:+1607>;reason=\"custom one\"",
            "<sip:200@pbx>"
        ]
    );
    assert_eq!(Diversion::count(&found), 4);
    for (text, value) in written.iter().zip(&found) {
        assert_eq!(Diversion::parse(text.as_bytes()).as_ref(), Ok(value));
    }
}

#[test]
fn histories() {
    let message = with(
        "History-Info: <sip:bob@example.com>;index=1;foo=bar, \
         <sip:office@example.com?Reason=SIP%3Bcause%3D302&X=y>;index=1.2.1;mp=1\r\n\
         History-Info: <sip:a@b?Privacy=history&Reason=Q.850%3Bcause%3D17>;index=1.x;rc=1.2\r\n\
         History-Info: <sip:who?@b?Reason=SIP%3Bcause%3D486>;index=2, <urn:x:??>;index=3\r\n",
    );
    let found = HistoryEntry::list(message.headers());
    assert_eq!(found.len(), 5);
    assert_eq!(
        (found[0].index.as_slice(), &found[0].kind),
        (&[1][..], &None)
    );
    assert_eq!(found[1].uri.as_str(), "sip:office@example.com?X=y");
    assert_eq!(found[1].index, [1, 2, 1]);
    assert_eq!(found[1].reasons[0].cause, Some(302));
    assert_eq!(found[1].kind, Some((TargetKind::Mapped, "1".into())));
    assert!(
        found[2]
            .privacy
            .as_ref()
            .unwrap()
            .has(&PrivacyValue::History)
    );
    assert_eq!(found[2].index, Vec::<u32>::new());
    for entry in &found {
        let again = HistoryEntry::parse(entry.to_string().as_bytes());
        assert_eq!(again.as_ref(), Ok(entry), "{entry}");
    }
}

#[test]
fn identities_and_what_was_verified() {
    let message = with(
        "P-Asserted-Identity: \"Room 12\" <sip:+16075550123;verstat=TN-Validation-Passed@h;user=phone>\r\n\
         P-Asserted-Identity: <tel:+16075550123;verstat=No-TN-Validation>, <sip:second@h>\r\n\
         P-Preferred-Identity: <urn:x:y>\r\n",
    );
    let found = Identities::read(message.headers(), HeaderName::PAssertedIdentity);
    let values: Vec<String> = found.values().collect();
    assert_eq!(
        values,
        [
            "\"Room 12\" <sip:+16075550123;verstat=TN-Validation-Passed@h;user=phone>",
            "<tel:+16075550123;verstat=No-TN-Validation>"
        ]
    );
    let verstat = |uri: &str| Verstat::of(&UriRef::parse(uri.as_bytes()).unwrap());
    assert_eq!(
        verstat(found.sip.unwrap().uri.as_str()),
        Some(Verstat::Passed)
    );
    assert_eq!(
        verstat(found.tel.unwrap().uri.as_str()),
        Some(Verstat::NotDone)
    );
    assert_eq!(
        verstat("sip:1@h;verstat=tn-validation-failed"),
        Some(Verstat::Failed)
    );
    assert_eq!(
        verstat("tel:+1;verstat=TN-Validation-Passed-A"),
        Some(Verstat::Other("TN-Validation-Passed-A".into()))
    );
    assert_eq!(verstat("sip:verstat@h"), None);
    assert!(Identities::read(message.headers(), HeaderName::PPreferredIdentity).is_empty());
}

#[test]
fn privacies() {
    for (value, written, hides) in [
        ("id", "id", true),
        ("ID ; critical", "id;critical", true),
        ("user,header", "user;header", true),
        ("none;id", "none;id", false),
        ("session", "session", false),
        ("history;x-own", "history;x-own", false),
        ("", "", false),
        ("a b;id", "id", true),
    ] {
        let found = Privacy::parse(value.as_bytes());
        assert_eq!(found.to_string(), written);
        assert_eq!(found.hides_identity(), hides, "{value}");
    }
    assert_eq!(Privacy::read(with("").headers()), None);
}

#[test]
fn signed_identities_pass_through() {
    let value = "eyJhbGciOi.eyJhdHRlc3Qi-_.sig_-1;info=<https://cert.example/a;b?c=d>;alg=ES256;ppt=\"shaken\"";
    let message = with(&format!(
        "Identity: {value}, ..sig;info=\"https://x\"\r\ny: a.b;info=<x>\r\n"
    ));
    let found = SignedIdentity::list(message.headers());
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].to_string(), value);
    assert_eq!(found[0].info, "https://cert.example/a;b?c=d");
    assert_eq!(
        (found[1].passport.as_str(), found[1].alg.as_ref()),
        ("..sig", None)
    );
    for wrong in [
        "",
        "a",
        "a.b",
        "a.b.c.d;info=<x>",
        "a.b.;info=<x>",
        "a.b.c",
        "a.b.c;info=<x",
        "a.b.c;info=<x> y",
    ] {
        assert!(SignedIdentity::parse(wrong.as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn user_to_user_in_every_form() {
    let message = with(
        "User-to-User: 56a390f3d2b7310023a2;encoding=hex;purpose=isdn-uui;content=isdn-uui, \"a, \\\"b\\\"\"\r\n\
         User-to-User: 0abc\r\nUser-to-User: Zm9v/+==;encoding=base64\r\nUser-to-User: 0aX;encoding=hex\r\nUser-to-User: csi-42\r\n",
    );
    let found = UserToUser::list(message.headers());
    let data: Vec<Option<Vec<u8>>> = found.iter().map(UserToUser::data).collect();
    assert_eq!(
        data,
        [
            Some(b"\x56\xa3\x90\xf3\xd2\xb7\x31\x00\x23\xa2".to_vec()),
            Some(b"a, \"b\"".to_vec()),
            Some(b"\x0a\xbc".to_vec()),
            None,
            None,
            Some(b"csi-42".to_vec()),
        ]
    );
    assert_eq!(found[0].purpose.as_deref(), Some("isdn-uui"));
    assert_eq!(found[3].encoding, Encoding::Other("base64".into()));
    assert_eq!(
        found[0].to_string(),
        "56a390f3d2b7310023a2;purpose=isdn-uui;content=isdn-uui;encoding=hex"
    );
    let uri = "sip:a@b?User-to-User=00C8%3Bencoding%3Dhex&User-to-User=%22x%22";
    let of_uri = UserToUser::of_uri(&UriRef::parse(uri.as_bytes()).unwrap());
    assert_eq!(
        of_uri[0],
        UserToUser {
            written: "00C8".into(),
            ..UserToUser::hex(&[])
        }
    );
    assert_eq!(of_uri[1].data().unwrap(), b"x");
}

#[test]
fn user_to_user_keeps_its_order_its_parameters_and_its_bounds() {
    // What is written again says the same; what cannot be read is left out, whatever stands around it.
    for (came, kept) in [
        ("00c8;encoding=hex", "00c8;encoding=hex"),
        (
            "00c8;Encoding=HEX;purpose=isdn-uui;content=isdn-uui",
            "00c8;purpose=isdn-uui;content=isdn-uui;encoding=hex",
        ),
        ("\"a;b,c\";purpose=\"x y\"", "\"a;b,c\";purpose=\"x y\""),
        ("token;v=1;bare;note=\"a;b\"", "token;v=1;bare;note=\"a;b\""),
        ("one, \"t, wo\" ,three;x", "one | \"t, wo\" | three;x"),
        ("one, ;encoding=hex, two", "one | two"),
        ("\"open;encoding=hex", ""),
        ("a b", ""),
        ("a;=", ""),
        ("\"\";encoding=hex", "\"\";encoding=hex"),
    ] {
        let message = with(&format!("User-to-User: {came}\r\n"));
        let carried = UserToUser::carried(message.headers());
        let written: Vec<String> = carried.values.iter().map(ToString::to_string).collect();
        assert_eq!(written.join(" | "), kept, "{came}");
        for (value, written) in carried.values.iter().zip(&written) {
            assert_eq!(UserToUser::parse(written.as_bytes()).as_ref(), Ok(value));
        }
    }
    // Bytes that are no UTF-8 are Latin-1, in which some are control characters.
    let latin_1 = UserToUser::parse(b"a;i=\x8e").unwrap();
    let written = latin_1.to_string();
    assert_eq!(UserToUser::parse(written.as_bytes()), Ok(latin_1));
    // A backslash may stand before one that breaks lines.
    let broken = UserToUser::parse(b"a;i=\"b\\\0\";j=1").unwrap();
    assert_eq!(broken.to_string(), "a;j=1");
    let message = with("User-to-User: a, a b\r\nX: y\r\nUser-to-User: b;purpose=p, c\r\n");
    let carried = UserToUser::carried(message.headers());
    let written: Vec<&str> = carried.values.iter().map(|v| v.written.as_str()).collect();
    assert_eq!((written, carried.left_out), (vec!["a", "b", "c"], 1));
    assert!(carried.values[0].is_for_the_same(&carried.values[2]));
    assert!(!carried.values[0].is_for_the_same(&carried.values[1]));
    let many = with(&"User-to-User: 00\r\n".repeat(MAX_VALUES + 2));
    let carried = UserToUser::carried(many.headers());
    assert_eq!((carried.values.len(), carried.left_out), (MAX_VALUES, 2));
    let long = "0".repeat(MAX_BYTES - 1);
    let long = with(&format!("User-to-User: 0\r\nUser-to-User: {long}, 1\r\n"));
    let carried = UserToUser::carried(long.headers());
    assert_eq!((carried.values.len(), carried.left_out), (2, 1));
    let uri = "sip:a@b?User-to-User=00C8%3Bencoding%3Dhex%2C%22x%22&Subject=1&user-to-user=a%20b";
    let carried = UserToUser::carried_by(&UriRef::parse(uri.as_bytes()).unwrap());
    let written: Vec<String> = carried.values.iter().map(ToString::to_string).collect();
    assert_eq!(written, ["00C8;encoding=hex", "\"x\""]);
    assert_eq!(carried.left_out, 1);
    let read: Vec<&[u8]> = UserToUser::readable(b"a;b=c, a b, \"x\"").collect();
    assert_eq!(read, [&b"a;b=c"[..], b"\"x\""]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// What is written is read back the same, whatever the texts are; and it stays on its line.
    #[test]
    fn what_is_written_is_read_the_same(written in "[ -~é\r\n]{0,40}", other in "[ -~]{0,20}", cause in any::<u16>()) {
        let clean: String = written.chars().filter(|letter| !letter.is_control()).collect();
        let reason = Reason { protocol: "SIP".into(), cause: Some(cause), text: Some(written.clone()) };
        let text = reason.to_string();
        prop_assert!(!text.contains(['\r', '\n']));
        prop_assert_eq!(Reason::parse(text.as_bytes()), Ok(Reason { text: Some(clean.clone()), ..reason }));
        let uui = UserToUser { written: written.clone(), quoted: cause % 2 == 0, encoding: Encoding::Other(other.clone()), purpose: Some(other), content: None, others: Vec::new() };
        let text = uui.to_string();
        prop_assert!(!text.contains(['\r', '\n']));
        let again = UserToUser::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(&again.written, &clean);
        prop_assert_eq!(again.purpose, uui.purpose);
        let bytes = written.as_bytes();
        prop_assert_eq!(UserToUser::parse(UserToUser::hex(bytes).to_string().as_bytes()).map(|uui| uui.data()).ok().flatten(), (!bytes.is_empty()).then(|| bytes.to_vec()));
    }
}
