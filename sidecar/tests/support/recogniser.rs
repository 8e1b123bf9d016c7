//! A recogniser of speech that nobody here wrote, and how much of what was said it has understood.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use skillcall_media::{SAMPLE_RATE, resample, wav};

/// What is said in the tests: words that are written in one way only.
pub(crate) const SAID: &str = "Good evening, this is the front desk. Your room is ready on the upper floor. \
    Breakfast is served in the garden every morning. The swimming pool is open for all of our guests. \
    Please leave your key at the desk when you go out. A doctor will come to see you in the afternoon. \
    The train to the city leaves from the old station. Would you like us to call a taxi for you?";

/// What a voice of espeak-ng makes of a text, at the line's rate.
pub(crate) fn spoken(text: &str, voice: &str) -> Vec<i16> {
    let made = Command::new("espeak-ng")
        .args(["--stdout", "-s", "130", "-v", voice, text])
        .output()
        .expect("espeak-ng; `tools/setup.sh test` installs it");
    let rate = u32::from_le_bytes(made.stdout[24..28].try_into().unwrap());
    let samples: Vec<i16> = made.stdout[44..]
        .chunks_exact(2)
        .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    resample::resample(&samples, rate, SAMPLE_RATE).unwrap()
}

/// The Python that has the recogniser, and FFmpeg's libraries.
pub(crate) fn python() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("recogniser");
    let made = Command::new(root.join("tools/recogniser.sh"))
        .arg(folder)
        .stderr(Stdio::inherit())
        .output()
        .expect("tools/recogniser.sh runs");
    assert!(
        made.status.success(),
        "tools/recogniser.sh: {}",
        made.status
    );
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

/// What is said in each of these recordings of the line's rate.
pub(crate) fn recognise(recordings: &[Vec<i16>]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = recordings
        .iter()
        .enumerate()
        .map(|(number, samples)| {
            let file = folder.path().join(format!("{number}.wav"));
            std::fs::write(&file, wav::to_bytes(samples, 1).unwrap()).unwrap();
            file
        })
        .collect();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/recognise.py");
    let made = Command::new(python())
        .arg(program)
        .args(&files)
        .stderr(Stdio::inherit())
        .output()
        .expect("Python runs");
    assert!(made.status.success(), "recognise.py: {}", made.status);
    let texts: Vec<String> = String::from_utf8(made.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(texts.len(), recordings.len());
    texts
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace()
        .map(|word| {
            let letters = word.chars().filter(|letter| letter.is_alphanumeric());
            letters.collect::<String>().to_lowercase()
        })
        .filter(|word| !word.is_empty())
        .collect()
}

/// Words of [`SAID`].
pub(crate) fn said_words() -> usize {
    words(SAID).len()
}

/// Words of [`SAID`] that were understood wrongly, left out, or put in: the edit distance in words, at most all of them.
pub(crate) fn wrong_words(understood: &str) -> usize {
    let (said, heard) = (words(SAID), words(understood));
    let mut costs: Vec<usize> = (0..=heard.len()).collect();
    for (at, word) in said.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut costs[0], at + 1);
        for (other, heard) in heard.iter().enumerate() {
            let replaced = diagonal + usize::from(word != heard);
            diagonal = costs[other + 1];
            costs[other + 1] = replaced.min(diagonal + 1).min(costs[other] + 1);
        }
    }
    costs[heard.len()].min(said.len())
}
