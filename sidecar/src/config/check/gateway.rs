//! The gateway: its component, its routes, its rooms.

use std::collections::BTreeSet;

use super::super::locate::Located;
use super::super::locate::Step::{Index, Key};
use super::super::{Finding, GatewayConfig, PhoneCodec, Severity, SidecarConfig, relays, secrets};
use crate::leg::Target;

pub(super) fn gateway(config: &SidecarConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
    let gateway = &config.gateway;
    let mut report = |key: &str, what: String, remedy: &str| {
        let path = [Key("gateway"), Key(key)];
        findings.push(at.finding(Severity::Error, &path, what, remedy));
    };
    match &gateway.skill {
        Some(url) if !matches!(url.scheme(), "http" | "https") || url.host().is_none() => report(
            "skill",
            format!("`{url}` is no http or https URL"),
            "skill = \"http://127.0.0.1:3000\"",
        ),
        None if !gateway.route.is_empty() || !gateway.room.is_empty() => report(
            "skill",
            "routes and rooms are of no use without the component".into(),
            "skill = \"http://127.0.0.1:3000\"",
        ),
        _ => {}
    }
    match secrets::gateway_keys(config) {
        Err(error) => report("keys-file", error.to_string(), &error.remedy()),
        Ok(None) if gateway.is_on() => report(
            "keys-file",
            "the gateway has no keys".into(),
            "keys-file = \"secrets/sidecar.key\"",
        ),
        Ok(Some(keys)) => {
            if let Err(problem) = crate::handler::parse_keys(&keys) {
                report("keys-file", problem, "ID:BASE64 of 32 bytes or more");
            }
        }
        Ok(None) => {}
    }
    let repeated = |(at, codec): (usize, &PhoneCodec)| {
        gateway
            .codecs
            .iter()
            .skip(at + 1)
            .any(|later| later == codec)
    };
    if gateway.codecs.is_empty() || gateway.codecs.iter().enumerate().any(repeated) {
        let what = "each codec stands once, and one at least".to_owned();
        report("codecs", what, "codecs = [\"opus\", \"PCMU\", \"PCMA\"]");
    }
    times(gateway, &mut report);
    servers(config, &mut report);
    routes(config, at, findings);
    rooms(gateway, at, findings);
}

/// STUN and TURN.
fn servers(config: &SidecarConfig, report: &mut impl FnMut(&str, String, &str)) {
    let gateway = &config.gateway;
    let wrong = |server: &String| !relays::is_server(server);
    if let Some(server) = gateway.stun.iter().find(|server| wrong(server)) {
        let remedy = "stun = [\"stun.example.org:3478\"]";
        report("stun", format!("`{server}` is no HOST:PORT"), remedy);
    }
    for turn in &gateway.turn {
        if relays::TurnPlace::parse(&turn.server).is_none() {
            let remedy = "server = \"turn.example.org:3478\", or \"turns:turn.example.org\"";
            let what = format!(
                "`{}` is neither HOST:PORT nor a URI of RFC 7065",
                turn.server
            );
            report("turn", what, remedy);
        }
        if let Err(error) = secrets::password(config, &turn.password_file) {
            report("turn", error.to_string(), &error.remedy());
        }
    }
    if gateway.ice_lite && !(gateway.stun.is_empty() && gateway.turn.is_empty()) {
        report(
            "ice-lite",
            "a lite agent has no candidates of STUN and TURN servers (RFC 8445 §2.5)".into(),
            "remove ice-lite, or stun and turn",
        );
    }
}

fn times(gateway: &GatewayConfig, report: &mut impl FnMut(&str, String, &str)) {
    for (key, value, least, most) in [
        ("ring-seconds", gateway.ring_seconds, 1, 3600),
        ("react-seconds", gateway.react_seconds, 1, 3600),
        ("ack-seconds", gateway.ack_seconds, 1, 3600),
        ("connect-seconds", gateway.connect_seconds, 1, 3600),
        ("silence-seconds", gateway.silence_seconds, 0, 86_400),
        ("session-seconds", gateway.session_seconds, 1, 604_800),
        ("gathered", gateway.gathered, 1, 64),
    ] {
        if !(least..=most).contains(&value) {
            report(
                key,
                format!("{key} is {value}"),
                &format!("{least} to {most}"),
            );
        }
    }
}

fn routes(config: &SidecarConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
    for (index, route) in config.gateway.route.iter().enumerate() {
        let mut report = |key: &str, what: String, remedy: &str| {
            let path = [Key("gateway"), Key("route"), Index(index), Key(key)];
            findings.push(at.finding(Severity::Error, &path, what, remedy));
        };
        let named = [&route.profile, &route.address, &route.number];
        if named.iter().filter(|name| name.is_some()).count() != 1 {
            report(
                "address",
                "a route needs exactly one of profile, address and number".into(),
                "address = \"frontdesk\"",
            );
        }
        if let Some(uri) = route.uri_for("0") {
            let wrong = match route.trunk {
                Some(_) => skillcall_sip::message::Uri::parse(&uri)
                    .err()
                    .map(|error| error.to_string()),
                None => Target::parse(&uri).err(),
            };
            if let Some(error) = wrong {
                let remedy = "uri = \"sip:{number}@127.0.0.1:5070\"";
                report("uri", format!("`{uri}`: {error}"), remedy);
            }
        } else if route.trunk.is_none() && route.phone.is_none() {
            let remedy =
                "uri = \"sip:{number}@127.0.0.1:5070\", trunk = \"pbx\", or phone = \"101\"";
            report(
                "uri",
                "a route needs a uri, a trunk or a phone".into(),
                remedy,
            );
        }
        if let Some(phone) = &route.phone
            && !config.phone.iter().any(|known| known.user == *phone)
        {
            let what = format!("there is no [[phone]] `{phone}`");
            report("phone", what, "name one that is there");
        }
        if let Some(name) = &route.trunk {
            let trunk = config.trunk.iter().find(|trunk| trunk.name == *name);
            if trunk.is_none_or(|trunk| trunk.target.is_empty()) {
                let what = format!("no [[trunk]] with a target has the name `{name}`");
                report("trunk", what, "name one that is there");
            }
        }
        for (name, value) in &route.headers {
            if let Err(error) = skillcall_sip::message::ExtraHeader::new(name, value) {
                report("headers", format!("{name}: {error}"), "X-Name = \"value\"");
            }
        }
    }
}

fn rooms(gateway: &GatewayConfig, at: &Located<'_>, findings: &mut Vec<Finding>) {
    let mut numbers = BTreeSet::new();
    for (index, room) in gateway.room.iter().enumerate() {
        let mut report = |key: &str, what: String, remedy: &str| {
            let path = [Key("gateway"), Key("room"), Index(index), Key(key)];
            findings.push(at.finding(Severity::Error, &path, what, remedy));
        };
        if room.number.is_empty() || !numbers.insert(room.number.trim_start_matches('+')) {
            let what = format!("the number `{}` is empty, or stands twice", room.number);
            report("number", what, "number = \"101\"");
        }
        if room.participant.is_empty() || room.participant.len() > 128 {
            report(
                "participant",
                "1 to 128 characters".into(),
                "participant = \"room101\"",
            );
        }
        if skillcall_protocol::ids::UserId::parse(room.account.clone()).is_err() {
            let remedy = "account = \"amzn1.ask.account.…\", as the account's requests name it";
            report("account", "it is no userId".into(), remedy);
        }
    }
}
