//! Replays seeds, and deterministic mutations of them, through every fuzz target.

use fuzz_replay::Replay;
use skillcall_protocol::fuzz::TARGETS;

/// Mutations of each seed; a fuzzer goes on where this ends.
const ROUNDS: u32 = 1000;

/// Pieces that matter to one of the parsers.
const SPICE: &[&[u8]] = &[
    b"\r\n",
    b"\n",
    b"\n\n",
    b"\0",
    b"\xff",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b",",
    b":",
    b"%2e",
    b"/../",
    b"@",
    b"-",
    b" ",
    b"null",
    b"1e99",
    b"9223372036854775808",
    b"+1 204 555 0100",
    b"***0100",
    b"[hidden]",
    b"Bearer x",
    b"Atza|",
    b"eyJ",
    b"token=",
    b"a=crypto:",
    b"v=0\r\n",
    b" SIP/2.0\r\n",
    b"INVITE a SIP/2.0\r\n",
    b";encoding=hex",
    b"6373693d",
    b"Skillcall-Signature: v1=",
];

const SEEDS: &[&str] = &[
    r#"{"version":"1.0","session":{"new":true,"sessionId":"s","application":{"applicationId":"amzn1.ask.skill.00000000-0000-0000-0000-000000000000"},"user":{"userId":"amzn1.ask.account.A","accessToken":"t"}},"context":{"System":{"apiEndpoint":"https://api.amazonalexa.com","apiAccessToken":"t","device":{"deviceId":"amzn1.ask.device.D","supportedInterfaces":{}}},"Viewport":{}},"request":{"type":"IntentRequest","requestId":"amzn1.echo-api.request.1","timestamp":"2024-05-01T10:11:12Z","locale":"en-US","dialogState":"COMPLETED","intent":{"name":"CallIntent","confirmationStatus":"NONE","slots":{"destination":{"name":"destination","value":"the desk","confirmationStatus":"NONE","source":"USER","resolutions":{"resolutionsPerAuthority":[{"authority":"a","status":{"code":"ER_SUCCESS_MATCH"},"values":[{"value":{"name":"front desk","id":"front-desk"}}]}]}}}}}}"#,
    "\u{40}\u{15}\u{32}\u{66}\x00\x00\x00\x002024-05-01T12:11:12.5+02:00",
    "https://s3.amazonaws.com:443/echo.api/../echo.api/%2e/echo-api-cert.pem",
    "00c8;encoding=hex, \"6373693d61312d6232\";purpose=x;Encoding=\"HEX\"\n6373693d6131;encoding=hex",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\nPOST\n/media/events?x=1\nSkillcall-Key-Id: fuzz\nSkillcall-Timestamp: 1714558272\nSkillcall-Nonce: 00112233445566778899aabbccddeeff\nSkillcall-Signature: v1=274d222c2d917569268e2b20a9afb8a846fd6d4e380cc9ee14e6e0f0897e4f98\n\n{}",
    r#"xx{"a":["+1 (204) 555-0100",{"phoneNumber":"2045550100","digits":4711}],"body":"{\"accessToken\":\"x\"}","when":1714558272000}"#,
    "xxINVITE sip:+12045550100@h SIP/2.0\r\nFrom: \"A\" <sip:12045550100@h>;tag=1\r\nAuthorization: Digest username=\"u\",\r\n response=\"x\"\r\nUser-to-User: 6162;encoding=hex\r\n\r\nv=0\r\no=12045550100 1 1 IN IP4 h\r\na=crypto:1 S inline:abc|2^20\r\n",
    "xxcalled 204-555-0100, tel:%2B12045550100 Bearer abcdef123456 &client_secret=hush&x=1 1.204.555.0100 20260131",
    r#"{"v":1,"at":1714558272000000,"part":"sidecar","seq":3,"ids":{"transaction":"t","call":["a","b"],"csi":"c"},"kind":"message","from":"alexa","to":"component","direction":"sent","protocol":"http","name":"POST /alexa","outcome":"200","duration_us":5,"body":"{\"a\":1}"}"#,
    r#"{"v":1,"at":1,"part":"lab","kind":"media","leg":"LEG-A","codec":"PCMU","sent":1,"received":2,"lost":0,"late":0,"jitter_ms":1.25,"mos":4.4}"#,
    r#"{"SchemaVersion":"1.0","Actions":[{"Type":"Speak","Parameters":{"Text":"Hello","CallId":""}}],"TransactionAttributes":{"n":3}}"#,
    r#"{"SchemaVersion":"1.0","Sequence":3,"InvocationEventType":"HANGUP","CallDetails":{"TransactionId":"t","Participants":[{"CallId":"a","ParticipantTag":"LEG-A","To":"+1","From":"+2","Direction":"Inbound","StartTimeInMilliseconds":"1714558272000"}]}}"#,
    r#"{"type":"Alexa.Comms.CallSignaling.InitiateOutboundCall","sessionId":"s-77","participants":[{"id":{"type":"COMMUNICATION_PROFILE_ID","value":"amzn1.alexa.communications.profile.did.X"},"isOriginator":true},{"id":{"type":"RAW_ADDRESS","value":"frontdesk"},"isOriginator":false}],"sdpDetails":{"type":"OFFER","value":"v=0\\r\\n"}}"#,
    r#"{"type":"Alexa.Comms.CallSignaling.CallEnded","sessionId":"s-77","callResult":{"code":"SUCCESS","message":"bye"},"renegotiationType":"CALL_HOLD"}"#,
];

#[test]
fn no_target_fails_on_the_seeds_or_their_mutations() {
    let replay = Replay {
        rounds: ROUNDS,
        spice: SPICE,
    };
    for (name, target) in TARGETS {
        replay.run(name, *target, SEEDS);
    }
}
