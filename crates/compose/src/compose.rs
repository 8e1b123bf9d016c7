//! One component from the skill and an adapter that gives what it imports.

use crate::inspect::{InspectError, exports, imports};
use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, plug};

/// Why two components cannot become one.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// One of them is no component.
    #[error("the {part} cannot be read: {reason}")]
    Part {
        /// `skill` or `adapter`.
        part: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// They do not fit: no import of the skill is an export of the adapter, or its type differs.
    #[error("the adapter's exports do not fit the skill's imports: {0}")]
    Misfit(String),
    /// Something that the adapter exports is still imported: the versions or the types differ.
    #[error(
        "{0} is exported by the adapter, and still imported after the composition: build both from the same wit/"
    )]
    LeftOver(String),
    /// The composed component cannot be written.
    #[error("the composed component cannot be written: {0}")]
    Encode(String),
    /// The composed component cannot be read back.
    #[error(transparent)]
    Inspect(#[from] InspectError),
}

/// Plugs what `adapter` exports into what `skill` imports. The result exports what the skill does, and
/// imports what is left of both. The same input gives the same bytes.
///
/// # Errors
/// See [`ComposeError`].
pub fn compose(skill: &[u8], adapter: &[u8]) -> Result<Vec<u8>, ComposeError> {
    let mut graph = CompositionGraph::new();
    let mut register = |part: &'static str, bytes: &[u8]| {
        let unreadable = |reason: String| ComposeError::Part { part, reason };
        let name = format!("skillcall:{part}");
        let package = Package::from_bytes(&name, None, bytes.to_vec(), graph.types_mut())
            .map_err(|error| unreadable(format!("{error:#}")))?;
        graph
            .register_package(package)
            .map_err(|error| unreadable(error.to_string()))
    };
    let socket = register("skill", skill)?;
    let fitting = register("adapter", adapter)?;
    plug(&mut graph, vec![fitting], socket)
        .map_err(|error| ComposeError::Misfit(error.to_string()))?;
    let composed = graph
        .encode(EncodeOptions::default())
        .map_err(|error| ComposeError::Encode(error.to_string()))?;
    let left = imports(&composed)?;
    match exports(adapter)?
        .into_iter()
        .find(|name| left.contains(name))
    {
        Some(name) => Err(ComposeError::LeftOver(name)),
        None => Ok(composed),
    }
}
