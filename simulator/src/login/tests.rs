//! Each grant, and each of LWA's errors.

use super::*;

const ID: &str = "amzn1.application-oa2-client.1";

fn login() -> Login {
    let secrets = vec!["right".to_owned()];
    Login::new(ID.to_owned(), secrets, Duration::from_secs(3600))
}

fn ask(login: &Login, body: &str) -> Result<Tokens, (u16, &'static str)> {
    let form = Form::read(Some("application/x-www-form-urlencoded"), body.as_bytes());
    form.and_then(|form| login.token(&form))
        .map_err(|refusal| (refusal.status, refusal.error))
}

fn with(grant: &str) -> String {
    format!("grant_type={grant}&client_id={ID}&client_secret=right")
}

#[test]
fn a_code_is_good_once_and_its_refresh_token_until_it_is_taken_back() {
    let login = login();
    let code = login.code("guest");
    let tokens = ask(&login, &with(&format!("authorization_code&code={code}"))).unwrap();
    assert!(tokens.access_token.starts_with("Atza|") && tokens.access_token.len() > 350);
    assert_eq!((tokens.token_type, tokens.expires_in), ("bearer", 3600));
    let header = format!("Bearer {}", tokens.access_token);
    assert_eq!(
        login.holder(Some(&header)),
        Ok(Holder::Customer("guest".to_owned()))
    );
    assert_eq!(
        ask(&login, &with(&format!("authorization_code&code={code}"))),
        Err((400, "invalid_grant"))
    );
    let refresh = tokens.refresh_token.unwrap().replace('|', "%7C");
    let renew = with(&format!("refresh_token&refresh_token={refresh}"));
    assert!(ask(&login, &renew).is_ok());
    login.take_back("guest");
    assert_eq!(ask(&login, &renew), Err((400, "invalid_grant")));
    let figures = login.figures();
    assert_eq!(
        (figures.codes, figures.refreshes, figures.refused),
        (1, 1, 2)
    );
}

#[test]
fn a_skills_token_is_for_its_scope() {
    let login = login();
    let tokens = ask(
        &login,
        &with("client_credentials&scope=alexa%3Askill_messaging"),
    )
    .unwrap();
    assert!(tokens.access_token.starts_with("Atc|"));
    assert_eq!(tokens.scope.as_deref(), Some(SKILL_MESSAGING_SCOPE));
    let header = format!("bearer {}", tokens.access_token);
    assert_eq!(login.is_skill(Some(&header), SKILL_MESSAGING_SCOPE), Ok(()));
    assert_eq!(
        login.is_skill(Some(&header), PBX_SCOPE),
        Err(AccessRefusal::OtherScope)
    );
    assert_eq!(
        login.holder(Some("Bearer Atza|x")),
        Err(AccessRefusal::Unknown)
    );
    assert_eq!(login.holder(Some("Basic x")), Err(AccessRefusal::NotBearer));
    assert_eq!(login.holder(None), Err(AccessRefusal::NotBearer));
    login.set_token_life(Duration::ZERO);
    let short = ask(
        &login,
        &with("client_credentials&scope=alexa%3Askill_messaging"),
    )
    .unwrap();
    let header = format!("Bearer {}", short.access_token);
    assert_eq!(login.holder(Some(&header)), Err(AccessRefusal::Unknown));
}

#[test]
fn each_broken_rule_has_its_error() {
    let login = login();
    for (body, error) in [
        (String::new(), (400, "invalid_request")),
        (with("authorization_code"), (400, "invalid_request")),
        (with("authorization_code&code="), (400, "invalid_request")),
        (
            with("authorization_code&code=x&code=y"),
            (400, "invalid_request"),
        ),
        (
            with("authorization_code&code=x&more=y"),
            (400, "invalid_request"),
        ),
        (with("authorization_code&code=x"), (400, "invalid_grant")),
        (
            with("refresh_token&refresh_token=x"),
            (400, "invalid_grant"),
        ),
        (
            with("client_credentials&scope=everything"),
            (400, "invalid_scope"),
        ),
        (with("password&username=x"), (400, "unsupported_grant_type")),
        (
            with("authorization_code&code=x").replace("right", "wrong"),
            (401, "invalid_client"),
        ),
        (
            with("authorization_code&code=x").replace(ID, "another"),
            (401, "invalid_client"),
        ),
    ] {
        assert_eq!(ask(&login, &body).unwrap_err(), error, "{body}");
    }
    let json = Form::read(Some("application/json"), b"{}").unwrap_err();
    assert_eq!((json.status, json.error), (400, "invalid_request"));
    login.set_secrets(Vec::new());
    assert_eq!(
        ask(&login, &with("refresh_token&refresh_token=x")),
        Err((401, "invalid_client"))
    );
}
