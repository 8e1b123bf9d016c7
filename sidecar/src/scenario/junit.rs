//! JUnit's XML, as test servers read it.

use std::fmt::Write as _;

use quick_xml::escape::escape;

use super::report::Outcome;

/// The report of all scenarios as JUnit XML: a test case each, what happened as its `system-out`.
pub fn junit(outcomes: &[Outcome]) -> String {
    let failures = outcomes.iter().filter(|outcome| !outcome.passed).count();
    let time: f64 = outcomes.iter().map(|outcome| outcome.seconds).sum();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a String cannot fail.
    let _ = writeln!(
        xml,
        "<testsuites><testsuite name=\"skillcall sma test\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" time=\"{time:.3}\">",
        outcomes.len()
    );
    for outcome in outcomes {
        let file = outcome.file.display().to_string();
        let _ = writeln!(
            xml,
            "<testcase classname=\"{}\" name=\"{}\" file=\"{}\" time=\"{:.3}\">",
            text(&file),
            text(&outcome.name),
            text(&file),
            outcome.seconds
        );
        if let Some(failure) = &outcome.failure {
            let line = failure
                .line
                .map_or_else(String::new, |line| format!(":{line}"));
            let _ = writeln!(
                xml,
                "<failure message=\"{}\">{}</failure>",
                text(&format!("expected: {}", failure.expected)),
                text(&format!(
                    "{file}{line}\nexpected: {}\ncame: {}\n",
                    failure.expected, failure.came
                ))
            );
        }
        let _ = writeln!(
            xml,
            "<system-out>{}</system-out></testcase>",
            text(&outcome.story(true))
        );
    }
    xml.push_str("</testsuite></testsuites>\n");
    xml
}

/// XML takes no control characters.
fn text(text: &str) -> String {
    let printable: String = text
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect();
    escape(printable.as_str()).into_owned()
}
