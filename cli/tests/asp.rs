//! `skillcall asp` against the simulator: everything is made once, a second run changes nothing, a dry run never does.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;

use skillcall_simulator::config::Secret;
use skillcall_simulator::customer::Customer;
use skillcall_simulator::{Simulator, SimulatorConfig};

const MODEL: &str = r#"{"interactionModel":{"languageModel":{"invocationName":"harbour hotel","intents":[{"name":"AMAZON.HelpIntent"},{"name":"CallIntent","slots":[{"name":"destination","type":"DESTINATION"}],"samples":["call {destination}"]}],"types":[{"name":"DESTINATION","values":[{"id":"FRONT_DESK","name":{"value":"front desk"}}]}]}}}"#;
const UNIT: &str = "amzn1.alexa.unit.did.ROOM204";

async fn simulator(folder: &Path) -> Simulator {
    let mut config = SimulatorConfig::default();
    config.skill.model_json = Some((MODEL.to_owned(), "en-US".to_owned()));
    config.skill.client_secrets = vec!["the-client-secret".to_owned()];
    config.alexa.ca = folder.join("ca");
    config.alexa.token = Some(Secret::new("0123456789abcdef-test").expect("long enough"));
    config.customers = vec![Customer {
        persistent_unit_id: Some(UNIT.to_owned()),
        ..Customer::default()
    }];
    Simulator::start(config).await.expect("the simulator")
}

fn write(folder: &Path, simulator: &Simulator, name: &str) -> std::path::PathBuf {
    let (origin, login) = (simulator.api_endpoint(), simulator.login_url());
    let file = folder.join("asp.toml");
    let text = format!(
        r#"
[login]
client-id = "amzn1.application-oa2-client.00000000000000000000000000000000"
client-secret-file = "asp.secret"
url = "{login}"
[api]
endpoint = "{origin}"
[provider]
id = "harbour-hotel"
name = {{ en-US = "{name}" }}
skill = "amzn1.ask.skill.00000000-0000-0000-0000-000000000000"
[[user]]
id = "frontdesk"
profile = "amzn1.alexa.communications.profile.did.DESK"
[[user]]
id = "room204"
unit = "{UNIT}"
name = "Room 204"
[[contact]]
address-book = "book-1"
name = "Front desk"
user = "frontdesk"
"#
    );
    std::fs::write(&file, text).expect("the file");
    let secret = folder.join("asp.secret");
    std::fs::write(&secret, "the-client-secret\n").expect("the secret");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    file
}

async fn asp(args: &[&str], file: &Path) -> (bool, String) {
    let output: Output = tokio::process::Command::new(env!("CARGO_BIN_EXE_skillcall"))
        .arg("asp")
        .args(args)
        .arg(file)
        .output()
        .await
        .expect("the program starts");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(
        !text.contains("the-client-secret") && !text.contains("Atc|"),
        "{text}"
    );
    (output.status.success(), text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_made_once_and_changes_only_where_it_differs() {
    let folder = tempfile::tempdir().expect("a folder");
    let simulator = simulator(folder.path()).await;
    let file = write(folder.path(), &simulator, "Harbour Hotel");
    let (ok, text) = asp(&["apply", "--dry-run"], &file).await;
    assert!(ok, "{text}");
    assert_eq!(text.matches("would create").count(), 6, "{text}");
    assert_eq!(
        simulator.provisioned_changes(),
        0,
        "a dry run changes nothing"
    );
    let (ok, text) = asp(&["apply"], &file).await;
    assert!(ok, "{text}");
    assert_eq!(text.matches("created").count(), 6, "{text}");
    let changes = simulator.provisioned_changes();
    assert_eq!(changes, 5, "provider, network, two users, a contact");
    let (ok, text) = asp(&["apply"], &file).await;
    assert!(ok, "{text}");
    assert_eq!(text.matches("is there").count(), 6, "{text}");
    assert_eq!(simulator.provisioned_changes(), changes);
    let file = write(folder.path(), &simulator, "Harbour Inn");
    let (ok, text) = asp(&["apply", "--dry-run"], &file).await;
    assert!(
        ok && text.contains("would change  service provider"),
        "{text}"
    );
    let (ok, text) = asp(&["apply"], &file).await;
    assert!(
        ok && text.contains("changed       service provider"),
        "{text}"
    );
    assert_eq!(simulator.provisioned_changes(), changes + 1);
    let (ok, text) = asp(&["list"], &file).await;
    assert!(ok, "{text}");
    for word in [
        "Harbour Inn",
        "amzn1.comms.csp.id.",
        "room204",
        "Front desk",
        "SKILL",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    simulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_named_and_secrets_must_be_private() {
    let folder = tempfile::tempdir().expect("a folder");
    let simulator = simulator(folder.path()).await;
    let file = write(folder.path(), &simulator, "Harbour Hotel");
    let good = std::fs::read_to_string(&file).expect("the file");
    for (from, to, told) in [
        (
            "user = \"frontdesk\"",
            "user = \"nobody\"",
            "who is no [[user]]",
        ),
        (
            "unit = ",
            "profile = \"p\"\nunit = ",
            "both profile and unit",
        ),
        (
            "id = \"room204\"",
            "id = \"frontdesk\"",
            "stands there twice",
        ),
        ("[provider]", "[provider]\nnmae = 1", "nmae"),
        (
            "amzn1.ask.skill.00000000",
            "amzn1.ask.skill.11111111",
            "400 InvalidInput",
        ),
        ("profile.did.DESK", "profil.did.DESK", "400 InvalidInput"),
        (UNIT, "amzn1.alexa.unit.did.NOWHERE", "404"),
        ("client.00000000", "client.10000000", "invalid_client"),
    ] {
        std::fs::write(&file, good.replacen(from, to, 1)).expect("the file");
        let (ok, text) = asp(&["apply"], &file).await;
        assert!(!ok && text.contains(told), "{told}: {text}");
    }
    std::fs::write(&file, good).expect("the file");
    let secret = folder.path().join("asp.secret");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).expect("its mode");
    let (ok, text) = asp(&["apply"], &file).await;
    assert!(!ok && text.contains("chmod 600"), "{text}");
    simulator.shutdown().await;
}
