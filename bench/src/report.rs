//! The figures as Markdown, and their place in the README.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;

/// A table with its head.
pub(crate) struct Table {
    columns: usize,
    text: String,
}

impl Table {
    /// An empty table.
    pub(crate) fn new(head: &[&str]) -> Self {
        let rule: String = head
            .iter()
            .enumerate()
            .map(|(place, _)| if place == 0 { "|---" } else { "|---:" })
            .collect();
        Self {
            columns: head.len(),
            text: format!("| {} |\n{rule}|\n", head.join(" | ")),
        }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: &[String]) {
        debug_assert_eq!(cells.len(), self.columns);
        let _ = writeln!(self.text, "| {} |", cells.join(" | "));
    }

    /// The table's text.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

/// Puts a part's figures between its markers in the README.
pub(crate) fn write(part: &str, figures: &str) -> anyhow::Result<()> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let named = || path.display().to_string();
    let page = fs::read_to_string(&path).with_context(named)?;
    let (begin, end) = (
        format!("<!-- figures of {part}, written by bench/run -->\n"),
        format!("<!-- end of {part} -->"),
    );
    let (before, rest) = page
        .split_once(&begin)
        .with_context(|| format!("{}: no marker `{}`", named(), begin.trim()))?;
    let (_, after) = rest
        .split_once(&end)
        .with_context(|| format!("{}: no marker `{end}`", named()))?;
    fs::write(&path, format!("{before}{begin}{figures}{end}{after}")).with_context(named)
}

/// A count with a comma at each thousand.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
