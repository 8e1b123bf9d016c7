//! The artefact with relaxed vectors: it takes what Alexa signed, and nothing else.

use skillcall_host_tests::{Staging, plans};
use skillcall_simulator::trouble::{Fault, Place, Trouble};
use wasmparser::{Operator, Parser, Payload};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn relaxed_vectors_verify_what_alexa_signed_and_nothing_else() {
    let stage = Staging::new(plans::straight()).relaxed().start().await;
    for fault in [Fault::Tampered, Fault::Unsigned, Fault::LegacySignatureOnly] {
        let trouble = Trouble::once(Place::Request, fault.clone());
        stage.simulator.trouble(trouble).expect("ordered");
        stage.refused(&format!("{fault:?}")).await;
    }
    let (_, call) = stage.call().await;
    stage.over_by_hanging_up(&call.id).await;
    stage.end().await;
}

#[test]
fn the_two_artefacts_differ_in_their_vectors() {
    let fused = |name: &str| {
        let path = skillcall_host_tests::component::path().with_file_name(name);
        let component =
            std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut fused = 0;
        for part in Parser::new(0).parse_all(&component) {
            if let Payload::CodeSectionEntry(body) = part.expect("a component") {
                let operators = body.get_operators_reader().expect("code").into_iter();
                let is_fused =
                    |operator: &Operator<'_>| matches!(operator, Operator::F64x2RelaxedMadd);
                fused += operators
                    .filter(|operator| is_fused(operator.as_ref().expect("an operator")))
                    .count();
            }
        }
        fused
    };
    assert_eq!(fused("skillcall.wasm"), 0, "any engine takes it");
    assert!(fused("skillcall-relaxed.wasm") >= 4);
}
