//! Kamailio, the proxy that nobody here wrote, with a configuration of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{LIMIT, NUMBER};

/// Of each user of its domain, `pbx.test`.
pub(crate) const PASSWORD: &str = "sesame";

/// Users of its domain prove who they are; calls to +1607555… go to the desk, others to where they are registered.
pub(crate) fn routes(desk: SocketAddr) -> String {
    format!(
        r#"
route[REGISTER] {{
    if (!pv_www_authenticate("$td", "{PASSWORD}", "0")) {{
        www_challenge("$td", "1");
        exit;
    }}
    append_to_reply("Service-Route: <sip:$RAi:$RAp;transport=$proto;lr>\r\n");
    if (!save("location")) sl_reply_error();
}}
route[INVITE] {{
    if (is_present_hf("Route")) {{
        loose_route();
        xlog("L_NOTICE", "by service route: $ru\n");
    }}
    record_route();
    if ($fd == "pbx.test") {{
        if (!pv_proxy_authenticate("$fd", "{PASSWORD}", "0")) {{
            proxy_challenge("$fd", "1");
            exit;
        }}
        consume_credentials();
        $ru = "sip:" + $rU + "@{desk}";
    }} else if (!lookup("location")) {{
        sl_send_reply("404", "Not Found");
        exit;
    }}
    t_relay();
}}
"#
    )
}

/// The settings of a gateway that knows nobody but this proxy, and registers with it as `account`. They begin in `[sip]`; the secret
/// is `secrets/proxy.password`.
pub(crate) fn trunk(target: &str) -> String {
    format!(
        "sources = [\"192.0.2.0/24\"]\n[[route]]\nprefix = \"+\"\ntrunk = \"proxy\"\n\
         [[trunk]]\nname = \"proxy\"\ntarget = [{target}]\nusername = \"account\"\n\
         password-file = \"secrets/proxy.password\"\n\
         register = {{ domain = \"pbx.test\", contact = \"{NUMBER}\", retry-seconds = 1 }}\n"
    )
}

/// A running Kamailio.
pub(crate) struct Kamailio {
    /// Where it listens, by UDP and TCP.
    pub(crate) sip: SocketAddr,
    folder: tempfile::TempDir,
    child: Child,
}

/// What it does.
pub(crate) struct Proxy<'a> {
    /// The routes REGISTER and INVITE of `tests/peers/kamailio.cfg`, and others that they name.
    pub(crate) routes: &'a str,
    /// The digest algorithm: `MD5` or `SHA-256`.
    pub(crate) algorithm: &'a str,
    /// The longest registration in seconds.
    pub(crate) max_expires: u32,
    /// Where it listens for TLS, and the folder with `proxy.pem`, `proxy.key` and `roots.pem`.
    pub(crate) tls: Option<(SocketAddr, &'a Path)>,
}

impl Kamailio {
    /// Starts it on `sip`.
    pub(crate) fn start(sip: SocketAddr, proxy: &Proxy<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut listen = format!("listen=udp:{sip}\nlisten=tcp:{sip}\n");
        let mut modules = String::new();
        if let Some((tls, certificates)) = proxy.tls {
            listen.push_str(&format!("listen=tls:{tls}\n"));
            let at = |name: &str| certificates.join(name).display().to_string();
            let side = |name: &str, verify: &str| {
                format!(
                    "[{name}:default]\nmethod = TLSv1.2+\nverify_certificate = {verify}\nrequire_certificate = {verify}\n\
                     certificate = {}\nprivate_key = {}\nca_list = {}\n",
                    at("proxy.pem"),
                    at("proxy.key"),
                    at("roots.pem")
                )
            };
            let text = format!("{}{}", side("server", "yes"), side("client", "yes"));
            fs::write(folder.path().join("tls.cfg"), text).unwrap();
            modules = format!(
                "loadmodule \"tls.so\"\nmodparam(\"tls\", \"config\", \"{}\")\n",
                folder.path().join("tls.cfg").display()
            );
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/kamailio.cfg");
        let config = fs::read_to_string(script)
            .unwrap()
            .replace("ENABLE_TLS", if proxy.tls.is_some() { "yes" } else { "no" })
            .replace("LISTEN", &listen)
            .replace("MODULES", &modules)
            .replace("MAX_EXPIRES", &proxy.max_expires.to_string())
            .replace("ALGORITHM", proxy.algorithm)
            .replace("ROUTES", proxy.routes);
        let file = folder.path().join("kamailio.cfg");
        fs::write(&file, config).unwrap();
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new("kamailio")
            .env("PATH", path)
            .args(["-DD", "-E", "-m", "32", "-M", "8", "-w"])
            .arg(folder.path())
            .arg("-Y")
            .arg(folder.path())
            .arg("-P")
            .arg(folder.path().join("pid"))
            .arg("-f")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("Kamailio starts; tools/setup.sh test installs it");
        let mut this = Self { sip, folder, child };
        let until = Instant::now() + LIMIT;
        while std::net::TcpStream::connect(sip).is_err() {
            let ended = this.child.try_wait().unwrap();
            assert!(
                Instant::now() < until && ended.is_none(),
                "Kamailio does not start:\n{}",
                this.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        this
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Waits until its log has a line with this text.
    pub(crate) fn logs(&self, text: &str) {
        let until = Instant::now() + LIMIT;
        while !self.log().contains(text) {
            assert!(Instant::now() < until, "{text}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // Its first process ends the others when it is asked to, and only then.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").arg(&pid).status();
        let until = Instant::now() + Duration::from_secs(5);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
