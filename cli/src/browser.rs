//! `skillcall browser`: the link to the page that is an Echo.

use serde_json::json;

use crate::installation::Installation;
use crate::trace::Controls;

/// Prints the link. It carries the control API's token behind the `#`, which browsers send to nobody.
pub(crate) fn run(installation: &Installation, as_json: bool) -> anyhow::Result<()> {
    installation.must_exist()?;
    let running = installation.running()?;
    let link = Controls::of(installation, &running)?
        .simulator()?
        .link("/echo");
    if as_json {
        println!("{}", json!({"link": link}));
    } else {
        println!("{link}");
    }
    Ok(())
}
