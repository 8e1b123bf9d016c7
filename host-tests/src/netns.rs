//! A network of a test's own: a namespace with an address that is not loopback.

use std::process::{Command, Output};

/// Says that this program runs in its own network.
const INSIDE: &str = "SKILLCALL_TEST_NETWORK";
/// The address in the namespace.
pub const ADDRESS: &str = "10.77.0.1";

/// Sets up the namespace, then becomes the program.
const SETUP: &str = "ip link set lo up && ip link add near type veth peer name far \
    && ip addr add 10.77.0.1/24 dev near && ip link set near up && ip link set far up \
    && ip route add default via 10.77.0.2 && exec \"$@\"";

/// Runs the test that is named again, alone in a network of its own; true: this is that run, and the test goes on. False: the run was
/// good, and nothing is left to do.
///
/// # Panics
/// When that run fails, or no namespace can be had.
#[must_use]
pub fn is_own_network(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let program = std::env::current_exe().expect("this program");
    let output: Output = Command::new("unshare")
        // Whoever is not root becomes it in a namespace of users.
        .args([
            "--user",
            "--map-root-user",
            "--net",
            "sh",
            "-c",
            SETUP,
            "sh",
        ])
        .arg(program)
        .args(["--exact", test, "--nocapture", "--include-ignored"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare starts");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "in a network of its own:\n{said}");
    assert!(said.contains("1 passed"), "{test} is no test:\n{said}");
    false
}
