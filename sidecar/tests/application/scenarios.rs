//! The scenarios that are shipped, and their handlers, pass; and what fails is told in a way that helps.

use std::path::{Path, PathBuf};

use skillcall_sidecar::runner::HandlerFile;
use skillcall_sidecar::scenario::{HttpHandler, Outcome, Scenario, junit, run};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

async fn outcome(scenario: &Scenario) -> Outcome {
    let file = scenario.folder().join(scenario.handler.as_ref().unwrap());
    let running = HandlerFile::new(file).start().await.unwrap();
    let mut handler = HttpHandler::new(running.url().clone(), None).unwrap();
    let outcome = run(scenario, &mut handler).await;
    running.stop().await;
    outcome
}

async fn shipped(name: &str) {
    let file = examples().join("scenarios").join(name);
    let scenario = Scenario::read(&file).unwrap();
    let outcome = outcome(&scenario).await;
    assert!(outcome.passed, "{outcome}");
}

macro_rules! shipped {
    ($($name:ident = $file:literal),+ $(,)?) => {
        $(#[tokio::test]
        async fn $name() {
            shipped($file).await;
        })+

        /// No scenario is forgotten.
        #[test]
        fn all_of_them_run() {
            let mut files: Vec<String> = std::fs::read_dir(examples().join("scenarios"))
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            files.sort();
            let mut known = vec![$($file),+];
            known.sort_unstable();
            assert_eq!(files, known);
        }
    };
}

shipped! {
    the_desk = "desk.toml",
    no_answer = "no-answer.toml",
    a_message = "message.toml",
    a_studio_line = "studio.toml",
    a_reminder = "reminder.toml",
    a_meeting = "meeting.toml",
    a_refused_caller = "refused.toml",
}

/// The menu's scenario with one word that is not what the handler says.
#[tokio::test]
async fn a_failure_says_what_was_expected_and_what_came() {
    let file = examples().join("scenarios/desk.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let wrong = text.replace("Welcome to the Harbour Hotel", "Welcome to the Grand Hotel");
    let line = 1 + wrong[..wrong.find("Grand").unwrap()].matches('\n').count() - 1;
    let scenario = Scenario::parse(&wrong, &file).unwrap();
    let outcome = outcome(&scenario).await;
    assert!(!outcome.passed);
    let failure = outcome.failure.as_ref().unwrap();
    assert_eq!(failure.line, Some(line), "{outcome}");
    assert!(failure.expected.contains("Grand Hotel"), "{outcome}");
    assert!(failure.came.contains("Harbour Hotel"), "{outcome}");
    let told = outcome.to_string();
    assert!(told.contains("→ handler: NEW_INBOUND_CALL"), "{told}");
    assert!(
        told.contains("← handler: Speak, SpeakAndGetDigits"),
        "{told}"
    );

    let xml = junit(std::slice::from_ref(&outcome));
    assert!(xml.contains("tests=\"1\" failures=\"1\""), "{xml}");
    assert!(
        xml.contains(
            "<failure message=\"expected: LEG-A hears &quot;Welcome to the Grand Hotel&quot;"
        ),
        "{xml}"
    );
    let json = serde_json::to_value(&outcome).unwrap();
    assert_eq!(json["passed"], false);
    let events = json["log"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["what"] == "event");
    assert_eq!(
        events.count(),
        3,
        "two with their digits failing, one call: {json:#}"
    );
}
