//! docs/echo-to-pbx.md with Asterisk as the PBX: the guide's own files, with other addresses, and what it promises.

use crate::support;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use skillcall_media::encoding::Encoding;
use skillcall_sidecar::{Finding, Severity};
use skillcall_sip::sdp;
use support::asterisk::{Asterisk, MUSIC, free_port};
use support::room::{G711, Room};
use support::skill::{ACCOUNT, Skill};
use support::{Behaviour, Bench, Handler, Phone};

const ROOM: f64 = 700.0;
const DESK: f64 = 1100.0;
const KITCHEN: f64 = 1300.0;
/// Where the guide's sidecar and PBX are.
const SIDECAR: &str = "10.0.5.20";
const PBX: &str = "10.0.5.10";

fn example(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/echo-to-pbx");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// The guide's hotel: the gateway, the PBX, and the two phones.
struct Hotel {
    skill: Arc<Skill>,
    bench: Bench,
    pbx: Asterisk,
    desk: Phone,
    kitchen: Phone,
}

/// The guide's `sidecar.toml`, with this test's addresses.
fn sidecar_toml(folder: &Path, skill: &Skill, sip: SocketAddr, pbx: SocketAddr) -> PathBuf {
    // Secrets lie where the guide has them.
    support::config_text(folder, "http://127.0.0.1:9/", None, "");
    support::write_secret(&folder.join("secrets/sidecar.token"), support::TOKEN);
    let text = example("sidecar.toml")
        .replace("udp:10.0.5.20:5060", &format!("udp:{sip}"))
        .replace(SIDECAR, "127.0.0.1")
        .replace("30000-33999", "42000-43999")
        .replace("127.0.0.1:7080", "127.0.0.1:0")
        .replace("http://127.0.0.1:3000", &skill.url)
        .replace("amzn1.ask.account.REPLACE", ACCOUNT)
        .replace("sip:100@10.0.5.10", &format!("sip:100@{pbx}"))
        .replace("address = \"10.0.5.10\"", &format!("address = \"{pbx}\""))
        .replace(PBX, "127.0.0.1");
    let file = folder.join("sidecar.toml");
    std::fs::write(&file, text).unwrap();
    file
}

impl Hotel {
    /// None where this machine cannot have Asterisk.
    async fn opens() -> Option<Self> {
        Self::with("", Behaviour::Answer).await
    }

    /// With further lines before the routes of the sidecar's `[gateway]`, and what the desk does when it is called.
    async fn with(gateway: &str, desk: Behaviour) -> Option<Self> {
        let skill = Arc::new(Skill::start().await);
        let (sip, udp) = (free_port(), free_port());
        // The PBX tells its phones from the gateway by their addresses.
        let desk = Phone::at("127.0.0.2", DESK, desk);
        let kitchen = Phone::at("127.0.0.2", KITCHEN, Behaviour::Answer);
        let folder = tempfile::tempdir().unwrap();
        let file = sidecar_toml(folder.path(), &skill, udp, sip);
        let text = std::fs::read_to_string(&file).unwrap();
        let text = text.replace("[gateway]\n", &format!("[gateway]\n{gateway}\n"));
        let config = skillcall_sidecar::SidecarConfig::parse(&text, &file).unwrap();
        let pjsip = example("asterisk/pjsip.conf")
            .replace("10.0.5.10:5060", &sip.to_string())
            .replace("sip:10.0.5.20:5060", &format!("sip:{udp}"))
            .replace(SIDECAR, "127.0.0.1");
        // The phones of this test do not register.
        let phones = format!(
            "\n[100](+type=aor)\ncontact=sip:100@{}\n[101](+type=aor)\ncontact=sip:101@{}\n\
             [global]\ntype=global\ndebug=yes\n",
            desk.address, kitchen.address
        );
        let more = EXTENSIONS.replace("PBX", &sip.to_string());
        let extensions = format!("{}\n{more}", example("asterisk/extensions.conf"));
        let pbx = Asterisk::with_files(
            sip,
            &[
                ("pjsip.conf", pjsip + &phones),
                ("extensions.conf", extensions),
                ("features.conf", example("asterisk/features.conf")),
                ("musiconhold.conf", example("asterisk/musiconhold.conf")),
            ],
        )?;
        // The PBX is there when it is asked whether it lives.
        let sidecar = skillcall_sidecar::Sidecar::start(config).await.unwrap();
        let bench = Bench {
            folder,
            handler: Handler::absent(),
            sidecar,
            client: reqwest::Client::new(),
        };
        Some(Self {
            skill,
            bench,
            pbx,
            desk,
            kitchen,
        })
    }

    async fn room_calls(&self, address: &str, codecs: &[Encoding]) -> Room {
        let sidecar = self.bench.sidecar.control();
        Room::calls(&self.skill, sidecar, "s-1", address, (ROOM, codecs)).await
    }

    /// A room in a call with the desk; they hear each other.
    async fn room_and_desk(&self, codecs: &[Encoding]) -> Room {
        let room = self.room_calls("frontdesk", codecs).await;
        room.gets_through().await;
        self.both_hear(&room, &self.desk, DESK);
        room
    }

    /// The room hears the tone of a phone, and the phone the room's, from now on.
    fn both_hear(&self, room: &Room, phone: &Phone, tone: f64) {
        room.hears(tone);
        self.phone_hears(phone, ROOM);
    }

    /// The room hears a tone of the PBX; if it does not, what both legs have had.
    async fn is_heard_in(&self, room: &Room, tone: f64) {
        let until = std::time::Instant::now() + support::LIMIT;
        room.device.forget_heard();
        loop {
            let heard = room.device.heard();
            let last = heard
                .len()
                .checked_sub(1600)
                .and_then(|from| heard.get(from..));
            if last.is_some_and(|last| skillcall_media::tone::power_at(last, tone) > 0.8) {
                return;
            }
            if std::time::Instant::now() > until {
                let calls = self.bench.get("/v1/calls").await;
                panic!(
                    "no {tone} Hz in {} samples: {calls:#}\n{:?}",
                    heard.len(),
                    room.device
                );
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    fn phone_hears(&self, phone: &Phone, tone: f64) {
        tokio::task::block_in_place(|| {
            phone.forget_heard();
            phone.hears(tone);
        });
    }

    async fn closes(&self) {
        tokio::task::block_in_place(|| self.pbx.is_idle());
        self.bench
            .figures_become("everything is given back", |now| {
                (now.calls, now.legs, now.port_pairs) == (0, 0, 0)
            })
            .await;
    }
}

/// What the tests call beside the guide's numbers; `PBX` is its address.
const EXTENSIONS: &str = "
[inside](+)
exten => 801,1,Busy(1)
exten => 802,1,Ringing()
 same => n,Wait(60)
exten => 803,1,Progress()
 same => n,Playtones(900)
 same => n,Wait(60)
exten => 804,1,Answer()
 same => n,Playtones(950)
 same => n,Wait(60)
exten => 805,1,Answer()
 same => n,Playtones(900)
 same => n,Wait(60)
exten => 806,1,Transfer(PJSIP/sip:804@PBX)
 same => n,Wait(60)
";

/// What the device speaks, and what is chosen for it.
const LANGUAGES: [(&[Encoding], &str, &str); 3] = [
    (&G711, "", "PCMU"),
    (&[Encoding::Opus], "", "opus"),
    (&Encoding::ALL, "prefer-opus = true", "opus"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_room_calls_the_desk_and_is_heard_through_hold_and_resume() {
    for (codecs, settings, spoken) in LANGUAGES {
        let Some(hotel) = Hotel::with(settings, Behaviour::Answer).await else {
            return;
        };
        let mut room = hotel.room_and_desk(codecs).await;
        let invite = hotel
            .desk
            .wait("the INVITE", |state| state.invite.is_some());
        let invite = invite.invite.unwrap();
        assert!(invite.contains("<sip:201@"), "the room's number: {invite}");
        let call = hotel.bench.get("/v1/calls/s-1").await;
        let legs = call["media"].as_array().unwrap();
        let speaks =
            |leg: &serde_json::Value| leg["codec"].as_str().unwrap().eq_ignore_ascii_case(spoken);
        assert!(legs.iter().any(speaks), "{spoken}: {call}");
        // The room holds: the desk hears the PBX's music.
        room.holds(true).await;
        hotel.phone_hears(&hotel.desk, MUSIC);
        room.holds(false).await;
        hotel.both_hear(&room, &hotel.desk, DESK);
        room.hangs_up("SUCCESS").await;
        tokio::task::block_in_place(|| hotel.desk.wait("BYE", |state| state.ended));
        hotel.closes().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pbx_calls_a_room() {
    for (codecs, settings, _) in LANGUAGES {
        let Some(hotel) = Hotel::with(settings, Behaviour::Answer).await else {
            return;
        };
        hotel
            .pbx
            .cli("channel originate PJSIP/201@gateway extension 804@inside");
        let sidecar = hotel.bench.sidecar.control();
        let room = Room::answers(&hotel.skill, sidecar, (ROOM, codecs)).await;
        hotel.is_heard_in(&room, 950.0).await;
        hotel.pbx.cli("channel request hangup all");
        assert_eq!(room.ended(), "SUCCESS");
        hotel.closes().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_check_finds_nothing_wrong_in_the_guide_s_file() {
    let skill = Skill::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = sidecar_toml(folder.path(), &skill, free_port(), free_port());
    let config = skillcall_sidecar::SidecarConfig::load(&file).unwrap();
    let findings = skillcall_sidecar::check(&config);
    let wrong = |finding: &&Finding| finding.severity == Severity::Error;
    let errors: Vec<&Finding> = findings.iter().filter(wrong).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn gateway_and_pbx_know_each_other() {
    let Some(hotel) = Hotel::opens().await else {
        return;
    };
    tokio::task::block_in_place(|| {
        let contacts = || hotel.pbx.cli("pjsip show contacts");
        let of_gateway = |line: &str| line.contains("gateway/sip:") && line.contains("Avail");
        hotel
            .pbx
            .wait("Avail", || contacts().lines().any(of_gateway));
    });
    let up = |trunks: &serde_json::Value| trunks["trunks"][0]["targets"][0]["state"] == "up";
    hotel.bench.shows("/v1/trunks", "Asterisk is up", up).await;
    hotel.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_hears_itself_and_hangs_up() {
    let Some(hotel) = Hotel::opens().await else {
        return;
    };
    let room = hotel.room_calls("600", &G711).await;
    room.gets_through().await;
    room.hears(ROOM);
    room.hangs_up("SUCCESS").await;
    hotel.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_a_room_reach_the_pbx() {
    for codecs in [&G711[..], &[Encoding::Opus]] {
        let Some(hotel) = Hotel::opens().await else {
            return;
        };
        let room = hotel.room_calls("700", codecs).await;
        room.gets_through().await;
        tokio::task::block_in_place(|| {
            room.device.is_connected();
            // Its offer has no telephone events (facts G9): they are tones.
            room.device.digits("0730");
            hotel.pbx.logs("wake-up call for 201 at 0730");
        });
        assert_eq!(room.ended(), "SUCCESS");
        hotel.closes().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_the_desk_are_tones_in_the_room() {
    let Some(hotel) = Hotel::opens().await else {
        return;
    };
    let room = hotel.room_and_desk(&G711).await;
    hotel.desk.digit('5');
    tokio::task::block_in_place(|| room.device.hears_digits("5"));
    hotel.desk.hang_up();
    assert_eq!(room.ended(), "SUCCESS");
    hotel.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desk_holds_with_music() {
    let Some(hotel) = Hotel::opens().await else {
        return;
    };
    let room = hotel.room_and_desk(&G711).await;
    for _ in 0..2 {
        hotel.desk.direct(sdp::Direction::SendOnly);
        room.hears(MUSIC);
        hotel.desk.direct(sdp::Direction::SendRecv);
        hotel.both_hear(&room, &hotel.desk, DESK);
    }
    hotel.desk.hang_up();
    assert_eq!(room.ended(), "SUCCESS");
    hotel.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desk_sends_a_guest_on_blindly() {
    let Some(hotel) = Hotel::opens().await else {
        return;
    };
    let room = hotel.room_and_desk(&G711).await;
    for key in "##101".chars() {
        hotel.desk.digit(key);
    }
    tokio::task::block_in_place(|| hotel.desk.wait("the desk is free", |state| state.ended));
    hotel.both_hear(&room, &hotel.kitchen, KITCHEN);
    hotel.kitchen.hang_up();
    assert_eq!(room.ended(), "SUCCESS");
    hotel.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_desk_asks_the_kitchen_before_it_sends_a_guest_on() {
    let Some(hotel) = Hotel::opens().await else {
        return;
    };
    let mut room = hotel.room_and_desk(&G711).await;
    for key in "*2101".chars() {
        hotel.desk.digit(key);
    }
    hotel.phone_hears(&hotel.desk, KITCHEN);
    room.hears(MUSIC);
    hotel.desk.hang_up();
    hotel.both_hear(&room, &hotel.kitchen, KITCHEN);
    // What comes after is a call as any other.
    room.holds(true).await;
    hotel.phone_hears(&hotel.kitchen, MUSIC);
    room.holds(false).await;
    hotel.both_hear(&room, &hotel.kitchen, KITCHEN);
    room.hangs_up("SUCCESS").await;
    hotel.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pbx_refers_a_room_elsewhere() {
    let Some(hotel) = Hotel::opens().await else {
        return;
    };
    let room = hotel.room_calls("805", &G711).await;
    room.gets_through().await;
    room.hears(900.0);
    tokio::task::block_in_place(|| hotel.pbx.redirect("806@inside"));
    room.hears(950.0);
    room.hangs_up("SUCCESS").await;
    hotel.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_can_be_had() {
    let Some(hotel) = Hotel::with("ring-seconds = 2", Behaviour::Refuse(486)).await else {
        return;
    };
    for (n, address, code) in [
        (1, "801", "DEVICE_BUSY"),
        (2, "frontdesk", "DEVICE_BUSY"),
        (3, "999", "DEVICE_UNAVAILABLE"),
        // It rings for longer than the gateway has patience.
        (4, "802", "SESSION_TIMEOUT"),
    ] {
        let session = format!("s-{n}");
        let (control, device) = (hotel.bench.sidecar.control(), (ROOM, &G711[..]));
        let _room = Room::calls(&hotel.skill, control, &session, address, device).await;
        let end = tokio::task::block_in_place(|| hotel.skill.wait("CallEnded", n));
        assert_eq!(end["callResult"]["code"], code, "{address}");
    }
    hotel.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn either_side_gives_up() {
    let Some(hotel) = Hotel::with("", Behaviour::Ring).await else {
        return;
    };
    let room = hotel.room_calls("frontdesk", &G711).await;
    room.rings().await;
    room.hangs_up("SUCCESS").await;
    tokio::task::block_in_place(|| hotel.desk.wait("CANCEL", |state| state.cancelled));
    hotel.closes().await;
    // The PBX calls the room and gives up.
    let call = "channel originate Local/201@inside extension 804@inside";
    hotel.pbx.cli(call);
    let control = hotel.bench.sidecar.control();
    let (room, _) = Room::is_called(&hotel.skill, control, (ROOM, &G711)).await;
    tokio::task::block_in_place(|| hotel.pbx.logs("is ringing"));
    hotel.pbx.cli("channel request hangup all");
    assert_eq!(room.ended(), "SUCCESS");
    hotel.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_declines() {
    let Some(hotel) = Hotel::opens().await else {
        return;
    };
    let call = "channel originate Local/201@inside extension 804@inside";
    hotel.pbx.cli(call);
    let control = hotel.bench.sidecar.control();
    let (room, _) = Room::is_called(&hotel.skill, control, (ROOM, &G711)).await;
    room.hangs_up("DEVICE_BUSY").await;
    tokio::task::block_in_place(|| hotel.pbx.logs("is busy"));
    hotel.closes().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn announcements_are_heard_before_the_answer() {
    let Some(hotel) = Hotel::opens().await else {
        return;
    };
    let room = hotel.room_calls("803", &G711).await;
    room.rings().await;
    room.progresses().await;
    room.hears(900.0);
    let said = hotel.skill.operations();
    assert_eq!(said, ["CallRinging", "CallInProgress"]);
    tokio::task::block_in_place(|| hotel.pbx.redirect("804@inside"));
    room.is_answered().await;
    room.hears(950.0);
    room.hangs_up("SUCCESS").await;
    hotel.closes().await;
}
