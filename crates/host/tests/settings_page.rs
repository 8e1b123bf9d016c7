//! `docs/settings.md` lists the component's settings as the host knows them.

use skillcall_host::settings::KNOWN;
use std::path::Path;

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/settings.md");
    std::fs::read_to_string(path).expect("docs/settings.md")
}

#[test]
fn the_table_has_every_setting_with_its_names() {
    let page = page();
    let (_, section) = page
        .split_once("## The component's settings")
        .expect("the section");
    let (section, _) = section.split_once("\n## ").expect("its end");
    let rows: Vec<Vec<&str>> = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let names: Vec<String> = KNOWN
        .iter()
        .map(|known| format!("`{}`", known.name))
        .collect();
    let listed: Vec<&str> = rows.iter().filter_map(|row| row.first().copied()).collect();
    assert_eq!(
        listed, names,
        "docs/settings.md and KNOWN list other settings, or in another order"
    );

    for (row, known) in rows.iter().zip(KNOWN) {
        let [
            _,
            host,
            environment,
            spin,
            default,
            secret,
            required,
            meaning,
        ] = row[..]
        else {
            panic!("{}: expected eight columns, found {row:?}", known.name);
        };
        let upper = known.name.to_ascii_uppercase();
        let expected = [
            format!("`{}`", known.name),
            format!("`{}_file`", known.name),
        ];
        assert!(
            expected.contains(&host.to_owned()),
            "{}: {host}",
            known.name
        );
        assert!(
            environment.starts_with(&format!("`SKILLCALL_{upper}`")),
            "{environment}"
        );
        assert!(
            spin.starts_with(&format!("`SPIN_VARIABLE_{upper}`")),
            "{spin}"
        );
        assert_eq!(secret == "yes", known.secret, "{}: secret", known.name);
        assert_eq!(
            required == "yes",
            known.required,
            "{}: required",
            known.name
        );
        assert!(
            !known.secret || host.ends_with("_file`"),
            "{}: a secret in host.toml",
            known.name
        );
        assert!(matches!(required, "yes" | "no") && !default.is_empty() && !meaning.is_empty());
    }
}

/// The keys of `host.toml` that the page lists are those that the host takes.
#[test]
fn every_key_of_the_host_is_taken() {
    let page = page();
    let (_, section) = page.split_once("## `host.toml`").expect("the section");
    let (section, _) = section.split_once("\n## ").expect("its end");
    let mut seen = 0;
    for line in section
        .lines()
        .filter(|line| line.starts_with("| `") && !line.contains("NAME"))
    {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (key, default) = (cells[0].trim_matches('`'), cells[1]);
        // Where there is no default in code, any value of the right kind does.
        let value = match (key, default.trim_matches('`')) {
            ("outbound.allow", _) => "[]".to_owned(),
            ("outbound.roots_file", _) => continue,
            ("state.file", _) => "\"x\"".to_owned(),
            (_, value) if value.parse::<u64>().is_ok() || value == "false" => value.to_owned(),
            (_, value) => format!("{value:?}"),
        };
        let text = match key.split_once('.') {
            Some((table, key)) => format!("[{table}]\n{key} = {value}\n"),
            None => format!("{key} = {value}\n"),
        };
        let read = skillcall_host::Host::parse(Path::new("host.toml"), &text);
        assert!(
            read.is_ok(),
            "{key} = {value}: {:?}",
            read.err().map(|error| error.to_string())
        );
        seen += 1;
    }
    assert!(seen >= 15, "only {seen} keys are listed");
}
