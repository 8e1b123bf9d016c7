//! The authority's chains under the rules that a verifier applies (facts B), by libraries that it does not use itself.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rsa::RsaPublicKey;
use rsa::pkcs1v15::{Signature, VerifyingKey};
use rsa::pkcs8::DecodePublicKey as _;
use rsa::signature::Verifier as _;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::Sha256;
use skillcall_simulator::authority::{Authority, Chain, ChainFault, SIGNER_NAME};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// What a strict verifier says of a chain: `Ok`, or the name of the broken rule.
fn verdict(roots_pem: &str, chain: &Chain) -> Result<(), String> {
    let certificates: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(chain.pem().as_bytes())
            .collect::<Result<_, _>>()
            .expect("the chain is PEM");
    let (leaf, others) = certificates.split_first().expect("the chain has a leaf");
    let root = CertificateDer::from_pem_slice(roots_pem.as_bytes()).expect("the root is PEM");
    let anchor = anchor_from_trusted_cert(&root).expect("the root is a trust anchor");
    let leaf = EndEntityCert::try_from(leaf).expect("the leaf reads");
    leaf.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &[anchor],
        others,
        UnixTime::now(),
        KeyUsage::server_auth(),
        None,
        None,
    )
    .map_err(|error| format!("{error:?}"))?;
    leaf.verify_is_valid_for_subject_name(&ServerName::try_from(SIGNER_NAME).expect("a name"))
        .map_err(|_| "NotValidForName".to_owned())
}

fn public_key(chain: &Chain) -> RsaPublicKey {
    let leaf = CertificateDer::from_pem_slice(chain.pem().as_bytes()).expect("PEM");
    let leaf = EndEntityCert::try_from(&leaf).expect("the leaf reads");
    RsaPublicKey::from_public_key_der(leaf.subject_public_key_info().as_ref()).expect("an RSA key")
}

#[test]
fn chains_hold_or_break_each_rule_and_signatures_verify() {
    let folder = tempfile::tempdir().expect("a folder");
    let ca = folder.path().join("simulator/ca");
    let authority = Authority::open(&ca).expect("made");

    let good = authority.chain();
    assert_eq!(verdict(authority.roots_pem(), &good), Ok(()));
    assert_eq!(
        good.url(),
        "https://s3.amazonaws.com/echo.api/echo-api-cert-1.pem"
    );
    let mut numbers = vec![good.number()];
    for (fault, expected) in [
        (ChainFault::WrongName, "NotValidForName"),
        (ChainFault::ForeignRoot, "UnknownIssuer"),
        (ChainFault::Expired, "CertExpired"),
        (ChainFault::NotYetValid, "CertNotValidYet"),
        (ChainFault::Incomplete, "UnknownIssuer"),
    ] {
        let chain = authority.faulty_chain(fault).expect("made");
        let error = verdict(authority.roots_pem(), &chain).expect_err("the chain is faulty");
        // The foreign root has the trusted one's name, so the verifier gets as far as its signature.
        let foreign = fault == ChainFault::ForeignRoot && error.contains("InvalidSignature");
        assert!(error.contains(expected) || foreign, "{fault:?}: {error}");
        assert_eq!(
            authority.chain_at(chain.number()).expect("served").pem(),
            chain.pem()
        );
        numbers.push(chain.number());
    }
    let brief = authority
        .short_lived_chain(Duration::from_secs(30))
        .expect("made");
    assert_eq!(verdict(authority.roots_pem(), &brief), Ok(()));
    numbers.push(brief.number());
    numbers.dedup();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 7]);
    assert!(authority.chain_at(99).is_none());

    let body = br#"{"version":"1.0"}"#;
    let headers = good.sign(body).expect("signed");
    let signature = STANDARD.decode(&headers.signature_256).expect("base64");
    let key = VerifyingKey::<Sha256>::new(public_key(&good));
    let signature = Signature::try_from(signature.as_slice()).expect("a signature");
    key.verify(body, &signature).expect("over this body");
    assert!(key.verify(br#"{"version":"1.1"}"#, &signature).is_err());

    for entry in std::fs::read_dir(&ca).expect("readable") {
        let entry = entry.expect("an entry");
        if entry.file_name().to_string_lossy().ends_with(".key") {
            assert_eq!(
                entry.metadata().expect("metadata").permissions().mode() & 0o777,
                0o600,
                "{entry:?}"
            );
        }
    }
    assert_eq!(
        std::fs::read_to_string(ca.join(".gitignore")).expect("there"),
        "*\n"
    );

    let again = Authority::open(&ca).expect("opened");
    assert_eq!(again.roots_pem(), authority.roots_pem());
    assert_eq!(again.chain().pem(), good.pem());
    assert_eq!(
        std::fs::read_to_string(again.roots_path()).expect("there"),
        again.roots_pem()
    );

    // A leaf near its end is renewed under a new URL, and the same root vouches for it.
    let soon = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970")
        .as_secs()
        + 60;
    std::fs::write(
        ca.join("leaf.json"),
        format!(r#"{{"number":1,"not_after":{soon}}}"#),
    )
    .expect("written");
    let renewed = Authority::open(&ca).expect("opened");
    assert_eq!(renewed.chain().number(), 2);
    assert_eq!(verdict(authority.roots_pem(), &renewed.chain()), Ok(()));

    std::fs::write(ca.join("leaf.key"), "nonsense").expect("written");
    let error = Authority::open(&ca).expect_err("no key").to_string();
    assert!(
        error.contains("leaf.key") && error.contains("PKCS#8"),
        "{error}"
    );
}
