//! Commands and events in a few words, as scripts write them.

use skillcall_protocol::sma::Event;

use crate::engine::{Command, LegId, PlaySource, Said};

fn leg(id: LegId) -> String {
    match id.number() {
        0 => "A".to_owned(),
        1 => "B".to_owned(),
        n => format!("B{n}"),
    }
}

pub(super) fn short(command: &Command) -> String {
    match command {
        Command::Ring {
            leg: id,
            early_media,
        } => format!(
            "ring {}{}",
            leg(*id),
            if *early_media { " early" } else { "" }
        ),
        Command::Answer { leg: id } => format!("answer {}", leg(*id)),
        Command::Reject { leg: id, status } => format!("reject {} {status}", leg(*id)),
        Command::Ask {
            sequence,
            attempt,
            event,
        } => format!("ask {sequence}.{attempt} {}", short_event(event)),
        Command::NextTarget => "next-target".to_owned(),
        Command::ListenSpeech { leg: id, times } => {
            format!(
                "{} {}",
                if times.is_some() {
                    "hear"
                } else {
                    "hear-no-more"
                },
                leg(*id)
            )
        }
        Command::AskBot { turn, asked } => {
            let said = match &asked.said {
                Said::Text(text) => text.clone(),
                Said::Audio(audio) => format!("{} samples", audio.len()),
            };
            format!("bot {} {said}", turn.number())
        }
        Command::DropBot { turn } => format!("drop-bot {}", turn.number()),
        Command::AbandonAsk { sequence, attempt } => format!("abandon {sequence}.{attempt}"),
        Command::Render { speech, parameters } => {
            format!("render {} {}", speech.number(), parameters.text)
        }
        Command::DropSpeech { speech } => format!("drop {}", speech.number()),
        Command::Play {
            play,
            leg: id,
            source,
            times,
        } => {
            let source = match source {
                PlaySource::Speech(speech) => format!("speech {}", speech.number()),
                PlaySource::File(object) => format!("file {}", object.key),
                PlaySource::RingingTone => "ringing".to_owned(),
                PlaySource::Digits { digits, tone } => {
                    format!("digits {digits} {}ms", tone.as_millis())
                }
            };
            let times = times.map_or_else(|| "for ever".to_owned(), |times| format!("x{times}"));
            format!("play {} {} {source} {times}", play.number(), leg(*id))
        }
        Command::StopPlay { play, leg: id } => format!("stop-play {} {}", play.number(), leg(*id)),
        Command::ListenDigits { leg: id, on } => {
            format!("{} {}", if *on { "listen" } else { "deaf" }, leg(*id))
        }
        Command::StartRecording {
            recording,
            leg: id,
            object,
            limit,
            silence,
        } => {
            let limit = limit.map_or(0, |limit| limit.as_secs());
            let silence = silence.map_or(0, |silence| silence.duration.as_secs());
            format!(
                "record {} {} {}/{} {limit} {silence}",
                recording.number(),
                leg(*id),
                object.bucket_name,
                object.key
            )
        }
        Command::StopRecording { recording, leg: id } => {
            format!("stop-record {} {}", recording.number(), leg(*id))
        }
        Command::StartCallRecording {
            leg: id,
            track,
            object,
            ..
        } => {
            format!(
                "record-call {} {track:?} {}/{}",
                leg(*id),
                object.bucket_name,
                object.key
            )
        }
        Command::StopCallRecording { leg: id } => format!("stop-record-call {}", leg(*id)),
        Command::PauseCallRecording { leg: id } => format!("pause-record-call {}", leg(*id)),
        Command::ResumeCallRecording { leg: id } => format!("resume-record-call {}", leg(*id)),
        Command::VoiceFocus { leg: id, on } => {
            format!("focus {} {}", leg(*id), if *on { "on" } else { "off" })
        }
        Command::Dial {
            leg: id,
            call_id,
            endpoint,
            caller_id,
            headers,
        } => {
            format!(
                "dial {} {call_id} {} from {caller_id} +{} headers",
                leg(*id),
                endpoint.uri(),
                headers.len()
            )
        }
        Command::CancelDial { leg: id } => format!("cancel {}", leg(*id)),
        Command::JoinMeeting {
            leg: id,
            meeting,
            meeting_id,
            join_token,
        } => format!(
            "join {} {} {} {join_token}",
            leg(*id),
            leg(*meeting),
            meeting_id.as_deref().unwrap_or("-")
        ),
        Command::LeaveMeeting { leg: id } => format!("leave {}", leg(*id)),
        Command::MuteAttendees {
            leg: id,
            muted,
            meeting_id,
            attendees,
        } => format!(
            "{} {} {meeting_id} {}",
            if *muted { "mute" } else { "unmute" },
            leg(*id),
            attendees.join("+")
        ),
        Command::Bridge { a, b } => format!("bridge {} {}", leg(*a), leg(*b)),
        Command::Unbridge { a, b } => format!("unbridge {} {}", leg(*a), leg(*b)),
        Command::HangUp { leg: id } => format!("hangup {}", leg(*id)),
        Command::Note(_) => "note".to_owned(),
        Command::LegEnded(_) => "leg-ended".to_owned(),
        Command::End => "end".to_owned(),
    }
}

/// The event's type, its action, and what came of it.
fn short_event(event: &Event) -> String {
    let mut text = event.invocation_event_type.to_string();
    if let Some(data) = &event.action_data {
        text.push_str(&format!(" {}", data.kind));
        if event.invocation_event_type.as_str() == "HANGUP" {
            let text_of = |key: &str| {
                data.parameters
                    .get(key)
                    .map(ToString::to_string)
                    .unwrap_or_default()
            };
            text.push_str(&format!(
                " {} {}",
                text_of("ParticipantTag").trim_matches('"'),
                text_of("SipResponseCode")
            ));
        }
        if let Some(digits) = &data.received_digits {
            text.push_str(&format!(" digits={digits}"));
        }
        if let Some(used) = &data.recording_terminator_used {
            text.push_str(&format!(" by={used}"));
        }
        if let Some(error) = &data.error_type {
            text.push_str(&format!(" {error}"));
        }
    }
    if let Some(error) = &event.error_type {
        text.push_str(&format!(" {error}"));
    }
    text
}
