//! Composition of small components that are made from WIT here.

use skillcall_compose::{ComposeError, ImportError, check_imports, compose, imports, world};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{ManglingAndAbi, Resolve};

const HOST: &str = "
    package skillcall:host@0.1.0 {
        interface state { get: func(key: string) -> option<list<u8>>; }
        interface settings { get: func(name: string) -> option<string>; }
    }
    package fermyon:spin@2.0.0 {
        interface variables { get: func(name: string) -> result<string, string>; }
    }
    package other:thing@1.0.0 {
        interface far { reach: func(); }
    }
    package wasi:clocks@0.2.4 {
        interface wall-clock { seconds: func() -> u64; }
    }
";

/// A component of the world with these lines.
fn component(lines: &str) -> Vec<u8> {
    let wit = format!("package test:made;\n{HOST}\nworld made {{ {lines} }}");
    let mut resolve = Resolve::default();
    let package = resolve.push_str("made.wit", &wit).expect("the WIT is good");
    let world = resolve
        .select_world(&[package], Some("made"))
        .expect("there is one world");
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("the metadata fit");
    ComponentEncoder::default()
        .module(&module)
        .and_then(|encoder| encoder.validate(true).encode())
        .expect("the module becomes a component")
}

fn skill() -> Vec<u8> {
    component(
        "import skillcall:host/state@0.1.0;
         import skillcall:host/settings@0.1.0;
         import wasi:clocks/wall-clock@0.2.4;
         export other:thing/far@1.0.0;",
    )
}

fn adapter() -> Vec<u8> {
    component(
        "import fermyon:spin/variables@2.0.0;
         export skillcall:host/state@0.1.0;
         export skillcall:host/settings@0.1.0;",
    )
}

#[test]
fn the_adapter_takes_the_place_of_what_it_exports() {
    let composed = compose(&skill(), &adapter()).expect("they fit");
    assert_eq!(
        imports(&composed).expect("a component"),
        [
            "fermyon:spin/variables@2.0.0",
            "wasi:clocks/wall-clock@0.2.4"
        ]
    );
    let world = world(&composed).expect("a component");
    assert!(world.contains("export other:thing/far@1.0.0;"), "{world}");
    assert_eq!(composed, compose(&skill(), &adapter()).expect("they fit"));
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let unrelated = component("export other:thing/far@1.0.0;");
    let misfit = compose(&skill(), &unrelated);
    assert!(matches!(misfit, Err(ComposeError::Misfit(_))), "{misfit:?}");
    let no_component = compose(b"\0asm\x01\0\0\0", &adapter());
    assert!(
        matches!(no_component, Err(ComposeError::Part { part: "skill", .. })),
        "{no_component:?}"
    );
}

#[test]
fn an_import_beside_the_allowed_ones_is_named() {
    let allowed = ["wasi:".to_owned(), "skillcall:".to_owned()];
    assert_eq!(
        check_imports(&skill(), &allowed)
            .expect("all allowed")
            .len(),
        3
    );
    match check_imports(&adapter(), &allowed) {
        Err(ImportError::NotAllowed { imports, .. }) => {
            assert_eq!(imports, ["fermyon:spin/variables@2.0.0"]);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_world_is_printed_as_wit_that_can_be_read() {
    let printed = world(&skill()).expect("a component");
    assert!(
        printed.contains("import skillcall:host/state@0.1.0;"),
        "{printed}"
    );
    Resolve::default()
        .push_str("printed.wit", &printed)
        .expect("WIT again");
}
