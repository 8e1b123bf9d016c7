//! The program; the library beside it does the work.

fn main() {}
