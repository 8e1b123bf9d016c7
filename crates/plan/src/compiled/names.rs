//! A sorted index of names over one heap: found by halving, decoded without an allocation.

use serde::{Deserialize, Serialize};

/// Bytes of an entry: the name's start in the heap (4), its length (2), what it leads to (2), little-endian.
const ENTRY: usize = 8;

/// The names of destinations, sorted by their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names<'a> {
    heap: &'a str,
    entries: &'a [u8],
}

impl<'a> Names<'a> {
    /// The place that `name` leads to, the first one of several.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        self.all(name).next()
    }

    /// The places that `name` leads to.
    pub fn all<'n>(&self, name: &'n str) -> impl Iterator<Item = usize> + use<'a, 'n> {
        let (names, mut low, mut high) = (*self, 0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match names.entry(middle) {
                Some((found, _)) if found.as_bytes() < name.as_bytes() => low = middle + 1,
                _ => high = middle,
            }
        }
        (low..names.len())
            .map_while(move |index| names.entry(index))
            .take_while(move |(found, _)| *found == name)
            .map(|(_, place)| place)
    }

    /// How many names there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len() / ENTRY
    }

    /// Whether there is no name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn entry(&self, index: usize) -> Option<(&'a str, usize)> {
        let entry = self
            .entries
            .get(index.checked_mul(ENTRY)?..)?
            .first_chunk::<ENTRY>()?;
        let [s0, s1, s2, s3, l0, l1, p0, p1] = *entry;
        let start = usize::try_from(u32::from_le_bytes([s0, s1, s2, s3])).ok()?;
        let length = usize::from(u16::from_le_bytes([l0, l1]));
        let name = self.heap.get(start..start.checked_add(length)?)?;
        Some((name, usize::from(u16::from_le_bytes([p0, p1]))))
    }
}

/// An index being built.
#[cfg(feature = "source")]
#[derive(Debug, Default)]
pub(crate) struct NamesBuilder {
    names: std::collections::BTreeSet<(String, u16)>,
    heap: String,
    entries: Vec<u8>,
}

#[cfg(feature = "source")]
impl NamesBuilder {
    /// Adds a name. A name may lead to several places.
    pub(crate) fn add(&mut self, name: String, place: u16) {
        self.names.insert((name, place));
    }

    /// The finished index. Names whose length or place passes what an entry can hold are checked before.
    pub(crate) fn finish(&mut self) -> Names<'_> {
        for (name, place) in &self.names {
            let (Ok(start), Ok(length)) =
                (u32::try_from(self.heap.len()), u16::try_from(name.len()))
            else {
                continue;
            };
            self.entries.extend_from_slice(&start.to_le_bytes());
            self.entries.extend_from_slice(&length.to_le_bytes());
            self.entries.extend_from_slice(&place.to_le_bytes());
            self.heap.push_str(name);
        }
        Names {
            heap: &self.heap,
            entries: &self.entries,
        }
    }
}

#[cfg(all(test, feature = "source"))]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_found_and_no_other() {
        let mut builder = NamesBuilder::default();
        for n in 0..500u16 {
            builder.add(format!("name {n}"), n);
        }
        builder.add("name 7".into(), 999);
        builder.add("name 7".into(), 7);
        let names = builder.finish();
        assert_eq!(names.len(), 501);
        assert_eq!(names.all("name 7").collect::<Vec<_>>(), [7, 999]);
        assert_eq!(names.all("name").count(), 0);
        for n in 0..500usize {
            assert_eq!(names.find(&format!("name {n}")), Some(n));
        }
        for absent in ["", "name", "name 500", "zzz", "name 7 "] {
            assert_eq!(names.find(absent), None, "{absent}");
        }
    }

    #[test]
    fn entries_that_point_outside_lead_nowhere() {
        let names = Names {
            heap: "ä",
            entries: &[0, 0, 0, 0, 1, 0, 0, 0],
        };
        assert_eq!(names.find("a"), None);
        let names = Names {
            heap: "a",
            entries: &[255, 255, 255, 255, 255, 255, 0, 0],
        };
        assert_eq!(names.find("a"), None);
    }
}
