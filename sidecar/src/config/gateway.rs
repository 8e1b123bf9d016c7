//! `[gateway]`: calls between Alexa devices and phones by Alexa.Comms.CallSignaling (docs/gateway.md).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use skillcall_protocol::communication::{IdType, ParticipantId};
use skillcall_sip::message::escaped_user;
use url::Url;

use super::codecs::PhoneCodec;
use super::relays::TurnConfig;

/// The gateway; it is on when `skill` is given. Its times are our choice: none is documented (facts G11).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct GatewayConfig {
    /// The component's origin, such as `http://127.0.0.1:3000`: messages for Alexa are posted to its `/signaling`; default:
    /// none, there is no gateway.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub skill: Option<Url>,
    /// File with the keys that component and sidecar share (mode 0600), `ID:BASE64` separated by commas; or env
    /// `SKILLCALL_SIDECAR_KEYS`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub keys_file: Option<PathBuf>,
    /// Whether a reply of the component's without a valid signature is refused; default true.
    pub require_signed_replies: bool,
    /// Where calls from devices go.
    pub route: Vec<GatewayRouteConfig>,
    /// Devices that phones can call.
    pub room: Vec<RoomConfig>,
    /// What phones are spoken to in, best first: any of `PCMU`, `PCMA`, `G722` and `opus`; default `PCMU`, `PCMA`. What the device
    /// speaks already goes first.
    pub codecs: Vec<PhoneCodec>,
    /// Whether devices are spoken to in Opus with error correction, where they have it, though G.711 would pass unchanged;
    /// default false: Opus and G.722 only with devices that have no G.711.
    pub prefer_opus: bool,
    /// What becomes of video: `reject` refuses it by a port of 0, `h264` passes it on between sides that both speak H.264; default
    /// `reject`.
    pub video: VideoSetting,
    /// Whether our side of ICE is lite (RFC 8445 §2.5): for a sidecar that devices reach without address translation;
    /// default false.
    pub ice_lite: bool,
    /// File (WAV, MP3, Ogg Vorbis or FLAC) that the phone hears, again and again, while the device holds; default: none, it
    /// hears nothing.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub hold_music: Option<PathBuf>,
    /// The address at which devices reach the media ports, where a rule of their address translation leads there; default:
    /// `sip.public-address`, else `rtp.address`.
    pub external_address: Option<IpAddr>,
    /// STUN servers, `HOST:PORT`, that say what the outside sees of the media ports; names are looked up at start; default: none.
    pub stun: Vec<String>,
    /// TURN servers that take packets for us; default: none.
    pub turn: Vec<TurnConfig>,
    /// Legs that each worker has ready, with candidates of these servers, before a device calls, 1..64; default 4.
    pub gathered: u32,
    /// Seconds that a call may ring, 1..3600; default 60.
    pub ring_seconds: u32,
    /// Seconds to the first sign of life of who is called, 1..3600; default 10.
    pub react_seconds: u32,
    /// Seconds that CallAcceptedAck and CallUpdateResponse may take, 1..3600; default 10.
    pub ack_seconds: u32,
    /// Seconds from the answer to media that flow on the device's leg, 1..3600; default 15.
    pub connect_seconds: u32,
    /// Seconds without a packet on a leg that is not held, after which the call ends; 0: never; default 30.
    pub silence_seconds: u32,
    /// Seconds that a call may last, 1..604800; default 14400.
    pub session_seconds: u32,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            skill: None,
            keys_file: None,
            require_signed_replies: true,
            route: Vec::new(),
            room: Vec::new(),
            codecs: vec![PhoneCodec::Pcmu, PhoneCodec::Pcma],
            prefer_opus: false,
            video: VideoSetting::default(),
            ice_lite: false,
            hold_music: None,
            external_address: None,
            stun: Vec::new(),
            turn: Vec::new(),
            gathered: 4,
            ring_seconds: 60,
            react_seconds: 10,
            ack_seconds: 10,
            connect_seconds: 15,
            silence_seconds: 30,
            session_seconds: 14_400,
        }
    }
}

/// Where a device's call goes. Exactly one of `profile`, `address` and `number` is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GatewayRouteConfig {
    /// The COMMUNICATION_PROFILE_ID that is called.
    #[serde(default)]
    pub profile: Option<String>,
    /// The RAW_ADDRESS that is called; `*` takes all that no other route names.
    #[serde(default)]
    pub address: Option<String>,
    /// What the called PHONE_NUMBER begins with; the longest wins, `+` takes all.
    #[serde(default)]
    pub number: Option<String>,
    /// Request-URI; `{number}` stands for what is called. Needed without `trunk`; with one the default is what is called at
    /// the trunk's target.
    #[serde(default)]
    pub uri: Option<String>,
    /// The `[[trunk]]` that the call goes by; default: the `uri`'s own host.
    #[serde(default)]
    pub trunk: Option<String>,
    /// The `[[phone]]` that rings, instead of `uri` and `trunk`: at all places where it is registered.
    #[serde(default)]
    pub phone: Option<String>,
    /// The user part of From; default: the number of the calling `[[gateway.room]]`, else the calling participant's number
    /// or address, else `alexa`.
    #[serde(default)]
    pub caller_id: Option<String>,
    /// Headers of the INVITE, by name; default: none.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What becomes of video; default: `video` of `[gateway]`.
    #[serde(default)]
    pub video: Option<VideoSetting>,
    /// Calls at once that it carries; one more is refused; 0 (default): no limit.
    #[serde(default)]
    pub max_calls: u32,
    /// Calls within an hour that it takes; 0 (default): no limit.
    #[serde(default)]
    pub calls_per_hour: u32,
}

/// A device that phones can call: by which number, and who it is for Alexa.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RoomConfig {
    /// The number or user part that phones call.
    pub number: String,
    /// The participant's id.
    pub participant: String,
    /// What the id is; default `raw-address`.
    #[serde(default)]
    pub participant_type: ParticipantType,
    /// The COMMUNICATION_PROFILE_ID that the device calls with: whom it calls sees the room's number. Default: none, and only
    /// a device that calls as `participant` is known.
    #[serde(default)]
    pub profile: Option<String>,
    /// The account (Alexa's userId) whose token is used: one of those that have enabled and linked the skill.
    pub account: String,
    /// Where the account's region has its APIs, such as `https://api.eu.amazonalexa.com`; default: the component's default.
    #[serde(default)]
    pub api_endpoint: Option<String>,
    /// What becomes of video; default: `video` of `[gateway]`.
    #[serde(default)]
    pub video: Option<VideoSetting>,
}

/// What becomes of video.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum VideoSetting {
    /// It is refused (RFC 3264 §6).
    #[default]
    Reject,
    /// H.264 passes through undecoded, where both sides speak it.
    H264,
}

/// What a participant's id is (facts G2).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum ParticipantType {
    /// An address that is used as it is.
    #[default]
    RawAddress,
    /// A number in E.164.
    PhoneNumber,
    /// The id of a communication profile.
    CommunicationProfileId,
}

impl From<ParticipantType> for IdType {
    fn from(kind: ParticipantType) -> Self {
        match kind {
            ParticipantType::RawAddress => Self::from("RAW_ADDRESS".to_owned()),
            ParticipantType::PhoneNumber => Self::from("PHONE_NUMBER".to_owned()),
            ParticipantType::CommunicationProfileId => {
                Self::from("COMMUNICATION_PROFILE_ID".to_owned())
            }
        }
    }
}

impl GatewayConfig {
    /// Whether there is a gateway.
    pub fn is_on(&self) -> bool {
        self.skill.is_some()
    }

    /// Whether H.264 passes in calls for which `own` is said of video.
    pub fn takes_video(&self, own: Option<VideoSetting>) -> bool {
        own.unwrap_or(self.video) == VideoSetting::H264
    }

    /// The route of a call to this participant.
    pub fn route_to(&self, called: &ParticipantId) -> Option<&GatewayRouteConfig> {
        let value = called.value.as_str();
        let is = |wanted: &Option<String>| wanted.as_deref() == Some(value);
        match called.kind.as_str() {
            "COMMUNICATION_PROFILE_ID" => self.route.iter().find(|route| is(&route.profile)),
            "PHONE_NUMBER" => self
                .route
                .iter()
                .filter_map(|route| Some((route.number.as_deref()?, route)))
                .filter(|(prefix, _)| value.starts_with(prefix))
                .max_by_key(|(prefix, _)| prefix.len())
                .map(|(_, route)| route),
            "RAW_ADDRESS" => self
                .route
                .iter()
                .find(|route| is(&route.address))
                .or_else(|| {
                    let any = |route: &&GatewayRouteConfig| route.address.as_deref() == Some("*");
                    self.route.iter().find(any)
                }),
            _ => None,
        }
    }

    /// The room whose device calls as this participant.
    pub fn room_of(&self, calling: &ParticipantId) -> Option<&RoomConfig> {
        let value = calling.value.as_str();
        let profile = calling.kind == IdType::from(ParticipantType::CommunicationProfileId);
        self.room.iter().find(|room| {
            (room.participant == value && IdType::from(room.participant_type) == calling.kind)
                || (profile && room.profile.as_deref() == Some(value))
        })
    }

    /// The room with this number. A leading `+` may be missing on the wire.
    pub fn room(&self, number: &str) -> Option<&RoomConfig> {
        let bare = |text: &str| text.strip_prefix('+').unwrap_or(text).to_owned();
        let wanted = bare(number);
        self.room.iter().find(|room| bare(&room.number) == wanted)
    }
}

impl GatewayRouteConfig {
    /// What it is known by.
    pub fn name(&self) -> &str {
        let names = [&self.profile, &self.address, &self.number];
        names
            .into_iter()
            .flatten()
            .next()
            .map_or("", String::as_str)
    }

    /// The Request-URI for what is called, where the route writes one. What is called comes from outside: all that could
    /// lead elsewhere is escaped.
    pub fn uri_for(&self, called: &str) -> Option<String> {
        Some(
            self.uri
                .as_ref()?
                .replace("{number}", &escaped_user(called)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> GatewayConfig {
        toml::from_str(
            r#"
skill = "http://127.0.0.1:3000"
[[route]]
profile = "amzn1.alexa.communications.profile.did.X"
uri = "sip:desk@192.0.2.1"
[[route]]
address = "frontdesk"
uri = "sip:100@192.0.2.1"
[[route]]
address = "*"
uri = "sip:{number}@192.0.2.1"
[[route]]
number = "+"
trunk = "carrier"
[[route]]
number = "+1607"
uri = "sip:{number}@192.0.2.2"
[[room]]
number = "+1607555"
participant = "room 101"
profile = "amzn1.alexa.communications.profile.did.101"
account = "amzn1.ask.account.A"
"#,
        )
        .unwrap()
    }

    #[test]
    fn participants_find_their_routes() {
        let config = config();
        let route = |kind: &str, value: &str| {
            let id = ParticipantId {
                kind: IdType::from(kind.to_owned()),
                value: value.to_owned(),
            };
            let route = config.route_to(&id)?;
            Some(
                route
                    .uri_for(value)
                    .unwrap_or_else(|| route.name().to_owned()),
            )
        };
        let to = |kind: &str, value: &str| route(kind, value).unwrap_or_default();
        assert_eq!(to("RAW_ADDRESS", "frontdesk"), "sip:100@192.0.2.1");
        assert_eq!(to("RAW_ADDRESS", "4711"), "sip:4711@192.0.2.1");
        assert_eq!(
            to("RAW_ADDRESS", "x@203.0.113.9;a"),
            "sip:x%40203.0.113.9%3Ba@192.0.2.1"
        );
        assert_eq!(
            to("PHONE_NUMBER", "+16075550199"),
            "sip:+16075550199@192.0.2.2"
        );
        assert_eq!(to("PHONE_NUMBER", "+442079460000"), "+");
        let profile = "amzn1.alexa.communications.profile.did.X";
        assert_eq!(
            to("COMMUNICATION_PROFILE_ID", profile),
            "sip:desk@192.0.2.1"
        );
        assert_eq!(route("COMMUNICATION_PROFILE_ID", "another"), None);
        assert_eq!(route("NEW_ONE", "frontdesk"), None);
    }

    #[test]
    fn rooms_by_number() {
        let config = config();
        assert!(config.room("1607555").is_some() && config.room("+1607555").is_some());
        assert!(config.room("1607556").is_none());
        let calling = |kind: &str, value: &str| {
            let id = ParticipantId {
                kind: IdType::from(kind.to_owned()),
                value: value.to_owned(),
            };
            config.room_of(&id).map(|room| room.number.as_str())
        };
        let profile = "amzn1.alexa.communications.profile.did.101";
        assert_eq!(
            calling("COMMUNICATION_PROFILE_ID", profile),
            Some("+1607555")
        );
        assert_eq!(calling("RAW_ADDRESS", "room 101"), Some("+1607555"));
        assert_eq!(calling("RAW_ADDRESS", profile), None);
        assert_eq!(calling("COMMUNICATION_PROFILE_ID", "room 101"), None);
    }
}
