//! SIPp and baresip, which nobody here wrote, as caller and as the phone.

use std::path::Path;

use serde_json::json;
use skillcall_host_tests::handler::{action, nothing};
use skillcall_host_tests::program::{Program, free_port};
use skillcall_host_tests::sipp::{self, Over};
use skillcall_host_tests::{Answer, Handler, Staging, plans, sound, until};
use skillcall_media::tone;
use skillcall_simulator::config::PhoneConfig;
use skillcall_simulator::line::{Answering, CallState, EndedBy, Voice};

const GUEST: f64 = 440.0;
const DESK: f64 = 1000.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sipp_is_turned_away_with_486_and_no_200() {
    let handler = Handler::playing(vec![action("Hangup", json!({"SipResponseCode": "486"}))]).await;
    let stage = Staging::new(plans::straight())
        .handled_by(handler.url())
        .start()
        .await;
    sipp::call(&stage, Over::Udp, "busy", &[]).succeeds().await;
    let hangup = handler.event("HANGUP").await;
    assert_eq!(
        hangup["ActionData"]["Parameters"]["SipResponseCode"], 486,
        "{hangup}"
    );
    assert_eq!(stage.sidecar.figures().calls_answered, 0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sipp_gets_no_200_when_nobody_answers_the_bridge() {
    let handler = Handler::start(|event| match event["InvocationEventType"].as_str() {
        Some("NEW_INBOUND_CALL") => Answer::Actions(vec![action(
            "CallAndBridge",
            json!({
                "CallTimeoutSeconds": "2",
                "CallerIdNumber": plans::DESK,
                "Endpoints": [{"BridgeEndpointType": "PSTN", "Uri": plans::PHONE}],
            }),
        )]),
        Some("ACTION_FAILED") => {
            Answer::Actions(vec![action("Hangup", json!({"SipResponseCode": 480}))])
        }
        _ => nothing(),
    })
    .await;
    let phone = PhoneConfig {
        answering: Answering::Never,
        ..PhoneConfig::default()
    };
    let staging = Staging::new(plans::straight()).handled_by(handler.url());
    let stage = staging
        .simulator(|simulator| simulator.phone = Some(phone))
        .start()
        .await;
    sipp::call(&stage, Over::Udp, "unanswered", &[])
        .succeeds()
        .await;
    let failed = handler.event("ACTION_FAILED").await;
    assert_eq!(
        failed["ActionData"]["ErrorType"], "CallNotAnswered",
        "{failed}"
    );
    assert_eq!(stage.sidecar.figures().calls_answered, 0);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sipp_is_answered_spoken_to_and_hung_up_on() {
    sipp_hears_goodbye(Over::Udp).await;
}

/// SIPp calls, is answered, spoken to and hung up on.
pub(crate) async fn sipp_hears_goodbye(over: Over) {
    let actions = vec![
        action("Speak", json!({"Text": "Goodbye."})),
        action("Hangup", json!({})),
    ];
    let handler = Handler::playing(actions).await;
    let stage = Staging::new(plans::straight())
        .handled_by(handler.url())
        .start()
        .await;
    sipp::call(&stage, over, "menu", &[]).succeeds().await;
    handler.event("HANGUP").await;
    assert_eq!(stage.sidecar.figures().calls_answered, 1);
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sipp_as_the_phone_echoes_what_the_device_says() {
    let (port, media) = (free_port(), free_port());
    let staging =
        Staging::new(plans::straight()).bridging_to(format!("sip:{{number}}@127.0.0.1:{port}"));
    let stage = staging
        .simulator(|simulator| simulator.device.voice = Voice::Tone { hz: GUEST })
        .start()
        .await;
    let sipp = sipp::phone(&stage, Over::Udp, (port, media), "-sn uas");
    let (_, call) = stage.call().await;
    stage
        .call_is(&call.id, |call| call.state == CallState::Talking)
        .await;
    sound::heard(&stage.simulator, &call.id, GUEST).await;
    stage.simulator.hang_up(&call.id).await.expect("hung up");
    sipp.succeeds().await;
    stage.end().await;
}

/// Writes a configuration of baresip: it answers by itself, plays a file with a tone, and its module sndfile writes what
/// it hears into `dump-…-dec.wav`.
fn baresip_configuration(folder: &Path, port: u16) {
    std::fs::create_dir_all(folder).expect("a folder");
    let second = tone::sine(DESK, -13.0, 8000 * 30);
    std::fs::write(
        folder.join("tone.wav"),
        skillcall_media::wav::to_bytes(&second, 1).expect("a WAV"),
    )
    .expect("written");
    let modules = [
        "/usr/lib/baresip/modules",
        "/usr/lib64/baresip/modules",
        "/usr/local/lib/baresip/modules",
    ];
    let modules = modules
        .into_iter()
        .find(|path| Path::new(path).is_dir())
        .expect("baresip's modules");
    let inside = folder.display();
    let config = format!(
        "sip_listen\t127.0.0.1:{port}\n\
         audio_path\t{inside}\n\
         audio_player\taubridge,nobody\n\
         audio_source\taufile,{inside}/tone.wav\n\
         audio_alert\taufile,{inside}/alert.wav\n\
         audio_srate\t8000\n\
         audio_channels\t1\n\
         module_path\t{modules}\n\
         module\tg711.so\n\
         module\taufile.so\n\
         module\taubridge.so\n\
         module\tsndfile.so\n\
         snd_path\t{inside}\n\
         module_app\taccount.so\n\
         module_app\tmenu.so\n\
         rtp_ports\t20000-29999\n"
    );
    std::fs::write(folder.join("config"), config).expect("written");
    std::fs::write(folder.join("contacts"), "").expect("written");
    std::fs::write(
        folder.join("accounts"),
        format!(
            "<sip:{}@127.0.0.1:{port}>;regint=0;answermode=auto;audio_codecs=PCMU\n",
            plans::PHONE
        ),
    )
    .expect("written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn baresip_as_the_phone_hears_and_is_heard() {
    let port = free_port();
    let staging =
        Staging::new(plans::straight()).bridging_to(format!("sip:{{number}}@127.0.0.1:{port}"));
    let stage = staging
        .simulator(|simulator| simulator.device.voice = Voice::Tone { hz: GUEST })
        .start()
        .await;
    let folder = stage.folder().join("baresip");
    baresip_configuration(&folder, port);
    let arguments = vec!["-f".to_owned(), folder.display().to_string()];
    let baresip = Program::start("baresip", stage.folder(), &arguments);
    until("baresip to be ready", async || {
        baresip.log().contains("baresip is ready").then_some(())
    })
    .await;

    let (_, call) = stage.call().await;
    stage
        .call_is(&call.id, |call| call.state == CallState::Talking)
        .await;
    sound::heard(&stage.simulator, &call.id, DESK).await;
    stage.call_is(&call.id, |call| call.media.sent > 250).await;
    stage.simulator.hang_up(&call.id).await.expect("hung up");
    let device = stage.over(&call.id).await;
    assert_eq!(device.ended.expect("an ending").by, EndedBy::Here);
    stage.quiet().await;
    until("what baresip heard", async || {
        let heard = sound::recordings(&folder)
            .into_iter()
            .find(|path| path.to_string_lossy().ends_with("-dec.wav"))?;
        let audio = skillcall_media::wav::read_file(&heard).ok()?;
        (sound::windows_with(&audio.samples, GUEST) >= 5).then_some(())
    })
    .await;
    drop(baresip);
    stage.end().await;
}
