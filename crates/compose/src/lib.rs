//! Composes the skill with a host adapter and checks what a component imports.
