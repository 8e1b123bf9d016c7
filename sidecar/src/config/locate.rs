//! From a key of the file to its line and column.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Finding, Origin, Severity};

/// The file's tree with the place of each value.
pub(crate) struct Located<'a> {
    origin: &'a Origin,
    root: Option<Spanned<DeTable<'a>>>,
}

/// One step of a path: a key, or an index of an array.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step<'a> {
    Key(&'a str),
    Index(usize),
}

impl<'a> Located<'a> {
    pub(crate) fn new(origin: &'a Origin) -> Self {
        Self {
            origin,
            root: DeTable::parse(&origin.text).ok(),
        }
    }

    /// A finding at a path; where a key is absent, at the nearest place above it.
    pub(crate) fn finding(
        &self,
        severity: Severity,
        path: &[Step<'_>],
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Finding {
        let (line, column) = line_and_column(&self.origin.text, self.offset(path));
        Finding {
            severity,
            file: self.origin.file.clone(),
            line,
            column,
            what: what.into(),
            remedy: remedy.into(),
        }
    }

    fn offset(&self, path: &[Step<'_>]) -> usize {
        let Some(root) = &self.root else { return 0 };
        let Some((Step::Key(first), rest)) = path.split_first() else {
            return 0;
        };
        let entry = |table: &DeTable<'_>, key: &str| {
            table
                .iter()
                .find(|(k, _)| k.get_ref().as_ref() == key)
                .map(|(k, _)| k.span().start)
        };
        let Some(mut offset) = entry(root.get_ref(), first) else {
            return 0;
        };
        let mut value = root
            .get_ref()
            .iter()
            .find(|(k, _)| k.get_ref().as_ref() == *first)
            .map(|(_, v)| v);
        for step in rest {
            let next = match (value.map(Spanned::get_ref), step) {
                (Some(DeValue::Table(table)), Step::Key(key)) => {
                    if let Some(start) = entry(table, key) {
                        offset = start;
                    }
                    table
                        .iter()
                        .find(|(k, _)| k.get_ref().as_ref() == *key)
                        .map(|(_, v)| v)
                }
                (Some(DeValue::Array(array)), Step::Index(index)) => {
                    let item = array.get(*index);
                    if let Some(item) = item {
                        offset = item.span().start;
                    }
                    item
                }
                _ => None,
            };
            if next.is_none() {
                break;
            }
            value = next;
        }
        offset
    }

    /// The path of the first key for which `wanted` holds, with its place.
    pub(crate) fn find_key(
        &self,
        wanted: impl Fn(&str, &DeValue<'_>) -> bool,
    ) -> Option<(String, usize)> {
        fn walk(
            table: &DeTable<'_>,
            wanted: &dyn Fn(&str, &DeValue<'_>) -> bool,
        ) -> Option<(String, usize)> {
            for (key, value) in table {
                let name = key.get_ref().as_ref();
                if wanted(name, value.get_ref()) {
                    return Some((name.to_owned(), key.span().start));
                }
                let found = match value.get_ref() {
                    DeValue::Table(inner) => walk(inner, wanted),
                    DeValue::Array(items) => items.iter().find_map(|item| match item.get_ref() {
                        DeValue::Table(inner) => walk(inner, wanted),
                        _ => None,
                    }),
                    _ => None,
                };
                if found.is_some() {
                    return found;
                }
            }
            None
        }
        walk(self.root.as_ref()?.get_ref(), &wanted)
    }
}

/// Line and column, both from 1; the column counts characters.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = text.get(..offset).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    (line, column)
}
