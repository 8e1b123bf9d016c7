//! `docs/settings.md` lists the keys of `simulator.toml` that the simulator takes, with their defaults.

use std::collections::BTreeSet;
use std::path::Path;

use skillcall_simulator::SimulatorConfig;

/// What a row says of one key.
struct Row {
    /// `alexa` or `customer[]`.
    table: String,
    key: String,
    default: String,
}

/// The rows of the table; `customer[].a`, `.b` are two.
fn rows() -> Vec<Row> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/settings.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, section) = page
        .split_once("## `simulator.toml`")
        .expect("the section of simulator.toml");
    let section = section.split("\n## ").next().unwrap();
    let mut rows = Vec::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let mut table = String::new();
        for name in cells[0].split(", ").map(|name| name.trim_matches('`')) {
            let (before, key) = name.rsplit_once('.').expect("TABLE.KEY");
            if !before.is_empty() {
                before.clone_into(&mut table);
            }
            rows.push(Row {
                table: table.clone(),
                key: key.to_owned(),
                default: cells[1].to_owned(),
            });
        }
    }
    rows
}

fn header(table: &str) -> String {
    match table.strip_suffix("[]") {
        Some(list) => format!("[[{list}]]\n"),
        None => format!("[{table}]\n"),
    }
}

fn parse(text: &str) -> Result<SimulatorConfig, String> {
    SimulatorConfig::parse(text, Path::new("/nowhere/simulator.toml"))
        .map_err(|error| error.to_string())
}

/// The keys that a table takes, as it tells whoever writes another one.
fn taken(table: &str) -> BTreeSet<String> {
    let error = parse(&format!("{}no-such-key = 1\n", header(table))).unwrap_err();
    let (_, expected) = error
        .split_once("expected one of ")
        .unwrap_or_else(|| panic!("[{table}]: {error}"));
    expected
        .split(", ")
        .map(|key| key.trim().trim_matches('`').to_owned())
        // It is taken only to be refused: a secret does not stand in the file.
        .filter(|key| !(table == "alexa" && key == "token"))
        .collect()
}

#[test]
fn the_page_lists_the_keys_that_are_taken_and_no_other() {
    let rows = rows();
    let tables: BTreeSet<&str> = rows.iter().map(|row| row.table.as_str()).collect();
    assert_eq!(
        tables,
        BTreeSet::from([
            "alexa",
            "contact[]",
            "customer[]",
            "device",
            "phone",
            "signaling",
            "skill"
        ])
    );
    for table in tables {
        let listed: BTreeSet<String> = rows
            .iter()
            .filter(|row| row.table == table)
            .map(|row| row.key.clone())
            .collect();
        assert_eq!(listed, taken(table), "[{table}] of docs/settings.md");
    }
}

#[test]
fn the_page_says_the_defaults_that_hold() {
    let mut compared = 0;
    for Row {
        table,
        key,
        default,
    } in rows()
    {
        // A default in words cannot be written into a file.
        let Some(value) = default
            .strip_prefix('`')
            .and_then(|value| value.strip_suffix('`'))
            .filter(|value| !value.contains('`'))
        else {
            continue;
        };
        let empty = header(&table);
        let without = parse(&empty).unwrap();
        let with = [value.to_owned(), format!("{value:?}")]
            .iter()
            .find_map(|value| parse(&format!("{empty}{key} = {value}\n")).ok())
            .unwrap_or_else(|| panic!("[{table}] {key} does not take its default {value}"));
        assert_eq!(
            format!("{with:?}"),
            format!("{without:?}"),
            "[{table}] {key}: {value} is not what holds without it"
        );
        compared += 1;
    }
    assert!(compared > 20, "only {compared} defaults were compared");
}
