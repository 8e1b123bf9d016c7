//! Descriptions in the manner of an Alexa device, line by line as facts G9 has them.

use super::{
    local::{Description, VideoLine, put, rejected},
    remote::Line,
};

/// The payload type of its video.
const H264: &str = "99";

pub(super) fn write(description: &Description<'_>) -> String {
    let (id, version) = (description.session, description.version);
    let mut text = format!(
        "v=0\r\no=- {id} {version} IN IP4 0.0.0.0\r\ns=a 2 z\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\n"
    );
    if description.bundled {
        let mids = description.lines.iter().enumerate();
        let mids: Vec<_> = mids
            .filter(|(index, line)| {
                *index == description.audio || is_video(description, *index, line)
            })
            .filter_map(|(_, line)| line.mid.as_deref())
            .collect();
        put(&mut text, format_args!("a=group:BUNDLE {}", mids.join(" ")));
    }
    for (index, line) in description.lines.iter().enumerate() {
        if index == description.audio {
            audio(&mut text, description, line);
        } else if is_video(description, index, line) {
            video(&mut text, description, line);
        } else {
            rejected(&mut text, line);
        }
    }
    text
}

/// The line by which an Echo offers video.
pub(super) fn video_line() -> Line {
    Line {
        kind: "video".to_owned(),
        proto: "UDP/TLS/RTP/SAVPF".to_owned(),
        formats: H264.to_owned(),
        mid: Some("video0".to_owned()),
        open: true,
    }
}

/// Whether it is the line of video, which is also offered where nothing is known of any.
fn is_video(description: &Description<'_>, index: usize, line: &Line) -> bool {
    match &description.video {
        Some(video) => video.index == index,
        None => line.open && line.kind == "video" && line.formats == H264,
    }
}

fn audio(text: &mut String, description: &Description<'_>, line: &Line) {
    put(
        text,
        format_args!("m=audio 1 {} {}", line.proto, description.numbers()),
    );
    candidates(text, description);
    put(
        text,
        format_args!("a=setup:{}", description.transport.setup.name()),
    );
    extension(text);
    for payload in description.payloads {
        put(
            text,
            format_args!(
                "a=rtpmap:{} {}",
                payload.number.number(),
                payload.kind.rtpmap()
            ),
        );
    }
    put(text, format_args!("a=rtcp:9 IN IP4 0.0.0.0"));
    put(text, format_args!("a=rtcp-mux"));
    put(text, format_args!("a={}", description.direction));
    put(
        text,
        format_args!("a=mid:{}", line.mid.as_deref().unwrap_or("audio0")),
    );
    put(
        text,
        format_args!("a=ssrc:{} cname:{}", description.ssrc, description.cname),
    );
    security(text, description);
}

fn video(text: &mut String, description: &Description<'_>, line: &Line) {
    let known = description.video.as_ref();
    let numbers = known.map_or_else(|| line.formats.clone(), VideoLine::numbers);
    put(text, format_args!("m=video 1 {} {numbers}", line.proto));
    let bandwidth = known.and_then(|video| video.bandwidth).unwrap_or(2500);
    put(text, format_args!("b=AS:{bandwidth}"));
    candidates(text, description);
    put(
        text,
        format_args!("a=setup:{}", description.transport.setup.name()),
    );
    extension(text);
    let rtcp = format_args!("a=rtcp:9 IN IP4 0.0.0.0");
    match known {
        Some(video) => {
            video.formats(text);
            put(text, rtcp);
        }
        None => {
            put(text, format_args!("a=rtpmap:{H264} H264/90000"));
            put(text, rtcp);
            for feedback in ["nack", "nack pli", "ccm fir"] {
                put(text, format_args!("a=rtcp-fb:{H264} {feedback}"));
            }
        }
    }
    put(text, format_args!("a=rtcp-mux"));
    let direction = known.map_or(description.direction, |video| video.direction);
    put(text, format_args!("a={direction}"));
    let mid = line.mid.as_deref().unwrap_or("video0");
    put(text, format_args!("a=mid:{mid}"));
    put(
        text,
        format_args!(
            "a=ssrc:{} cname:{}",
            known.map_or(description.ssrc.wrapping_add(1), |video| video.ssrc),
            description.cname
        ),
    );
    security(text, description);
}

fn extension(text: &mut String) {
    put(
        text,
        format_args!("a=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"),
    );
}

/// Both components by UDP, and TCP in both forms: it offers ways that it cannot use itself.
fn candidates(text: &mut String, description: &Description<'_>) {
    let addresses = description.transport.candidates.iter();
    for (at, address) in addresses.map(|candidate| candidate.address).enumerate() {
        let (ip, port) = (address.ip(), address.port());
        let foundation = 3 * at + 1;
        // A second address is a little less liked.
        let step = 256 * at;
        for (component, port) in [(1, port), (2, port.saturating_add(1))] {
            put(
                text,
                format_args!(
                    "a=candidate:{foundation} {component} UDP {} {ip} {port} typ host",
                    2_013_266_432 - component - step
                ),
            );
        }
        put(
            text,
            format_args!(
                "a=candidate:{} 1 TCP {} {ip} 9 typ host tcptype active",
                foundation + 1,
                1_015_021_823 - step
            ),
        );
        put(
            text,
            format_args!(
                "a=candidate:{} 1 TCP {} {ip} {} typ host tcptype passive",
                foundation + 2,
                1_010_827_519 - step,
                port.saturating_add(2)
            ),
        );
    }
}

fn security(text: &mut String, description: &Description<'_>) {
    let way = description.transport;
    put(text, format_args!("a=ice-ufrag:{}", way.ufrag));
    put(text, format_args!("a=ice-pwd:{}", way.password));
    put(text, format_args!("a=fingerprint:{}", way.fingerprint));
}
