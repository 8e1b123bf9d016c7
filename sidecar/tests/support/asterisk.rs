//! Asterisk, the PBX that nobody here wrote, in the Debian that `tools/pbx.sh` makes.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use skillcall_media::{tone, wav};

use super::LIMIT;

/// A running Asterisk with a configuration of its own.
pub(crate) struct Asterisk {
    /// Where it speaks SIP, by UDP and TCP.
    pub(crate) sip: SocketAddr,
    root: PathBuf,
    /// Its folder, as it sees it.
    run: String,
    child: Child,
}

/// The endpoint of the gateway, and the dial plan, of a test.
pub(crate) struct Dialplan<'a> {
    /// Where the gateway listens.
    pub(crate) gateway: SocketAddr,
    /// Lines for the gateway's endpoint in `pjsip.conf`.
    pub(crate) endpoint: &'a str,
    /// Further sections of `pjsip.conf`.
    pub(crate) pjsip: &'a str,
    /// The lines of the context `from-gateway`.
    pub(crate) extensions: &'a str,
}

/// The Debian with Asterisk, or None after a word about why this machine cannot have it.
fn root() -> Option<PathBuf> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let output = Command::new(project.join("tools/pbx.sh")).output().unwrap();
    match output.status.code() {
        Some(0) => Some(PathBuf::from(
            String::from_utf8(output.stdout).unwrap().trim(),
        )),
        Some(3) => {
            let why = String::from_utf8_lossy(&output.stderr);
            skipped("Asterisk", why.trim());
            None
        }
        _ => panic!("{}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// Leaves a line about a peer that this machine cannot have, which the project's check counts.
pub(crate) fn skipped(peer: &str, why: &str) {
    let line = format!("{peer}: {why}\n");
    eprint!("skipped: {line}");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .parent()
                .unwrap()
                .join("target")
        },
        PathBuf::from,
    );
    fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(target.join("skipped-peers"))
        .unwrap()
        .write_all(line.as_bytes())
        .unwrap();
}

/// The tone of its music on hold, in Hz.
pub(crate) const MUSIC: f64 = 850.0;

/// A place on loopback that is free now, for UDP and TCP.
pub(crate) fn free_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], super::free_port::free_port()))
}

const ASTERISK_CONF: &str = "[directories]
astetcdir => RUN
astmoddir => /usr/lib/x86_64-linux-gnu/asterisk/modules
astvarlibdir => /var/lib/asterisk
astdbdir => RUN
astkeydir => RUN
astdatadir => /usr/share/asterisk
astagidir => RUN
astspooldir => RUN
astrundir => RUN
astlogdir => RUN
[options]
verbose = 4
nocolor = yes
";

/// What a call needs, and no more: it starts in a second.
const MODULES: &str = "[modules]
autoload = no
";
const LOADED: &str = "res_sorcery_config res_sorcery_memory res_sorcery_astdb res_pjproject \
 res_pjsip res_pjsip_session res_pjsip_sdp_rtp res_pjsip_authenticator_digest \
 res_pjsip_outbound_authenticator_digest res_pjsip_outbound_registration res_pjsip_registrar \
 res_pjsip_endpoint_identifier_ip res_pjsip_endpoint_identifier_user res_pjsip_caller_id \
 res_pjsip_refer res_pjsip_pubsub res_pjsip_dtmf_info res_pjsip_rfc3326 res_pjsip_diversion \
 res_pjsip_header_funcs res_pjsip_nat res_pjsip_path res_pjsip_logger res_rtp_asterisk res_srtp \
 res_timing_timerfd res_musiconhold chan_pjsip bridge_simple bridge_native_rtp bridge_builtin_features bridge_softmix \
 bridge_holding codec_ulaw codec_alaw codec_a_mu codec_g722 codec_resample format_pcm format_wav \
 pbx_config app_dial app_echo app_playback app_playtones app_read app_senddtmf app_verbose \
 app_transfer app_record app_originate app_stack func_callerid func_channel func_strings \
 func_logic func_global func_hangupcause func_cut func_channel res_stasis res_clioriginate \
 format_gsm codec_gsm app_attended_transfer app_blind_transfer";

impl Asterisk {
    /// Starts it on `sip`; None where this machine cannot have it.
    pub(crate) fn start(sip: SocketAddr, plan: &Dialplan<'_>) -> Option<Self> {
        let pjsip = format!(
            "[global]\ntype=global\nuser_agent=PBX\ndebug=yes\n\
             [udp]\ntype=transport\nprotocol=udp\nbind={sip}\n\
             [tcp]\ntype=transport\nprotocol=tcp\nbind={sip}\n\
             [gateway]\ntype=endpoint\ncontext=from-gateway\naors=gateway\n\
             disallow=all\nallow=ulaw,alaw\ndirect_media=no\nrtp_symmetric=no\n{endpoint}\n\
             [gateway]\ntype=aor\ncontact=sip:{gateway}\n\
             [gateway]\ntype=identify\nendpoint=gateway\nmatch=127.0.0.1\n{more}\n",
            endpoint = plan.endpoint,
            gateway = plan.gateway,
            more = plan.pjsip,
        );
        let extensions = format!(
            "[general]\n[globals]\n[from-gateway]\n{}\n",
            plan.extensions
        );
        Self::with_files(
            sip,
            &[("pjsip.conf", pjsip), ("extensions.conf", extensions)],
        )
    }

    /// Starts it on `sip` with these files, in which `RUN` stands for its folder; its music on hold is a tone of
    /// [`MUSIC`] Hz, whatever they say. None where this machine cannot have it.
    pub(crate) fn with_files(sip: SocketAddr, files: &[(&str, String)]) -> Option<Self> {
        let root = root()?;
        let run = format!("/run/skillcall-{}", sip.port());
        let folder = root.join(run.trim_start_matches('/'));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
        // It looks its own name up, and else a name server's.
        let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        fs::write(
            root.join("etc/hosts"),
            format!("127.0.0.1 localhost {name}"),
        )
        .unwrap();
        write("asterisk.conf", &ASTERISK_CONF.replace("RUN", &run));
        let modules: Vec<String> = LOADED
            .split_whitespace()
            .map(|module| format!("load = {module}.so\n"))
            .collect();
        write("modules.conf", &format!("{MODULES}{}", modules.concat()));
        write(
            "logger.conf",
            "[general]\n[logfiles]\nfull = notice,warning,error,verbose\n",
        );
        let first = 20_000 + u32::from(sip.port() % 100) * 100;
        write(
            "rtp.conf",
            &format!(
                "[general]\nrtpstart={first}\nrtpend={}\nstrictrtp=yes\n",
                first + 99
            ),
        );
        write(
            "indications.conf",
            "[general]\ncountry=us\n[us]\ndescription = US\nringcadence = 2000,4000\ndial = 350+440\nbusy = 480+620/500,0/500\nring = 440+480/2000,0/4000\ncongestion = 480+620/250,0/250\n",
        );
        fs::create_dir_all(folder.join("moh")).unwrap();
        let music = tone::sine(MUSIC, -10.0, 16_000);
        fs::write(
            folder.join("moh/tone.wav"),
            wav::to_bytes(&music, 1).unwrap(),
        )
        .unwrap();
        write(
            "musiconhold.conf",
            &format!("[default]\nmode=files\ndirectory={run}/moh\n"),
        );
        for empty in [
            "cdr.conf",
            "features.conf",
            "udptl.conf",
            "ccss.conf",
            "acl.conf",
            "stasis.conf",
            "pjproject.conf",
            "codecs.conf",
            "manager.conf",
            "http.conf",
            "dnsmgr.conf",
        ] {
            write(empty, "[general]\n");
        }
        for (name, text) in files {
            let text = text.replace("/usr/share/asterisk/moh", &format!("{run}/moh"));
            write(name, &text);
        }
        let mut command = Command::new("chroot");
        command
            .arg(&root)
            .args(["/usr/sbin/asterisk", "-f", "-C"])
            .arg(format!("{run}/asterisk.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        let child = command.spawn().unwrap();
        let this = Self {
            sip,
            root,
            run,
            child,
        };
        this.wait("it has started", || {
            this.cli("core waitfullybooted").contains("fully booted")
        });
        Some(this)
    }

    /// One command of its console, and what it printed.
    pub(crate) fn cli(&self, command: &str) -> String {
        let output = Command::new("chroot")
            .arg(&self.root)
            .args(["/usr/sbin/asterisk", "-C"])
            .arg(format!("{}/asterisk.conf", self.run))
            .args(["-rx", command])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Calls `number` through the gateway and runs an application when it is answered.
    pub(crate) fn call(&self, number: &str, application: &str) {
        self.cli(&format!(
            "channel originate PJSIP/{number}@gateway application {application}"
        ));
    }

    /// Calls `number` through the gateway and goes on with an extension when it is answered.
    pub(crate) fn call_to(&self, number: &str, extension: &str) {
        self.cli(&format!(
            "channel originate PJSIP/{number}@gateway extension {extension}@from-gateway"
        ));
    }

    /// Sends the only channel that there is to another extension, `EXTENSION@CONTEXT`.
    pub(crate) fn redirect(&self, to: &str) {
        let (extension, context) = to.split_once('@').unwrap();
        let channels = self.cli("core show channels concise");
        let channel = channels.split('!').next().unwrap().trim();
        self.cli(&format!(
            "channel redirect {channel} {context},{extension},1"
        ));
    }

    /// Waits until `fits`, and shows the end of its log if that does not come.
    pub(crate) fn wait(&self, what: &str, fits: impl Fn() -> bool) {
        let until = Instant::now() + LIMIT;
        while !fits() {
            assert!(Instant::now() < until, "{what}:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until its log has a line with this text.
    pub(crate) fn logs(&self, text: &str) {
        self.wait(text, || self.log().contains(text));
    }

    /// Waits until it has no call any more.
    pub(crate) fn is_idle(&self) {
        self.wait("no channel is left", || {
            self.cli("core show channels count")
                .contains("0 active channels")
        });
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        let path = self
            .root
            .join(self.run.trim_start_matches('/'))
            .join("full");
        let bytes = fs::read(path).unwrap_or_default();
        // Without what this program's own questions leave there.
        String::from_utf8_lossy(&bytes)
            .lines()
            .filter(|line| !line.contains("Remote UNIX connection"))
            .flat_map(|line| [line, "\n"])
            .collect()
    }
}

impl Drop for Asterisk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}\n{}", self.cli("core show channels"), self.log());
        }
        self.cli("core stop now");
        let until = Instant::now() + Duration::from_secs(5);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(self.root.join(self.run.trim_start_matches('/')));
    }
}
