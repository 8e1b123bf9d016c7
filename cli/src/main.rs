//! `skillcall`: the one command a person types.

fn main() {}
