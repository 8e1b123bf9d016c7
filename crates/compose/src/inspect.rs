//! What a component imports, exports, and what its world is.

use wit_component::{DecodedWasm, WitPrinter, decode};
use wit_parser::{Resolve, WorldId};

/// The bytes are no component.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// They cannot be read as one.
    #[error("not a component that can be read: {0}")]
    Unreadable(String),
    /// They are a WIT package.
    #[error("a WIT package, not a component")]
    Package,
}

/// The component imports what it may not.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The bytes are no component.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// These imports begin with none of the allowed prefixes.
    #[error("imports that are not allowed: {}; allowed is what begins with: {}", .imports.join(", "), .allowed.join(", "))]
    NotAllowed {
        /// The imports.
        imports: Vec<String>,
        /// The prefixes.
        allowed: Vec<String>,
    },
}

/// The names of what the component imports, sorted, as `wasi:http/types@0.2.4`.
///
/// # Errors
/// See [`InspectError`].
pub fn imports(component: &[u8]) -> Result<Vec<String>, InspectError> {
    let (resolve, world) = read(component)?;
    let keys = resolve.worlds[world].imports.keys();
    let mut names: Vec<_> = keys.map(|key| resolve.name_world_key(key)).collect();
    names.sort();
    Ok(names)
}

/// The names of what the component exports, sorted.
pub(crate) fn exports(component: &[u8]) -> Result<Vec<String>, InspectError> {
    let (resolve, world) = read(component)?;
    let keys = resolve.worlds[world].exports.keys();
    let mut names: Vec<_> = keys.map(|key| resolve.name_world_key(key)).collect();
    names.sort();
    Ok(names)
}

/// The names of the imports, if each begins with one of `allowed` (as `wasi:`).
///
/// # Errors
/// [`ImportError::NotAllowed`] names those that do not.
pub fn check_imports(component: &[u8], allowed: &[String]) -> Result<Vec<String>, ImportError> {
    let names = imports(component)?;
    let may = |name: &&String| allowed.iter().any(|prefix| name.starts_with(prefix));
    let (good, bad): (Vec<&String>, Vec<&String>) = names.iter().partition(may);
    if bad.is_empty() {
        return Ok(good.into_iter().cloned().collect());
    }
    Err(ImportError::NotAllowed {
        imports: bad.into_iter().cloned().collect(),
        allowed: allowed.to_vec(),
    })
}

/// The component's world as WIT, with the interfaces that it names.
///
/// # Errors
/// See [`InspectError`].
pub fn world(component: &[u8]) -> Result<String, InspectError> {
    let (resolve, world) = read(component)?;
    let unreadable = |what: String| InspectError::Unreadable(what);
    let package = resolve.worlds[world]
        .package
        .ok_or_else(|| unreadable("its world has no package".into()))?;
    let mut others: Vec<_> = resolve.packages.iter().map(|(id, _)| id).collect();
    others.retain(|id| *id != package);
    others.sort_by_key(|id| resolve.packages[*id].name.to_string());
    let mut printer = WitPrinter::default();
    printer
        .print(&resolve, package, &others)
        .map_err(|error| unreadable(format!("{error:#}")))?;
    Ok(printer.output.to_string())
}

fn read(component: &[u8]) -> Result<(Resolve, WorldId), InspectError> {
    match decode(component) {
        Ok(DecodedWasm::Component(resolve, world)) => Ok((resolve, world)),
        Ok(DecodedWasm::WitPackage(..)) => Err(InspectError::Package),
        Err(error) => Err(InspectError::Unreadable(format!("{error:#}"))),
    }
}
